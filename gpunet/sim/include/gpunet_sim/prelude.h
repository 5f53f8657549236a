// Included before every .cu file that is built for the simulator: CUDA C++ as a host compiler understands it.
// What CUDA has and this does not declare fails to compile, by name; nothing is silently something else.
#pragma once
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <type_traits>
#include <utility>

#include "interface.h"

#define __GPUNET_SIM__ 1
#define __CUDA_ARCH__ 900

// NVRTC has no such macros, so code that needs them must not build here either.
#undef INFINITY
#undef NAN
#undef HUGE_VAL
#undef M_PI
#undef assert

#define __global__
#define __device__
#define __host__
#define __constant__
#define __managed__
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)
#define __maxnreg__(...)
#define __grid_constant__
#define __align__(n) alignas(n)
#define __builtin_assume(x) ((void)0)
#define __builtin_align__(n) alignas(n)

#define threadIdx (::gpunet_sim::current->index)
#define blockIdx (::gpunet_sim::current->block->index)
#define blockDim (::gpunet_sim::current->block->block_size)
#define gridDim (::gpunet_sim::current->block->grid_size)
static constexpr int warpSize = 32;

#define assert(x) ((x) ? (void)0 : ::gpunet_sim::fail(::gpunet_sim::Site::here(), "assertion failed: %s", #x))
inline void __trap(gpunet_sim::Site site = gpunet_sim::Site::here()) { gpunet_sim::fail(site, "__trap()"); }
inline void __nanosleep(unsigned, gpunet_sim::Site site = gpunet_sim::Site::here()) { gpunet_sim::yield(site); }

namespace gpunet_sim {
// Python rewrites `__shared__ T x[n]` to a reference to this. The lambda's type differs between the instances of
// a template, as the variable itself would.
template <class T, class Unique>
inline T& shared(Unique, size_t align, const char* name, Site site = Site::here()) {
  static char tag;
  return *(T*)shared_variable(&tag, sizeof(T), align > alignof(T) ? align : alignof(T), name, site);
}
template <class T>
inline T* dynamic_shared() {
  return (T*)current->block->dynamic;
}
}  // namespace gpunet_sim

inline size_t __cvta_generic_to_shared(const void* p) {
  return size_t((const char*)p - gpunet_sim::current->block->shared);
}
inline void* __cvta_shared_to_generic(size_t address) { return gpunet_sim::current->block->shared + address; }

#include "intrinsics.h"
#include "synchronization.h"
#include "atomics.h"
#include "export.h"
