// IEEE half precision, as CUDA's header of this name.
#pragma once
#include "gpunet_sim/half_encoding.h"
#include "gpunet_sim/half_rounding.h"

struct __half_raw { unsigned short x; };
struct __half2_raw { unsigned short x, y; };
#define H __half
#define H2 __half2
#define WORD half
#define RAW __half_raw
#define RAW2 __half2_raw
#define ENCODE gpunet_sim::encode_f16
#define DECODE gpunet_sim::decode_f16
#include "gpunet_sim/half_type.h"
typedef __half half;
typedef __half2 half2;
typedef __half nv_half;
typedef __half2 nv_half2;

inline __half2 __half2half2(__half h) { return {h, h}; }
inline __half2 __halves2half2(__half x, __half y) { return {x, y}; }
