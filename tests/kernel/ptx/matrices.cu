// ldmatrix, stmatrix and mma.sync: one kernel a family, whose instances are the wrappers. Block: 32.
#include "ptx.cuh"

constexpr int ROW = 24;  // elements from a row in shared memory to the next: 48 bytes

// registers[lane][i]: what ldmatrix_x<N> gives of x[i][8][8].
template <int N, bool TRANS>
__global__ void use_ldmatrix(unsigned int* registers, const unsigned short* x) {
    __shared__ __align__(16) unsigned short shared[N * 8 * ROW];
    const int lane = threadIdx.x;
    for (int i = lane; i < N * 64; i += 32) shared[i / 8 * ROW + i % 8] = x[i];
    __syncwarp();
    unsigned int r[N];
    const unsigned int row = smem_u32(shared + lane % (N * 8) * ROW);
    if constexpr (N == 1) TRANS ? ldmatrix_x1_trans(r, row) : ldmatrix_x1(r, row);
    if constexpr (N == 2) TRANS ? ldmatrix_x2_trans(r, row) : ldmatrix_x2(r, row);
    if constexpr (N == 4) TRANS ? ldmatrix_x4_trans(r, row) : ldmatrix_x4(r, row);
    for (int i = 0; i < N; ++i) registers[lane * N + i] = r[i];
}

// x[i][8][8]: what stmatrix_x<N> makes of registers[lane][i].
template <int N, bool TRANS>
__global__ void use_stmatrix(unsigned short* x, const unsigned int* registers) {
    __shared__ __align__(16) unsigned short shared[N * 8 * ROW];
    const int lane = threadIdx.x;
    unsigned int r[N];
    for (int i = 0; i < N; ++i) r[i] = registers[lane * N + i];
    const unsigned int row = smem_u32(shared + lane % (N * 8) * ROW);
    if constexpr (N == 1) TRANS ? stmatrix_x1_trans(row, r) : stmatrix_x1(row, r);
    if constexpr (N == 2) TRANS ? stmatrix_x2_trans(row, r) : stmatrix_x2(row, r);
    if constexpr (N == 4) TRANS ? stmatrix_x4_trans(row, r) : stmatrix_x4(row, r);
    __syncwarp();
    for (int i = lane; i < N * 64; i += 32) x[i] = shared[i / 8 * ROW + i % 8];
}

// One structure for each wrapper, of its name: the kinds and numbers of its registers, and the call.
#define WRAPPER(NAME, SUM, D, A, B, ...)                                                                            \
    struct NAME##_ {                                                                                                \
        using Sum = SUM;                                                                                            \
        static constexpr int ND = D, NA = A, NB = B;                                                                \
        static __device__ void run(SUM (&d)[D], const unsigned int (&a)[A], const unsigned int (&b)[B]) {           \
            NAME(d, a, __VA_ARGS__);                                                                                \
        }                                                                                                           \
    };
WRAPPER(mma_bf16_16816, float, 4, 4, 2, b[0], b[1])
WRAPPER(mma_f16_16816, float, 4, 4, 2, b[0], b[1])
WRAPPER(mma_f16_16816_f16, unsigned int, 2, 4, 2, b[0], b[1])
WRAPPER(mma_bf16_1688, float, 4, 2, 1, b[0])
WRAPPER(mma_f16_1688, float, 4, 2, 1, b[0])
WRAPPER(mma_f16_1688_f16, unsigned int, 2, 2, 1, b[0])
WRAPPER(mma_tf32_1688, float, 4, 4, 2, b[0], b[1])
WRAPPER(mma_tf32_1684, float, 4, 2, 1, b[0])

// d[lane][.] = c[lane][.] + the product of the fragments a[lane][.] and b[lane][.].
template <class W>
__global__ void use_mma(void* out, const void* c, const unsigned int* a_, const unsigned int* b_) {
    const int lane = threadIdx.x;
    unsigned int a[W::NA], b[W::NB];
    typename W::Sum d[W::ND];
    for (int i = 0; i < W::NA; ++i) a[i] = a_[lane * W::NA + i];
    for (int i = 0; i < W::NB; ++i) b[i] = b_[lane * W::NB + i];
    for (int i = 0; i < W::ND; ++i) d[i] = static_cast<const typename W::Sum*>(c)[lane * W::ND + i];
    W::run(d, a, b);
    for (int i = 0; i < W::ND; ++i) static_cast<typename W::Sum*>(out)[lane * W::ND + i] = d[i];
}

// bits[lane]: x[lane], rounded.
__global__ void use_tf32_of(unsigned int* bits, const float* x) { bits[threadIdx.x] = tf32_of(x[threadIdx.x]); }
