// Copies by all threads of a group, with cp.async where the addresses allow it.
#pragma once
#include "../cooperative_groups.h"
#include "../gpunet_sim/async_copies.h"

namespace cooperative_groups {

// Each call is one group of copies of its thread.
template <class Group, class T>
inline void memcpy_async(const Group& group, T* shared, const T* global, size_t bytes, Site site = Site::here()) {
  size_t both = (size_t)shared | (size_t)global | bytes;
  unsigned unit = both % 16 == 0 ? 16 : both % 8 == 0 ? 8 : both % 4 == 0 ? 4 : 1;
  char* to = (char*)shared;
  const char* from = (const char*)global;
  for (size_t at = group.thread_rank() * size_t(unit); at < bytes; at += group.size() * size_t(unit)) {
    if (unit == 1)
      to[at] = from[at];
    else
      gpunet_sim::copy_async((unsigned)__cvta_generic_to_shared(to + at), from + at, unit, true, site);
  }
  gpunet_sim::commit_copies();
}

template <unsigned N, class Group>
inline void wait_prior(const Group& group, Site site = Site::here()) {
  gpunet_sim::finish_copies(N);
  group.sync(site);
}
template <class Group>
inline void wait(const Group& group, Site site = Site::here()) {
  wait_prior<0>(group, site);
}

}  // namespace cooperative_groups
