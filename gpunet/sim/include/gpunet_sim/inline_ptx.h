// What inline PTX becomes (gpunet/sim/inline_ptx.py): operands are passed by their bits.
#pragma once
#include "async_copies.h"
#include "matrix_instructions.h"

#include <tuple>

namespace gpunet_sim::ptx {

template <class To, class From>
inline void put(To& to, From from) {
  if constexpr (sizeof(To) == sizeof(From))
    memcpy((void*)&to, (const void*)&from, sizeof to);
  else
    to = (To)from;
}
template <class T>
inline unsigned word(const T& value) {
  unsigned bits = 0;
  memcpy(&bits, (const void*)&value, sizeof value < 4 ? sizeof value : 4);
  return bits;
}

// A generic address that leads to shared memory, as the instruction's own number.
template <class Address>
inline unsigned shared(Address address) { return (unsigned)__cvta_generic_to_shared((const void*)address); }

inline unsigned lanes_eq() { return 1u << current->lane; }
inline unsigned lanes_lt() { return lanes_eq() - 1; }
inline unsigned lanes_le() { return lanes_lt() | lanes_eq(); }
inline unsigned lanes_gt() { return ~lanes_le(); }
inline unsigned lanes_ge() { return ~lanes_lt(); }

// Each bit of the result stands in `table` at the number that the bits of a, b and c make.
inline unsigned logic(unsigned a, unsigned b, unsigned c, unsigned table) {
  unsigned result = 0;
  for (unsigned i = 0; i < 8; i++)
    if (table >> i & 1) result |= (i & 4 ? a : ~a) & (i & 2 ? b : ~b) & (i & 1 ? c : ~c);
  return result;
}

template <class Global>
inline void copy(unsigned shared, Global global, unsigned size, unsigned from, Site site) {
  if (from && from != size) fail(site, "cp.async of %u bytes of which %u are read: all or none are simulated", size, from);
  copy_async(shared, (const void*)global, size, from != 0, site);
}

template <bool transposed, class... R>
inline void load(unsigned address, Site site, R&... registers) {
  unsigned r[sizeof...(R)];
  load_matrices(r, address, transposed, site);
  unsigned i = 0;
  (put(registers, r[i++]), ...);
}
template <bool transposed, class... R>
inline void store(unsigned address, Site site, const R&... registers) {
  const unsigned r[] = {word(registers)...};
  store_matrices(address, r, transposed, site);
}

template <class... R>
inline auto out(R&... registers) { return std::tie(registers...); }
template <unsigned N> struct Words { unsigned word[N]; };
template <class... R>
inline Words<sizeof...(R)> in(const R&... registers) { return {{word(registers)...}}; }

// Four registers of sums hold floats, two hold halves.
template <class... R, unsigned NA, unsigned NB, unsigned NC>
inline void multiply(WarpFinisher finisher, Site site, std::tuple<R&...> d, const Words<NA>& a, const Words<NB>& b,
                     const Words<NC>& c) {
  std::conditional_t<NC == 4, float, unsigned> sums[NC];
  memcpy(sums, c.word, sizeof sums);
  multiply_matrices(sums, a.word, b.word, sums, finisher, site);
  unsigned i = 0;
  std::apply([&](auto&... registers) { (put(registers, sums[i++]), ...); }, d);
}

constexpr unsigned sizeof_b8 = 1, sizeof_u8 = 1, sizeof_s8 = 1, sizeof_b16 = 2, sizeof_u16 = 2, sizeof_s16 = 2,
                   sizeof_f16 = 2, sizeof_b32 = 4, sizeof_u32 = 4, sizeof_s32 = 4, sizeof_f32 = 4, sizeof_b64 = 8,
                   sizeof_u64 = 8, sizeof_s64 = 8, sizeof_f64 = 8;
template <unsigned Size> struct Unit;
template <> struct Unit<1> { using type = uint8_t; };
template <> struct Unit<2> { using type = uint16_t; };
template <> struct Unit<4> { using type = uint32_t; };
template <> struct Unit<8> { using type = uint64_t; };
template <unsigned Size, class... R>
inline void read(const char* address, R&... registers) {
  auto* next = (const typename Unit<Size>::type*)address;
  (put(registers, *next++), ...);
}
template <unsigned Size, class... R>
inline void write(char* address, const R&... registers) {
  auto* next = (typename Unit<Size>::type*)address;
  (put(*next++, registers), ...);
}

// Operands as the instruction's type: registers by their bits, literal numbers by their value.
using type_b8 = uint8_t; using type_u8 = uint8_t; using type_s8 = int8_t; using type_b16 = uint16_t;
using type_u16 = uint16_t; using type_s16 = int16_t; using type_b32 = unsigned; using type_u32 = unsigned;
using type_s32 = int; using type_f32 = float; using type_b64 = unsigned long long;
using type_u64 = unsigned long long; using type_s64 = long long; using type_f64 = double;
template <class T, class From>
inline T as(const From& from) {
  T to;
  put(to, from);
  return to;
}

// ---- memory that threads share: an order that releases is a fence before --------------------------------------------
constexpr bool order_ = false, order_relaxed = false, order_acquire = false, order_release = true, order_acq_rel = true;
template <class T, class Address>
inline T load_flag(Address address, Site site) {
  return atomic_update((T*)address, [](T old) { return old; }, Scope::Device, site, Atomic::Load);
}
template <class T, bool releases, class Address, class V>
inline void store_flag(Address address, const V& value, Site site) {
  if (releases) __threadfence();
  T next = as<T>(value);
  atomic_update((T*)address, [=](T) { return next; }, Scope::Device, site, Atomic::Store);
}
#define GPUNET_SIM_PTX_ATOMIC(name, expression)                                       \
  template <class T, bool releases, class Address, class V>                           \
  inline T atomic_##name(Address address, const V& operand, Site site) {              \
    if (releases) __threadfence();                                                    \
    T value = as<T>(operand);                                                         \
    return atomic_update((T*)address, [=](T old) { return T(expression); }, Scope::Device, site); \
  }
GPUNET_SIM_PTX_ATOMIC(add, old + value)
GPUNET_SIM_PTX_ATOMIC(min, old < value ? old : value)
GPUNET_SIM_PTX_ATOMIC(max, old > value ? old : value)
GPUNET_SIM_PTX_ATOMIC(and, old & value)
GPUNET_SIM_PTX_ATOMIC(or, old | value)
GPUNET_SIM_PTX_ATOMIC(xor, old ^ value)
GPUNET_SIM_PTX_ATOMIC(exch, value)
#undef GPUNET_SIM_PTX_ATOMIC
template <class T, bool releases, class Address, class V, class W>
inline T atomic_cas(Address address, const V& wanted, const W& operand, Site site) {
  if (releases) __threadfence();
  T expected = as<T>(wanted), value = as<T>(operand);
  return atomic_update((T*)address, [=](T old) { return old == expected ? value : old; }, Scope::Device, site);
}

// ---- shuffles, whose last number has 32 less the width at bit 8 ------------------------------------------------------
inline int width(unsigned clamp) { return 32 - (clamp >> 8 & 31); }
inline unsigned shuffle_bfly(unsigned mask, unsigned value, int by, int width, Site site) {
  return __shfl_xor_sync(mask, value, by, width, site);
}
inline unsigned shuffle_down(unsigned mask, unsigned value, int by, int width, Site site) {
  return __shfl_down_sync(mask, value, by, width, site);
}
inline unsigned shuffle_up(unsigned mask, unsigned value, int by, int width, Site site) {
  return __shfl_up_sync(mask, value, by, width, site);
}
inline unsigned shuffle_idx(unsigned mask, unsigned value, int lane, int width, Site site) {
  return __shfl_sync(mask, value, lane, width, site);
}

// ---- numbers: integers wrap around ----------------------------------------------------------------------------------
template <class T, bool whole = std::is_integral_v<T>> struct Wrapping { using type = T; };
template <class T> struct Wrapping<T, true> { using type = std::make_unsigned_t<T>; };
#define GPUNET_SIM_PTX_ARITHMETIC(name, operation)                       \
  template <class T, class A, class B>                                   \
  inline T name(const A& a, const B& b) {                                \
    using W = typename Wrapping<T>::type;                                \
    return T(W(as<T>(a)) operation W(as<T>(b)));                         \
  }
GPUNET_SIM_PTX_ARITHMETIC(add, +)
GPUNET_SIM_PTX_ARITHMETIC(sub, -)
GPUNET_SIM_PTX_ARITHMETIC(mul, *)
GPUNET_SIM_PTX_ARITHMETIC(bits_and, &)
GPUNET_SIM_PTX_ARITHMETIC(bits_or, |)
GPUNET_SIM_PTX_ARITHMETIC(bits_xor, ^)
#undef GPUNET_SIM_PTX_ARITHMETIC
template <class T, class A, class B>
inline T min(const A& left, const B& right) {
  T a = as<T>(left), b = as<T>(right);
  return b < a ? b : a;
}
template <class T, class A, class B>
inline T max(const A& left, const B& right) {
  T a = as<T>(left), b = as<T>(right);
  return a < b ? b : a;
}
template <class T, class A, class B>
inline auto mul_wide(const A& a, const B& b) {
  using W = std::conditional_t<sizeof(T) == 2, std::conditional_t<std::is_signed_v<T>, int, unsigned>,
                               std::conditional_t<std::is_signed_v<T>, long long, unsigned long long>>;
  return W(W(as<T>(a)) * W(as<T>(b)));
}
// A shift by the width and more leaves the sign, or nothing.
template <class T, class A>
inline T bits_shl(const A& a, unsigned by) {
  return by < 8 * sizeof(T) ? T(typename Wrapping<T>::type(as<T>(a)) << by) : T(0);
}
template <class T, class A>
inline T bits_shr(const A& a, unsigned by) {
  T value = as<T>(a);
  return by < 8 * sizeof(T) ? T(value >> by) : T(value < 0 ? -1 : 0);
}
template <class T, class A>
inline T field(const A& a, unsigned start, unsigned length) {
  start &= 255, length &= 255;
  if (!length) return 0;
  if (start + length > 32) length = start < 32 ? 32 - start : 0;
  if (!length) return bits_shr<T>(as<T>(a), std::is_signed_v<T> ? 31 : 32);
  return bits_shr<T>(T(word(a) << (32 - start - length)), 32 - length);
}

// ---- pairs of 16-bit numbers, the second of which stands above -------------------------------------------------------
struct half_f16 {
  static uint16_t encode(float x) { return encode_f16(x); }
  static float decode(unsigned bits) { return decode_f16(uint16_t(bits)); }
};
struct half_bf16 {
  static uint16_t encode(float x) { return encode_bf16(x); }
  static float decode(unsigned bits) { return decode_bf16(uint16_t(bits)); }
};
inline unsigned pair_f16(float high, float low) { return (unsigned)encode_f16(high) << 16 | encode_f16(low); }
inline unsigned pair_bf16(float high, float low) { return (unsigned)encode_bf16(high) << 16 | encode_bf16(low); }
template <class Half, class A, class B, class C, class F>
inline unsigned halves(const A& a, const B& b, const C& c, F compute) {
  unsigned result = 0;
  for (int at = 0; at < 32; at += 16) {
    float value = compute(Half::decode(word(a) >> at), Half::decode(word(b) >> at), Half::decode(word(c) >> at));
    result |= (unsigned)Half::encode(value) << at;
  }
  return result;
}
template <class A, class B>
inline unsigned long long joined(const A& low, const B& high) {
  return (unsigned long long)word(high) << 32 | word(low);
}
template <class X, class A, class B>
inline void split(const X& whole, A& low, B& high) {
  auto bits = as<unsigned long long>(whole);
  put(low, (unsigned)bits), put(high, (unsigned)(bits >> 32));
}

}  // namespace gpunet_sim::ptx
