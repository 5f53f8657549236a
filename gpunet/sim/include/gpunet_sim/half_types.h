// What __half and __nv_bfloat16 have in common: storage of 16 bits, arithmetic by way of float with one rounding.
#pragma once

namespace gpunet_sim {

// Rounds a double to float so that a later rounding to 16 bits gives what one rounding of the double would
// (round to odd: a result that is not exact gets a last bit of 1, and so never looks like a tie).
inline float narrowed(double x) {
  float near = (float)x;
  if (near == x || x != x || near - near != 0) return near;
  uint32_t bits;
  memcpy(&bits, &near, 4);
  bool away = fabs((double)near) > fabs(x);
  bits = (bits - away) | 1u;
  memcpy(&near, &bits, 4);
  return near;
}

// a * b + c with a, b, c of 16 bits: the product is exact in double; the sum's error decides its last bit.
inline float fused(double a, double b, double c) {
  double product = a * b, sum = product + c;
  double c_part = sum - product, error = (product - (sum - c_part)) + (c - c_part);
  if (error != 0 && sum - sum == 0) {
    int64_t bits;
    memcpy(&bits, &sum, 8);
    if (!(bits & 1)) bits += (error > 0) == (sum > 0) ? 1 : -1;
    memcpy(&sum, &bits, 8);
  }
  return narrowed(sum);
}

}  // namespace gpunet_sim

#define GPUNET_SIM_HALF_TYPE(H, H2, ENCODE, DECODE)                                                                  \
  struct alignas(2) H {                                                                                              \
    uint16_t bits;                                                                                                   \
    H() = default;                                                                                                   \
    H(float x) : bits(ENCODE(x)) {}                                                                                  \
    H(double x) : bits(ENCODE(gpunet_sim::narrowed(x))) {}                                                           \
    H(int x) : H((double)x) {}                                                                                       \
    H(unsigned x) : H((double)x) {}                                                                                  \
    H(long long x) : H((double)x) {}                                                                                 \
    H(unsigned long long x) : H((double)x) {}                                                                        \
    operator float() const { return DECODE(bits); }                                                                  \
    H& operator+=(H o);                                                                                              \
    H& operator-=(H o);                                                                                              \
    H& operator*=(H o);                                                                                              \
    H& operator/=(H o);                                                                                              \
  };                                                                                                                 \
  struct alignas(4) H2 {                                                                                             \
    H x, y;                                                                                                          \
  };                                                                                                                 \
  template <> struct gpunet_sim::IsHalf<H> : std::true_type {};                                                      \
  template <> struct gpunet_sim::IsHalfPair<H2> : std::true_type {};                                                 \
  inline H operator+(H a, H b) { return H((float)a + (float)b); }                                                    \
  inline H operator-(H a, H b) { return H((float)a - (float)b); }                                                    \
  inline H operator*(H a, H b) { return H((float)a * (float)b); }                                                    \
  inline H operator/(H a, H b) { return H((float)a / (float)b); }                                                    \
  inline H operator-(H a) { return H(-(float)a); }                                                                   \
  inline H& H::operator+=(H o) { return *this = *this + o; }                                                         \
  inline H& H::operator-=(H o) { return *this = *this - o; }                                                         \
  inline H& H::operator*=(H o) { return *this = *this * o; }                                                         \
  inline H& H::operator/=(H o) { return *this = *this / o; }                                                         \
  inline bool operator==(H a, H b) { return (float)a == (float)b; }                                                  \
  inline bool operator!=(H a, H b) { return (float)a != (float)b; }                                                  \
  inline bool operator<(H a, H b) { return (float)a < (float)b; }                                                    \
  inline bool operator>(H a, H b) { return (float)a > (float)b; }                                                    \
  inline bool operator<=(H a, H b) { return (float)a <= (float)b; }                                                  \
  inline bool operator>=(H a, H b) { return (float)a >= (float)b; }                                                  \
  inline H __hadd(H a, H b) { return a + b; }                                                                        \
  inline H __hsub(H a, H b) { return a - b; }                                                                        \
  inline H __hmul(H a, H b) { return a * b; }                                                                        \
  inline H __hdiv(H a, H b) { return a / b; }                                                                        \
  inline H __hneg(H a) { return -a; }                                                                                \
  inline H __habs(H a) { return H(fabsf(a)); }                                                                       \
  inline H __hmax(H a, H b) { return H(fmaxf(a, b)); }                                                               \
  inline H __hmin(H a, H b) { return H(fminf(a, b)); }                                                               \
  inline H __hfma(H a, H b, H c) { return H(gpunet_sim::fused((float)a, (float)b, (float)c)); }                      \
  inline bool __heq(H a, H b) { return a == b; }                                                                     \
  inline bool __hne(H a, H b) { return a != b; }                                                                     \
  inline bool __hlt(H a, H b) { return a < b; }                                                                      \
  inline bool __hle(H a, H b) { return a <= b; }                                                                     \
  inline bool __hgt(H a, H b) { return a > b; }                                                                      \
  inline bool __hge(H a, H b) { return a >= b; }                                                                     \
  inline bool __hisnan(H a) { return isnan((float)a); }                                                              \
  inline int __hisinf(H a) { return isinf((float)a) ? ((float)a < 0 ? -1 : 1) : 0; }                                 \
  inline H2 __hadd2(H2 a, H2 b) { return {a.x + b.x, a.y + b.y}; }                                                   \
  inline H2 __hsub2(H2 a, H2 b) { return {a.x - b.x, a.y - b.y}; }                                                   \
  inline H2 __hmul2(H2 a, H2 b) { return {a.x * b.x, a.y * b.y}; }                                                   \
  inline H2 __hmax2(H2 a, H2 b) { return {__hmax(a.x, b.x), __hmax(a.y, b.y)}; }                                     \
  inline H2 __hmin2(H2 a, H2 b) { return {__hmin(a.x, b.x), __hmin(a.y, b.y)}; }                                     \
  inline H2 __hfma2(H2 a, H2 b, H2 c) { return {__hfma(a.x, b.x, c.x), __hfma(a.y, b.y, c.y)}; }                     \
  inline H2 __hneg2(H2 a) { return {-a.x, -a.y}; }                                                                   \
  inline H2 operator+(H2 a, H2 b) { return __hadd2(a, b); }                                                          \
  inline H2 operator-(H2 a, H2 b) { return __hsub2(a, b); }                                                          \
  inline H2 operator*(H2 a, H2 b) { return __hmul2(a, b); }                                                          \
  inline H __ldg(const H* address) { return *address; }
