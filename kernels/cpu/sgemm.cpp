#include "sgemm.h"

#include "vec.h"

namespace gpunet::cpu {

// PLAIN FIRST FORM
namespace {
inline float finish(float x, Act act) {
  vf v = broadcast(x);
  if (act == Act::relu) v = vmax(v, zero());
  if (act == Act::gelu) v = 0.5f * v * (1.f + verf(v * 0.707106781f));
  if (act == Act::gelu_tanh) v = 0.5f * v * (1.f + vtanh(0.797884561f * (v + 0.044715f * v * v * v)));
  return v[0];
}
}  // namespace

void sgemm(bool ta, bool tb, int64_t m, int64_t n, int64_t k, const float* a, int64_t lda, const float* b, int64_t ldb,
           float* c, int64_t ldc, bool accumulate, const Epilogue& e) {
  for (int64_t i = 0; i < m; i++)
    for (int64_t j = 0; j < n; j++) {
      float s = accumulate ? c[i * ldc + j] : 0.f;
      for (int64_t q = 0; q < k; q++) s += (ta ? a[q * lda + i] : a[i * lda + q]) * (tb ? b[j * ldb + q] : b[q * ldb + j]);
      c[i * ldc + j] = finish(s + (e.bias ? e.bias[j] : 0.f) + (e.row_bias ? e.row_bias[i] : 0.f), e.act);
    }
}

void parallel_sgemm(bool ta, bool tb, int64_t m, int64_t n, int64_t k, const float* a, int64_t lda, const float* b,
                    int64_t ldb, float* c, int64_t ldc, bool accumulate, const Epilogue& e) {
  sgemm(ta, tb, m, n, k, a, lda, b, ldb, c, ldc, accumulate, e);
}

int64_t packed_size(int64_t n, int64_t k) { return n * k; }
void pack(bool tb, int64_t n, int64_t k, const float* b, int64_t ldb, float* packed) {
  for (int64_t q = 0; q < k; q++)
    for (int64_t j = 0; j < n; j++) packed[q * n + j] = tb ? b[j * ldb + q] : b[q * ldb + j];
}
void sgemm_packed(bool ta, int64_t m, int64_t n, int64_t k, const float* a, int64_t lda, const float* packed, float* c,
                  int64_t ldc, bool accumulate, const Epilogue& e) {
  sgemm(ta, false, m, n, k, a, lda, packed, n, c, ldc, accumulate, e);
}

}  // namespace gpunet::cpu
