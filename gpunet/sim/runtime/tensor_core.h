// Products on the tensor cores: mma.sync by a warp, wgmma by a warpgroup. Sums are rounded to float32 step by step;
// how the hardware rounds within one instruction is not known and not imitated.
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

// ---- mma.sync: each lane brings A's registers then B's, and finds its four results 32 bytes further on ---------
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

template <float Decode(uint16_t)>
inline void mma_16816(WarpExchange* exchange) {
  float a[16][16], b[16][8], d[16][8];
  for (unsigned lane = 0; lane < 32; lane++) {
    uint16_t half[12];
    memcpy(half, exchange->lane[lane].bytes, sizeof half);
    unsigned group = lane >> 2, pair = (lane & 3) * 2;
    for (unsigned r = 0; r < 4; r++)
      for (unsigned e = 0; e < 2; e++) a[group + (r & 1) * 8][pair + e + (r >> 1) * 8] = Decode(half[r * 2 + e]);
    for (unsigned r = 0; r < 2; r++)
      for (unsigned e = 0; e < 2; e++) b[pair + e + r * 8][group] = Decode(half[8 + r * 2 + e]);
  }
  multiply(a, b, d);
  store_results(exchange, d);
}

void mma_m16n8k16_bf16(WarpExchange* exchange, const void*) { mma_16816<from_bf16>(exchange); }
void mma_m16n8k16_f16(WarpExchange* exchange, const void*) { mma_16816<from_f16>(exchange); }

void mma_m16n8k8_tf32(WarpExchange* exchange, const void*) {
  float a[16][8], b[8][8], d[16][8];
  for (unsigned lane = 0; lane < 32; lane++) {
    uint32_t bits[6];
    float value[6];
    memcpy(bits, exchange->lane[lane].bytes, sizeof bits);
    for (uint32_t& word : bits) word &= 0xffffe000u;  // the multiplier does not read the lowest 13 bits
    memcpy(value, bits, sizeof value);
    unsigned group = lane >> 2, pair = lane & 3;
    for (unsigned r = 0; r < 4; r++) a[group + (r & 1) * 8][pair + (r >> 1) * 4] = value[r];
    for (unsigned r = 0; r < 2; r++) b[pair + r * 4][group] = value[4 + r];
  }
  multiply(a, b, d);
  store_results(exchange, d);
}

// ---- wgmma: m64nNk16 in bfloat16, both operands K-major in shared memory with the 128-byte swizzle -------------
void wgmma_issue(float* d, uint64_t a, uint64_t b, bool accumulate, unsigned n, Site site) {
  if (a >> 62 != 1 || b >> 62 != 1) fail(site, "wgmma: only the 128-byte swizzle is simulated");
  Fiber* self = running();
  if (!self->products) self->products = new std::vector<WgmmaProduct>;
  self->products->push_back({d, a, b, accumulate, n, self->wgmma_group, site});
}

inline void load_row(uint64_t descriptor, unsigned row, float (&values)[16]) {
  size_t start = (descriptor & 0x3fff) << 4, eight_rows = (descriptor >> 32 & 0x3fff) << 4;
  for (unsigned k = 0; k < 16; k++) {
    size_t address = swizzled_128(start + (row >> 3) * eight_rows + (row & 7) * 128 + k * 2);
    uint16_t bits;
    memcpy(&bits, worker->shared + address, 2);
    values[k] = from_bf16(bits);
  }
}

// One lane's share of a product, with operands as shared memory holds them now.
inline void multiply_share(const WgmmaProduct& product) {
  unsigned warp = current->warp & 3, lane = current->lane;
  float a[2][16], b[16];
  for (unsigned i = 0; i < 2; i++) load_row(product.a, warp * 16 + lane / 4 + i * 8, a[i]);
  for (unsigned column = 0; column < product.n / 8; column++)
    for (unsigned e = 0; e < 2; e++) {
      load_row(product.b, column * 8 + (lane & 3) * 2 + e, b);
      for (unsigned i = 0; i < 2; i++) {
        float& d = product.d[column * 4 + i * 2 + e];
        float sum = product.accumulate ? d : 0.0f;
        for (unsigned k = 0; k < 16; k++) sum += a[i][k] * b[k];
        d = sum;
      }
    }
}

void wgmma_commit() { running()->wgmma_group++; }

void wgmma_wait(unsigned groups_left) {
  Fiber* self = running();
  if (!self->products) return;
  size_t left = 0;
  for (WgmmaProduct& product : *self->products)
    if (product.group + groups_left < self->wgmma_group)
      multiply_share(product);
    else
      (*self->products)[left++] = product;
  self->products->resize(left, WgmmaProduct{});
}

}  // namespace gpunet_sim
