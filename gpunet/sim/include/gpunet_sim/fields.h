// Fields of structures that have no name: g++ takes none there whose type has constructors.
// translate/anonymous_structures.py names them so.
#pragma once
#include <type_traits>

namespace gpunet_sim {
// A value of T as its bytes, which is read and written as a T.
template <class T>
struct alignas(T) Stored {
  unsigned char bytes[sizeof(T)];
  operator T&() { return reinterpret_cast<T&>(bytes); }
  operator const T&() const { return reinterpret_cast<const T&>(bytes); }
  operator float() const { return (float)(const T&)*this; }
  T& operator=(T x) { return (T&)*this = x; }
  T& operator+=(T x) { return (T&)*this += x; }
  T& operator-=(T x) { return (T&)*this -= x; }
  T& operator*=(T x) { return (T&)*this *= x; }
  T& operator/=(T x) { return (T&)*this /= x; }
  T* operator&() { return &(T&)*this; }
  const T* operator&() const { return &(const T&)*this; }
};
template <class T>
struct StoredPair {
  Stored<decltype(T::x)> x, y;
  operator T&() { return reinterpret_cast<T&>(*this); }
  operator const T&() const { return reinterpret_cast<const T&>(*this); }
  T& operator=(T pair) { return (T&)*this = pair; }
  T* operator&() { return (T*)this; }
  const T* operator&() const { return (const T*)this; }
};
template <class T, int kind = IsHalf<T>::value ? 1 : IsHalfPair<T>::value ? 2 : 0> struct FieldOf { using type = T; };
template <class T> struct FieldOf<T, 1> { using type = Stored<T>; };
template <class T> struct FieldOf<T, 2> { using type = StoredPair<T>; };
template <class T> using Field = typename FieldOf<T>::type;
}  // namespace gpunet_sim
