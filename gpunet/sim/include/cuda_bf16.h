// bfloat16, as CUDA's header of this name.
#pragma once
#include "gpunet_sim/half_encoding.h"
#include "gpunet_sim/half_rounding.h"

struct __nv_bfloat16_raw { unsigned short x; };
struct __nv_bfloat162_raw { unsigned short x, y; };
#define H __nv_bfloat16
#define H2 __nv_bfloat162
#define WORD bfloat16
#define RAW __nv_bfloat16_raw
#define RAW2 __nv_bfloat162_raw
#define ENCODE gpunet_sim::encode_bf16
#define DECODE gpunet_sim::decode_bf16
#include "gpunet_sim/half_type.h"
typedef __nv_bfloat16 nv_bfloat16;
typedef __nv_bfloat162 nv_bfloat162;

inline __nv_bfloat162 __bfloat162bfloat162(__nv_bfloat16 h) { return {h, h}; }
inline __nv_bfloat162 __halves2bfloat162(__nv_bfloat16 x, __nv_bfloat16 y) { return {x, y}; }
