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

}  // namespace gpunet_sim::ptx
