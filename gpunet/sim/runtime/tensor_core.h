// Products on the tensor cores by one warp (mma.sync). Sums are rounded to float32 step by step; how the hardware
// rounds within one instruction is not known and not imitated.
#pragma once

namespace gpunet_sim {

inline float from_bf16(uint16_t bits) {
  uint32_t wide = (uint32_t)bits << 16;
  float value;
  memcpy(&value, &wide, 4);
  return value;
}

inline float from_f16(uint16_t bits) {
  int exponent = bits >> 10 & 31, fraction = bits & 1023;
  float magnitude = exponent == 31 ? (fraction ? __builtin_nanf("") : __builtin_inff())
                    : exponent     ? __builtin_ldexpf(1024.0f + fraction, exponent - 25)
                                   : __builtin_ldexpf((float)fraction, -24);
  return bits & 0x8000 ? -magnitude : magnitude;
}

// Each lane brings A's registers then B's, and finds its four results 32 bytes further on.
constexpr unsigned kResultOffset = 32;

inline void store_results(WarpExchange* exchange, const float (&d)[16][8]) {
  for (unsigned lane = 0; lane < 32; lane++) {
    unsigned group = lane >> 2, pair = (lane & 3) * 2;
    float own[4] = {d[group][pair], d[group][pair + 1], d[group + 8][pair], d[group + 8][pair + 1]};
    memcpy(exchange->lane[lane].bytes + kResultOffset, own, sizeof own);
  }
}

template <int K>
inline void multiply(const float (&a)[16][K], const float (&b)[K][8], float (&d)[16][8]) {
  for (int row = 0; row < 16; row++) {
    float sum[8] = {};
    for (int k = 0; k < K; k++)
      for (int column = 0; column < 8; column++) sum[column] += a[row][k] * b[k][column];
    memcpy(d[row], sum, sizeof sum);
  }
}

// 16-bit operands, two to a register: K/4 registers of A, K/8 of B.
template <int K, float Decode(uint16_t)>
inline void multiply_16_bit(WarpExchange* exchange) {
  float a[16][K], b[K][8], d[16][8];
  for (unsigned lane = 0; lane < 32; lane++) {
    uint16_t half[K * 3 / 4];
    memcpy(half, exchange->lane[lane].bytes, sizeof half);
    unsigned group = lane >> 2, pair = (lane & 3) * 2;
    for (unsigned r = 0; r < K / 4; r++)
      for (unsigned e = 0; e < 2; e++) a[group + (r & 1) * 8][pair + e + (r >> 1) * 8] = Decode(half[r * 2 + e]);
    for (unsigned r = 0; r < K / 8; r++)
      for (unsigned e = 0; e < 2; e++) b[pair + e + r * 8][group] = Decode(half[K / 2 + r * 2 + e]);
  }
  multiply(a, b, d);
  store_results(exchange, d);
}

void mma_m16n8k16_bf16(WarpExchange* exchange, const void*) { multiply_16_bit<16, from_bf16>(exchange); }
void mma_m16n8k16_f16(WarpExchange* exchange, const void*) { multiply_16_bit<16, from_f16>(exchange); }
void mma_m16n8k8_bf16(WarpExchange* exchange, const void*) { multiply_16_bit<8, from_bf16>(exchange); }
void mma_m16n8k8_f16(WarpExchange* exchange, const void*) { multiply_16_bit<8, from_f16>(exchange); }

// 32-bit operands: K/2 registers of A, K/4 of B.
template <int K>
inline void multiply_tf32(WarpExchange* exchange) {
  float a[16][K], b[K][8], d[16][8];
  for (unsigned lane = 0; lane < 32; lane++) {
    uint32_t bits[K * 3 / 4];
    float value[K * 3 / 4];
    memcpy(bits, exchange->lane[lane].bytes, sizeof bits);
    for (uint32_t& word : bits) word &= 0xffffe000u;  // the multiplier does not read the lowest 13 bits
    memcpy(value, bits, sizeof value);
    unsigned group = lane >> 2, pair = lane & 3;
    for (unsigned r = 0; r < K / 2; r++) a[group + (r & 1) * 8][pair + (r >> 1) * 4] = value[r];
    for (unsigned r = 0; r < K / 4; r++) b[pair + r * 4][group] = value[K / 2 + r];
  }
  multiply(a, b, d);
  store_results(exchange, d);
}

void mma_m16n8k8_tf32(WarpExchange* exchange, const void*) { multiply_tf32<8>(exchange); }
void mma_m16n8k4_tf32(WarpExchange* exchange, const void*) { multiply_tf32<4>(exchange); }

}  // namespace gpunet_sim
