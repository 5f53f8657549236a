// What a native CPU kernel takes: every entry point is
//
//     KERNEL void relu(const Arg* a) {
//       float* y = ptr<float>(a[0]);
//       const float* x = ptr<const float>(a[1]);
//       int64_t n = a[2].i;
//
// Arrays come as pointers (None as null), integers and bools as `i`, floats as `d`, a tuple or list as a pointer to
// its elements, 8 bytes each: ptr<const int64_t>, ptr<const double>, or ptr<const Arg> for a list of arrays.
#pragma once
#include <cstddef>
#include <cstdint>

namespace gpunet::cpu {

union Arg {
  void* p;
  int64_t i;
  double d;
};

template <class T> inline T* ptr(Arg a) { return static_cast<T*>(a.p); }

}  // namespace gpunet::cpu

#define KERNEL extern "C" __attribute__((visibility("default")))
