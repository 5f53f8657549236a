// Included before every .cu file that is built for the simulator: CUDA C++ as a host compiler understands it.
// What CUDA has and this does not declare fails to compile, by name; nothing is silently something else.
#pragma once
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <limits>
#include <type_traits>
#include <utility>

#include "interface.h"

#define __GPUNET_SIM__ 1
#define __CUDA_ARCH__ 900
#define __CUDACC__ 1
#define __CUDACC_VER_MAJOR__ 13
#define __CUDACC_VER_MINOR__ 0
#define CUDART_VERSION 13000

#undef assert

#define __global__
#define __device__
#define __host__
#define __constant__
#define __managed__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __maxnreg__(...)
#define __grid_constant__
#define __align__(n) __attribute__((aligned(n)))
#define __inline_hint__ inline
#define __nv_pure__
#ifndef __clang__
#define __builtin_assume(x) ((void)0)
#endif
#define __assume(x) ((void)0)
#define __builtin_align__(n) __attribute__((aligned(n)))

#define threadIdx (::gpunet_sim::current->index)
#define blockIdx (::gpunet_sim::current->block->index)
#define blockDim (::gpunet_sim::current->block->block_size)
#define gridDim (::gpunet_sim::current->block->grid_size)
static constexpr int warpSize = 32;

#define assert(x) ((x) ? (void)0 : GPUNET_SIM_ASSERTION_FAILED(#x))
#define GPUNET_SIM_ASSERTION_FAILED(text) \
  ::gpunet_sim::fail(::gpunet_sim::Kind::Assertion, ::gpunet_sim::Site::here(), "assertion failed: %s", text)
namespace gpunet_sim {
#ifdef GPUNET_SIM_CHECK
#if __has_builtin(__builtin_clear_padding)
template <class E>
inline unsigned long long padding_of() {
  unsigned long long padding = 0;
  if constexpr (std::is_class_v<E> && std::is_trivially_copyable_v<E> && sizeof(E) <= 64) {
    alignas(E) unsigned char bytes[sizeof(E)];
    for (unsigned char& byte : bytes) byte = 1;
    __builtin_clear_padding((E*)bytes);
    for (size_t i = 0; i < sizeof(E); i++) padding |= (unsigned long long)!bytes[i] << i;
  }
  return padding;
}
#else
template <class E>
inline unsigned long long padding_of() { return 0; }
#endif
#endif

template <class T>
constexpr SharedType type_of(size_t align) {
  return {sizeof(T), align > alignof(T) ? align : alignof(T), sizeof(std::remove_all_extents_t<T>),
          {std::extent_v<T, 0>, std::extent_v<T, 1>, std::extent_v<T, 2>, std::extent_v<T, 3>}};
}

// Python rewrites `__shared__ T x[n]` to a reference to this. The lambda's type differs between the instances of
// a template, as the variable itself would.
template <class T, class Unique>
inline T& shared(Unique, size_t align, const char* name, Site site = Site::here()) {
  static char tag;
  SharedType type = type_of<T>(align);
#ifdef GPUNET_SIM_CHECK
  type.padding = padding_of<std::remove_all_extents_t<T>>();
#endif
  return *(T*)shared_variable(&tag, type, name, site);
}
#ifdef GPUNET_SIM_CHECK
// And `__device__ T x` to a reference to this.
template <class T>
inline T& device_variable(T& initial, const char* name) {
  return *(T*)device_variable((const void*)&initial, type_of<T>(alignof(T)), name);
}
// And `int i = sum` with numbers such as threadIdx.x, which are unsigned, to a call of this: the sum in 64 bits too.
template <class Sum, class Wide>
inline Sum index(Sum sum, Wide wide, Site site = Site::here()) {
  if constexpr (std::is_integral_v<Wide>)
    if (__builtin_expect((long long)wide != (int)wide, 0)) index_overflows((long long)wide, site);
  return sum;
}
template <class T, class Sum, class Wide>
inline T& advance(T& i, Sum sum, Wide wide, Site site = Site::here()) {
  if constexpr (std::is_same_v<T, int> && std::is_integral_v<Wide>) {
    long long next = i + (long long)wide;
    if (__builtin_expect(next != (int)next, 0)) index_overflows(next, site);
    return i = int(unsigned(i) + unsigned(sum));
  } else {
    return i += sum;
  }
}
#endif
template <class T>
inline T* dynamic_shared(const char* name) {
  check_dynamic_shared(name, sizeof(T));
  return (T*)current->block->dynamic;
}
}  // namespace gpunet_sim

#include "math_functions.h"
#include "rounding.h"
#include "integer_functions.h"
#include "memory_functions.h"
#include "control.h"
#include "synchronization.h"
#include "fields.h"
#include "atomics.h"
#include "export.h"
