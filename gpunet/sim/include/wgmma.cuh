// The simulator's kernels/wgmma.cuh.
#pragma once
#include "ptx.cuh"

inline void wgmma_fence() {}
inline void wgmma_commit() { gpunet_sim::wgmma_commit(); }
template <int N>
inline void wgmma_wait() {
  gpunet_sim::wgmma_wait(N);
}

inline u64 wgmma_descriptor(const void* shared, unsigned leading, unsigned stride, int swizzle) {
  const u64 mode = swizzle == 128 ? 1 : swizzle == 64 ? 2 : swizzle == 32 ? 3 : 0;
  return (smem_u32(shared) & 0x3ffff) >> 4 | u64((leading & 0x3ffff) >> 4) << 16 | u64((stride & 0x3ffff) >> 4) << 32 |
         mode << 62;
}
inline u64 wgmma_desc_sw128(const void* shared) { return wgmma_descriptor(shared, 16, 1024, 128); }

template <int N>
inline void wgmma_sums(float (&)[N]) {}

#define GPUNET_SIM_WGMMA_TYPE(N, TYPE, KIND)                                                           \
  template <int A_T = 0, int B_T = 0>                                                                  \
  inline void wgmma_m64n##N##k16_##TYPE(float (&d)[N / 2], u64 a, u64 b, int accumulate,               \
                                        gpunet_sim::Site site = gpunet_sim::Site::here()) {            \
    gpunet_sim::wgmma_issue(d, {a, A_T}, {b, B_T}, accumulate, N, gpunet_sim::WgmmaKind::KIND, site);  \
  }
#define GPUNET_SIM_WGMMA_TF32(N)                                                                       \
  inline void wgmma_m64n##N##k8_tf32(float (&d)[N / 2], u64 a, u64 b, int accumulate,                  \
                                     gpunet_sim::Site site = gpunet_sim::Site::here()) {               \
    gpunet_sim::wgmma_issue(d, {a, false}, {b, false}, accumulate, N, gpunet_sim::WgmmaKind::Tf32, site); \
  }
#define GPUNET_SIM_WGMMA_LEFT(N)                                                                       \
  inline void wgmma_m64n##N##k8_tf32(float (&d)[N / 2], const unsigned (&a)[4], u64 b,                 \
                                     gpunet_sim::Site site = gpunet_sim::Site::here()) {               \
    gpunet_sim::wgmma_issue_left(d, a, {b, false}, N, site);                                           \
  }
#define GPUNET_SIM_WGMMA(N)                                                                            \
  GPUNET_SIM_WGMMA_TYPE(N, bf16, Bf16) GPUNET_SIM_WGMMA_TYPE(N, f16, F16) GPUNET_SIM_WGMMA_TF32(N)     \
  GPUNET_SIM_WGMMA_LEFT(N)
GPUNET_SIM_WGMMA(8) GPUNET_SIM_WGMMA(16) GPUNET_SIM_WGMMA(24) GPUNET_SIM_WGMMA(32)
GPUNET_SIM_WGMMA(40) GPUNET_SIM_WGMMA(48) GPUNET_SIM_WGMMA(56) GPUNET_SIM_WGMMA(64)
GPUNET_SIM_WGMMA(72) GPUNET_SIM_WGMMA(80) GPUNET_SIM_WGMMA(88) GPUNET_SIM_WGMMA(96)
GPUNET_SIM_WGMMA(104) GPUNET_SIM_WGMMA(112) GPUNET_SIM_WGMMA(120) GPUNET_SIM_WGMMA(128)
GPUNET_SIM_WGMMA(136) GPUNET_SIM_WGMMA(144) GPUNET_SIM_WGMMA(152) GPUNET_SIM_WGMMA(160)
GPUNET_SIM_WGMMA(168) GPUNET_SIM_WGMMA(176) GPUNET_SIM_WGMMA(184) GPUNET_SIM_WGMMA(192)
GPUNET_SIM_WGMMA(200) GPUNET_SIM_WGMMA(208) GPUNET_SIM_WGMMA(216) GPUNET_SIM_WGMMA(224)
GPUNET_SIM_WGMMA(232) GPUNET_SIM_WGMMA(240) GPUNET_SIM_WGMMA(248) GPUNET_SIM_WGMMA(256)
#undef GPUNET_SIM_WGMMA
#undef GPUNET_SIM_WGMMA_TYPE
#undef GPUNET_SIM_WGMMA_TF32
#undef GPUNET_SIM_WGMMA_LEFT
