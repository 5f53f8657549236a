// CUDA's pipeline primitives: cp.async by their C++ names.
#pragma once
#include "gpunet_sim/async_copies.h"

// All `size` bytes are copied, or with `zeros` equal to it, set to zero.
inline void __pipeline_memcpy_async(void* shared, const void* global, size_t size, size_t zeros = 0,
                                    gpunet_sim::Site site = gpunet_sim::Site::here()) {
  if (size != 4 && size != 8 && size != 16)
    gpunet_sim::fail(site, "__pipeline_memcpy_async of %zu bytes: 4, 8 and 16 are possible", size);
  if (zeros && zeros != size)
    gpunet_sim::fail(site, "__pipeline_memcpy_async: %zu of %zu bytes zero: all or none are simulated", zeros, size);
  gpunet_sim::copy_async((unsigned)__cvta_generic_to_shared(shared), global, (unsigned)size, zeros == 0, site);
}
inline void __pipeline_commit() { gpunet_sim::commit_copies(); }
inline void __pipeline_wait_prior(size_t groups) { gpunet_sim::finish_copies((unsigned)groups); }
