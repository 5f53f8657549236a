// CUDA's complex numbers of C.
#pragma once

using cuFloatComplex = float2;
using cuDoubleComplex = double2;
using cuComplex = cuFloatComplex;

#define GPUNET_SIM_COMPLEX(C, T, f, make)                                                                           \
  inline C make(T real, T imaginary) { return {real, imaginary}; }                                                  \
  inline T cuCreal##f(C x) { return x.x; }                                                                          \
  inline T cuCimag##f(C x) { return x.y; }                                                                          \
  inline C cuConj##f(C x) { return {x.x, -x.y}; }                                                                   \
  inline C cuCadd##f(C x, C y) { return {x.x + y.x, x.y + y.y}; }                                                   \
  inline C cuCsub##f(C x, C y) { return {x.x - y.x, x.y - y.y}; }                                                   \
  inline C cuCmul##f(C x, C y) { return {x.x * y.x - x.y * y.y, x.x * y.y + x.y * y.x}; }                           \
  inline C cuCfma##f(C x, C y, C d) { return cuCadd##f(cuCmul##f(x, y), d); }                                       \
  inline T cuCabs##f(C x) { return std::hypot(x.x, x.y); }                                                          \
  inline C cuCdiv##f(C x, C y) {                                                                                    \
    T s = std::abs(y.x) + std::abs(y.y), a = y.x / s, b = y.y / s, m = (a * a + b * b) * s;                         \
    return {(x.x * a + x.y * b) / m, (x.y * a - x.x * b) / m};                                                      \
  }
GPUNET_SIM_COMPLEX(cuFloatComplex, float, f, make_cuFloatComplex)
GPUNET_SIM_COMPLEX(cuDoubleComplex, double, , make_cuDoubleComplex)
#undef GPUNET_SIM_COMPLEX
inline cuComplex make_cuComplex(float real, float imaginary) { return {real, imaginary}; }
inline cuDoubleComplex cuComplexFloatToDouble(cuFloatComplex x) { return {x.x, x.y}; }
inline cuFloatComplex cuComplexDoubleToFloat(cuDoubleComplex x) { return {float(x.x), float(x.y)}; }
