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

// What kernels that are declared with described=True get for an array, and for a float (of no dimensions, type DOUBLE).
struct Array {
  void* data;
  int64_t ndim;
  const int64_t *shape, *strides;  // strides in bytes
  int64_t itemsize, type;          // type: NumPy's number
  double number;                   // where data points for a float
};
enum NumPyType { BOOL = 0, INT32 = 5, INT64 = 7, FLOAT = 11, DOUBLE = 12, HALF = 23 };

inline const Array& array(Arg a) { return *static_cast<const Array*>(a.p); }

}  // namespace gpunet::cpu

#define KERNEL extern "C" __attribute__((visibility("default")))
