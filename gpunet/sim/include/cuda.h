// Of the driver's header, what kernels use of it.
#pragma once
#include "gpunet_sim/nvcc.h"
#include "gpunet_sim/tensor_map.h"
