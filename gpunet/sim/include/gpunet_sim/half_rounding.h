// Rounding to 16-bit floating point with one rounding only, by way of the wider types.
#pragma once

namespace gpunet_sim {

// Rounds to a narrower type so that a later rounding to 16 bits gives what one rounding would (round to odd: a result
// that is not exact gets a last bit of 1, and so never looks like a tie).
template <class Narrow, class Wide>
inline Narrow narrowed(Wide x) {
  Narrow near = (Narrow)x;
  if (near == x || x != x || near - near != 0) return near;
  using Bits = std::conditional_t<sizeof(Narrow) == 4, uint32_t, uint64_t>;
  Bits bits = bits_as<Bits>(near);
  bool away = std::fabs((Wide)near) > std::fabs(x);
  return bits_as<Narrow>(Bits((bits - away) | 1u));
}

// a * b + c with a, b, c of 16 bits: the product is exact in double; the sum's error decides its last bit.
inline float fused(double a, double b, double c) {
  double product = a * b, sum = product + c;
  double c_part = sum - product, error = (product - (sum - c_part)) + (c - c_part);
  if (error != 0 && sum - sum == 0) {
    int64_t bits = bits_as<int64_t>(sum);
    if (!(bits & 1)) bits += (error > 0) == (sum > 0) ? 1 : -1;
    sum = bits_as<double>(bits);
  }
  return narrowed<float>(sum);
}

// The next 16-bit number away from zero is the next pattern.
template <class H>
inline H next_towards(H h, double direction) {
  float x = h;
  if (x == 0) h.bits = direction > 0 ? 0x0001 : 0x8001;
  else h.bits += (x > 0) == (direction > 0) ? 1 : -1;
  return h;
}

// x in direction rz, rd or ru; x is any number that long double holds.
template <class H, Rounding rounding>
inline H directed(long double x) {
  H h(narrowed<double>(x));
  if (x != x) return h;
  bool up = rounding == Rounding::ru || (rounding == Rounding::rz && x < 0);
  if (up ? (long double)(float)h < x : (long double)(float)h > x) h = next_towards(h, up ? 1 : -1);
  return h;
}

}  // namespace gpunet_sim
