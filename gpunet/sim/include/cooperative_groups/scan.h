// Prefix sums, and other running combinations, over a tile or over coalesced lanes.
#pragma once
#include "reduce.h"

namespace cooperative_groups {

template <class Group, class T, class Combine = plus<T>>
inline T inclusive_scan(const WarpGroup<Group>& group, T value, Combine combine = {}, Site site = Site::here()) {
  unsigned own = static_cast<const Group&>(group).thread_rank();
  T result = value;
  group.each_value(value, [&](unsigned rank, const T& next) {
    if (rank <= own) result = rank ? combine(result, next) : next;
  }, "inclusive_scan", site);
  return result;
}

// The first lane gets T(): 0 for a sum.
template <class Group, class T, class Combine = plus<T>>
inline T exclusive_scan(const WarpGroup<Group>& group, T value, Combine combine = {}, Site site = Site::here()) {
  unsigned own = static_cast<const Group&>(group).thread_rank();
  T result{};
  group.each_value(value, [&](unsigned rank, const T& next) {
    if (rank < own) result = rank ? combine(result, next) : next;
  }, "exclusive_scan", site);
  return result;
}

}  // namespace cooperative_groups
