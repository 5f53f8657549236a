// Reductions over a tile or over coalesced lanes: every lane gets the result. Values combine in order of rank.
#pragma once
#include "../cooperative_groups.h"

namespace cooperative_groups {

template <class T> struct plus { T operator()(const T& a, const T& b) const { return T(a + b); } };
template <class T> struct less { T operator()(const T& a, const T& b) const { return b < a ? b : a; } };
template <class T> struct greater { T operator()(const T& a, const T& b) const { return a < b ? b : a; } };
template <class T> struct bit_and { T operator()(const T& a, const T& b) const { return T(a & b); } };
template <class T> struct bit_or { T operator()(const T& a, const T& b) const { return T(a | b); } };
template <class T> struct bit_xor { T operator()(const T& a, const T& b) const { return T(a ^ b); } };

template <class Group, class T, class Combine>
inline T reduce(const WarpGroup<Group>& group, T value, Combine combine, Site site = Site::here()) {
  T result = value;
  group.each_value(value, [&](unsigned rank, const T& next) { result = rank ? combine(result, next) : next; }, "reduce",
                   site);
  return result;
}

}  // namespace cooperative_groups
