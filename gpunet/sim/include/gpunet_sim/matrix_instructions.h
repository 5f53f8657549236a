// What a warp does together on matrices: ldmatrix, stmatrix and mma.sync.
#pragma once
#include "half_encoding.h"

namespace gpunet_sim {

// 8x8 matrices of 16-bit elements; lanes 8i to 8i+7 give the rows of matrix i. `move(row, register's half, matrix)` for
// the two elements of each matrix that are the lane's own.
template <class Move>
inline void move_matrices(unsigned address, unsigned matrices, bool transposed, const char* operation, Site site,
                          Move move) {
  unsigned lane = current->lane, near = lane >> 2, pair = (lane & 3) * 2;
  if (lane < matrices * 8 && address & 15)
    fail(Kind::Misaligned, site, "%s: the row's address is no multiple of 16", operation);
  const WarpExchange* exchange = warp_exchange16(~0u, address, 0, operation, site);
  for (unsigned m = 0; m < matrices; m++)
    for (unsigned e = 0; e < 2; e++) {
      unsigned row = transposed ? pair + e : near, column = transposed ? near : pair + e;
      char* start = (char*)__cvta_shared_to_generic(lane_value<unsigned>(exchange, m * 8 + row));
      move((uint16_t*)start + column, m, e);
    }
}

template <unsigned N>
inline void load_matrices(unsigned (&registers)[N], unsigned address, bool transposed, Site site) {
  uint16_t element[N][2];
  move_matrices(address, N, transposed, "ldmatrix", site,
                [&](const uint16_t* from, unsigned m, unsigned e) { element[m][e] = *from; });
  for (unsigned m = 0; m < N; m++) registers[m] = element[m][0] | (unsigned)element[m][1] << 16;
}

template <unsigned N>
inline void store_matrices(unsigned address, const unsigned (&registers)[N], bool transposed, Site site) {
  move_matrices(address, N, transposed, "stmatrix", site,
                [&](uint16_t* to, unsigned m, unsigned e) { *to = uint16_t(registers[m] >> 16 * e); });
}

// cvt.rna.tf32: 10 bits of fraction, to the nearest, in the middle away from 0. The lowest 13 bits become 0.
inline unsigned round_to_tf32(float x) {
  unsigned bits;
  memcpy(&bits, &x, 4);
  if ((bits & 0x7f800000u) == 0x7f800000u) return bits & 0x007fffffu ? 0x7fffffffu : bits;  // NaN or infinite
  return (bits + 0x1000u) & 0xffffe000u;
}

// d = a b + c: the fragments of A, then of B, go to the finisher; the lane finds its share of the product behind them.
template <unsigned NA, unsigned NB>
inline void multiply_matrices(float (&d)[4], const unsigned (&a)[NA], const unsigned (&b)[NB], const float (&c)[4],
                              WarpFinisher multiply, Site site) {
  unsigned registers[NA + NB];
  memcpy(registers, a, sizeof a);
  memcpy(registers + NA, b, sizeof b);
  const WarpExchange* exchange = warp_exchange(~0u, registers, sizeof registers, "mma.sync", site, multiply);
  float product[4];
  memcpy(product, exchange->lane[current->lane].bytes + 32, sizeof product);
  for (int i = 0; i < 4; i++) d[i] = product[i] + c[i];
}

// The same with sums in half precision, two to a register.
template <unsigned NA, unsigned NB>
inline void multiply_matrices(unsigned (&d)[2], const unsigned (&a)[NA], const unsigned (&b)[NB],
                              const unsigned (&c)[2], WarpFinisher multiply, Site site) {
  float sums[4];
  for (int i = 0; i < 4; i++) sums[i] = decode_f16(uint16_t(c[i / 2] >> 16 * (i % 2)));
  multiply_matrices(sums, a, b, sums, multiply, site);
  for (int i = 0; i < 2; i++) d[i] = encode_f16(sums[2 * i]) | (unsigned)encode_f16(sums[2 * i + 1]) << 16;
}

// wgmma with its left operand in registers, of TF32: four lanes have parts of two rows, which all of them need.
inline void wgmma_issue_left(float* d, const unsigned (&a)[4], WgmmaOperand b, unsigned n, Site site) {
  const WarpExchange* exchange = warp_exchange(~0u, a, sizeof a, "wgmma", site);
  float left[2][8];
  for (unsigned i = 0; i < 16; i++) {  // row, half of k, and lane
    unsigned row = i / 8, half = i / 4 % 2, bits;
    memcpy(&bits, exchange->lane[(current->lane & ~3u) + i % 4].bytes + (half * 2 + row) * 4, 4);
    bits &= ~0x1fffu;
    memcpy(&left[row][i % 8], &bits, 4);
  }
  wgmma_issue_left(d, left, b, n, site);
}

}  // namespace gpunet_sim
