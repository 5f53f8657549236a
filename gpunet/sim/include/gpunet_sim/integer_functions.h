// Integer intrinsics: counting and moving bits, high halves of products, dot products, and several small numbers in
// one 32-bit word.
#pragma once

// ---- bits --------------------------------------------------------------------------------------------------------
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
inline int __clz(int x) { return x ? __builtin_clz((unsigned)x) : 32; }
inline int __clzll(long long x) { return x ? __builtin_clzll((unsigned long long)x) : 64; }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __ffsll(long long x) { return __builtin_ffsll(x); }
inline unsigned long long __brevll(unsigned long long x) {
  unsigned long long result = 0;
  for (int i = 0; i < 64; i++, x >>= 1) result = result << 1 | (x & 1);
  return result;
}
inline unsigned __brev(unsigned x) { return (unsigned)(__brevll(x) >> 32); }
// Position of the n-th set bit from `base`: upwards for n > 0, downwards for n < 0; all ones when there is none.
inline unsigned __fns(unsigned mask, unsigned base, int n) {
  if (n == 0) return mask >> base & 1 ? base : ~0u;
  for (int at = (int)base, step = n > 0 ? 1 : -1, left = n > 0 ? n : -n; at >= 0 && at < 32; at += step)
    if (mask >> at & 1 && --left == 0) return (unsigned)at;
  return ~0u;
}
inline unsigned __funnelshift_l(unsigned low, unsigned high, unsigned shift) {
  return (unsigned)((((uint64_t)high << 32 | low) << (shift & 31)) >> 32);
}
inline unsigned __funnelshift_r(unsigned low, unsigned high, unsigned shift) {
  return (unsigned)(((uint64_t)high << 32 | low) >> (shift & 31));
}
inline unsigned __funnelshift_lc(unsigned low, unsigned high, unsigned shift) {
  return shift >= 32 ? low : __funnelshift_l(low, high, shift);
}
inline unsigned __funnelshift_rc(unsigned low, unsigned high, unsigned shift) {
  return shift >= 32 ? high : __funnelshift_r(low, high, shift);
}
inline unsigned __byte_perm(unsigned x, unsigned y, unsigned selector) {
  uint64_t bytes = (uint64_t)y << 32 | x;
  unsigned result = 0;
  for (int i = 0; i < 4; i++) {
    unsigned pick = selector >> 4 * i & 15, byte = unsigned(bytes >> 8 * (pick & 7)) & 255;
    if (pick & 8) byte = byte & 128 ? 255 : 0;  // the selector's top bit repeats the byte's sign
    result |= byte << 8 * i;
  }
  return result;
}

// ---- products, sums and means ------------------------------------------------------------------------------------
inline int __mulhi(int a, int b) { return (int)((int64_t)a * b >> 32); }
inline unsigned __umulhi(unsigned a, unsigned b) { return (unsigned)((uint64_t)a * b >> 32); }
inline long long __mul64hi(long long a, long long b) { return (long long)((__int128)a * b >> 64); }
inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
  return (unsigned long long)((unsigned __int128)a * b >> 64);
}
inline int __mul24(int a, int b) { return (int)((int64_t)(a << 8 >> 8) * (b << 8 >> 8)); }
inline unsigned __umul24(unsigned a, unsigned b) { return (a & 0xffffff) * (b & 0xffffff); }
inline unsigned __sad(int a, int b, unsigned c) { return c + (unsigned)(a > b ? (int64_t)a - b : (int64_t)b - a); }
inline unsigned __usad(unsigned a, unsigned b, unsigned c) { return c + (a > b ? a - b : b - a); }
inline int __hadd(int a, int b) { return (int)((int64_t)a + b >> 1); }
inline int __rhadd(int a, int b) { return (int)((int64_t)a + b + 1 >> 1); }
inline unsigned __uhadd(unsigned a, unsigned b) { return (unsigned)((uint64_t)a + b >> 1); }
inline unsigned __urhadd(unsigned a, unsigned b) { return (unsigned)((uint64_t)a + b + 1 >> 1); }

namespace gpunet_sim {

// What becomes of `word`'s fields of type F, each alone.
template <class F, class... Word, class Op>
inline unsigned fields(Op op, Word... word) {
  unsigned result = 0;
  for (unsigned shift = 0; shift < 32; shift += sizeof(F) * 8) {
    unsigned field = (unsigned)op((int)(F)(word >> shift)...) & ((1ull << sizeof(F) * 8) - 1);
    result |= field << shift;
  }
  return result;
}
template <class F>
inline int saturated(int x) {
  constexpr int least = std::numeric_limits<F>::min(), most = std::numeric_limits<F>::max();
  return x < least ? least : x > most ? most : x;
}
// c + the sum over both words' bytes of the products; A and B: signed char or unsigned char.
template <class A, class B>
inline int dot4(unsigned a, unsigned b, int c) {
  for (int shift = 0; shift < 32; shift += 8) c = (int)((unsigned)c + (unsigned)((A)(a >> shift) * (B)(b >> shift)));
  return c;
}
// Two 16-bit numbers of a with the lower (first == 0) or upper two bytes of b.
template <class A, class B>
inline int dot2(unsigned a, unsigned b, int c, int first) {
  for (int i = 0; i < 2; i++)
    c = (int)((unsigned)c + (unsigned)((A)(a >> 16 * i) * (B)(b >> (16 * first + 8 * i))));
  return c;
}
inline unsigned word_of(char4 v) { return bits_as<unsigned>(v); }
inline unsigned word_of(uchar4 v) { return bits_as<unsigned>(v); }
inline unsigned word_of(short2 v) { return bits_as<unsigned>(v); }
inline unsigned word_of(ushort2 v) { return bits_as<unsigned>(v); }
}  // namespace gpunet_sim

inline int __dp4a(int a, int b, int c) { return gpunet_sim::dot4<signed char, signed char>(a, b, c); }
inline unsigned __dp4a(unsigned a, unsigned b, unsigned c) {
  return gpunet_sim::dot4<unsigned char, unsigned char>(a, b, (int)c);
}
inline int __dp4a(char4 a, char4 b, int c) { return __dp4a((int)gpunet_sim::word_of(a), (int)gpunet_sim::word_of(b), c); }
inline unsigned __dp4a(uchar4 a, uchar4 b, unsigned c) {
  return __dp4a(gpunet_sim::word_of(a), gpunet_sim::word_of(b), c);
}
inline int __dp2a_lo(int a, int b, int c) { return gpunet_sim::dot2<short, signed char>(a, b, c, 0); }
inline int __dp2a_hi(int a, int b, int c) { return gpunet_sim::dot2<short, signed char>(a, b, c, 1); }
inline unsigned __dp2a_lo(unsigned a, unsigned b, unsigned c) {
  return gpunet_sim::dot2<unsigned short, unsigned char>(a, b, (int)c, 0);
}
inline unsigned __dp2a_hi(unsigned a, unsigned b, unsigned c) {
  return gpunet_sim::dot2<unsigned short, unsigned char>(a, b, (int)c, 1);
}
inline int __dp2a_lo(short2 a, char4 b, int c) { return __dp2a_lo((int)gpunet_sim::word_of(a), (int)gpunet_sim::word_of(b), c); }
inline int __dp2a_hi(short2 a, char4 b, int c) { return __dp2a_hi((int)gpunet_sim::word_of(a), (int)gpunet_sim::word_of(b), c); }
inline unsigned __dp2a_lo(ushort2 a, uchar4 b, unsigned c) {
  return __dp2a_lo(gpunet_sim::word_of(a), gpunet_sim::word_of(b), c);
}
inline unsigned __dp2a_hi(ushort2 a, uchar4 b, unsigned c) {
  return __dp2a_hi(gpunet_sim::word_of(a), gpunet_sim::word_of(b), c);
}

// ---- two 16-bit or four 8-bit numbers in a word ------------------------------------------------------------------
#define GPUNET_SIM_FIELDS2(name, F, expression) \
  inline unsigned name(unsigned x, unsigned y) { \
    return gpunet_sim::fields<F>([](int a, int b) -> int { return expression; }, x, y); \
  }
#define GPUNET_SIM_FIELDS1(name, F, expression) \
  inline unsigned name(unsigned x) { return gpunet_sim::fields<F>([](int a) -> int { return expression; }, x); }
#define GPUNET_SIM_COMPARE(name, sign, S, U, n, op)                                 \
  GPUNET_SIM_FIELDS2(__vcmp##name##sign##n, S, a op b ? -1 : 0)                     \
  GPUNET_SIM_FIELDS2(__vset##name##sign##n, S, a op b)
#define GPUNET_SIM_WORDS(S, U, n)                                                   \
  GPUNET_SIM_FIELDS2(__vadd##n, U, a + b)                                           \
  GPUNET_SIM_FIELDS2(__vaddss##n, S, gpunet_sim::saturated<S>(a + b))               \
  GPUNET_SIM_FIELDS2(__vaddus##n, U, gpunet_sim::saturated<U>(a + b))               \
  GPUNET_SIM_FIELDS2(__vsub##n, U, a - b)                                           \
  GPUNET_SIM_FIELDS2(__vsubss##n, S, gpunet_sim::saturated<S>(a - b))               \
  GPUNET_SIM_FIELDS2(__vsubus##n, U, gpunet_sim::saturated<U>(a - b))               \
  GPUNET_SIM_FIELDS2(__vavgs##n, S, (a + b + (a + b >= 0)) >> 1)                    \
  GPUNET_SIM_FIELDS2(__vavgu##n, U, (a + b + 1) >> 1)                               \
  GPUNET_SIM_FIELDS2(__vhaddu##n, U, (a + b) >> 1)                                  \
  GPUNET_SIM_FIELDS2(__vmaxs##n, S, a > b ? a : b)                                  \
  GPUNET_SIM_FIELDS2(__vmaxu##n, U, a > b ? a : b)                                  \
  GPUNET_SIM_FIELDS2(__vmins##n, S, a < b ? a : b)                                  \
  GPUNET_SIM_FIELDS2(__vminu##n, U, a < b ? a : b)                                  \
  GPUNET_SIM_FIELDS2(__vabsdiffs##n, S, a > b ? a - b : b - a)                      \
  GPUNET_SIM_FIELDS2(__vabsdiffu##n, U, a > b ? a - b : b - a)                      \
  GPUNET_SIM_FIELDS1(__vabs##n, S, a < 0 ? -a : a)                                  \
  GPUNET_SIM_FIELDS1(__vabsss##n, S, gpunet_sim::saturated<S>(a < 0 ? -a : a))      \
  GPUNET_SIM_FIELDS1(__vneg##n, S, -a)                                              \
  GPUNET_SIM_FIELDS1(__vnegss##n, S, gpunet_sim::saturated<S>(-a))                  \
  GPUNET_SIM_COMPARE(eq, , S, U, n, ==)                                             \
  GPUNET_SIM_COMPARE(ne, , S, U, n, !=)                                             \
  GPUNET_SIM_COMPARE(ge, s, S, U, n, >=)                                            \
  GPUNET_SIM_COMPARE(gt, s, S, U, n, >)                                             \
  GPUNET_SIM_COMPARE(le, s, S, U, n, <=)                                            \
  GPUNET_SIM_COMPARE(lt, s, S, U, n, <)                                             \
  GPUNET_SIM_COMPARE(ge, u, U, U, n, >=)                                            \
  GPUNET_SIM_COMPARE(gt, u, U, U, n, >)                                             \
  GPUNET_SIM_COMPARE(le, u, U, U, n, <=)                                            \
  GPUNET_SIM_COMPARE(lt, u, U, U, n, <)                                             \
  inline unsigned __vsads##n(unsigned a, unsigned b) { return gpunet_sim::sum_of_fields<U>(__vabsdiffs##n(a, b)); } \
  inline unsigned __vsadu##n(unsigned a, unsigned b) { return gpunet_sim::sum_of_fields<U>(__vabsdiffu##n(a, b)); }
namespace gpunet_sim {
template <class U>
inline unsigned sum_of_fields(unsigned word) {
  unsigned sum = 0;
  for (unsigned shift = 0; shift < 32; shift += sizeof(U) * 8) sum += (U)(word >> shift);
  return sum;
}
}  // namespace gpunet_sim
GPUNET_SIM_WORDS(short, unsigned short, 2)
GPUNET_SIM_WORDS(signed char, unsigned char, 4)
#undef GPUNET_SIM_WORDS
#undef GPUNET_SIM_COMPARE
#undef GPUNET_SIM_FIELDS1
#undef GPUNET_SIM_FIELDS2
