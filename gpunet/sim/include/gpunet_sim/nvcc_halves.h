// For sources that include a header of CUDA's libraries which brings the 16-bit types with it.
#pragma once
#include "nvcc.h"
#include "../cuda_bf16.h"
#include "../cuda_fp16.h"
