// wgmma [sm_90a]: products by the four warps of a warpgroup (threads 0 to 127 of the block, 128 to 255, ...), which run
// beside the threads. The simulator replaces this file by its own.
#pragma once
#include "ptx.cuh"

// Before the first product and whenever threads have touched the sums or written operands by themselves.
__device__ __forceinline__ void wgmma_fence() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }

// Close the group of products that were started since the last commit.
__device__ __forceinline__ void wgmma_commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }

// Until at most N of the newest groups are under way: only then are their sums there and their operands free.
template <int N>
__device__ __forceinline__ void wgmma_wait() {
    asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(N) : "memory");
}

// An operand in shared memory. `swizzle` is 128, 64, 32 or 0: 16-byte columns are mixed as TMA does within rows of that
// many bytes; with 0 there are rows of 16 bytes, not mixed. Eight rows lie together.
// K-major (the 16 elements of a product's k, of TF32 8, lie side by side): rows are the operand's own; `stride` is the distance in
// bytes from eight rows to the next eight; `leading`, with swizzle 0 alone, from k = 0..7 to k = 8..15.
// Turned (the operand's rows lie side by side): a row of bytes has one k. Swizzled, `stride` is the distance from k =
// 0..7 to k = 8..15 and `leading` from the operand's rows that fill a row of bytes to the next so many; with swizzle 0
// `leading` is that of k, and `stride` the distance from eight of the operand's rows to the next eight.
__device__ __forceinline__ unsigned long long wgmma_descriptor(const void* shared, unsigned int leading,
                                                               unsigned int stride, int swizzle) {
    const unsigned long long mode = swizzle == 128 ? 1 : swizzle == 64 ? 2 : swizzle == 32 ? 3 : 0;
    return (smem_u32(shared) & 0x3ffff) >> 4 | static_cast<unsigned long long>((leading & 0x3ffff) >> 4) << 16 |
           static_cast<unsigned long long>((stride & 0x3ffff) >> 4) << 32 | mode << 62;
}

// Rows of 128 bytes, swizzled; eight of them are 1024 bytes apart.
__device__ __forceinline__ unsigned long long wgmma_desc_sw128(const void* shared) {
    return wgmma_descriptor(shared, 16, 1024, 128);
}

// What products have summed, from the wait for them on: without this the compiler may read a sum before the wait.
template <int N>
__device__ __forceinline__ void wgmma_sums(float (&d)[N]) {
#pragma unroll
    for (int i = 0; i < N; ++i) asm volatile("" : "+f"(d[i])::"memory");
}

// wgmma_m64n<N>k16_bf16 and _f16, wgmma_m64n<N>k8_tf32, N = 8, 16, ..., 256: d = a b, or d += a b with `accumulate`. a has 64 rows, b has N; d
// as the PTX manual draws it: element 4 i + 2 h + e of thread t is row 16 (t / 32) + t % 32 / 4 + 8 h and column
// 8 i + 2 (t % 4) + e. A_T, B_T: that operand is turned. TF32 is float whose lowest 13 bits are ignored, and never turned.
// GPUNET_REGISTERS_<N> and GPUNET_SUMS_<N> are the N / 2 registers of d in the instruction and as operands.
#define GPUNET_REGISTERS_8 "%0, %1, %2, %3"
#define GPUNET_REGISTERS_16 GPUNET_REGISTERS_8 ", %4, %5, %6, %7"
#define GPUNET_REGISTERS_24 GPUNET_REGISTERS_16 ", %8, %9, %10, %11"
#define GPUNET_REGISTERS_32 GPUNET_REGISTERS_24 ", %12, %13, %14, %15"
#define GPUNET_REGISTERS_40 GPUNET_REGISTERS_32 ", %16, %17, %18, %19"
#define GPUNET_REGISTERS_48 GPUNET_REGISTERS_40 ", %20, %21, %22, %23"
#define GPUNET_REGISTERS_56 GPUNET_REGISTERS_48 ", %24, %25, %26, %27"
#define GPUNET_REGISTERS_64 GPUNET_REGISTERS_56 ", %28, %29, %30, %31"
#define GPUNET_REGISTERS_72 GPUNET_REGISTERS_64 ", %32, %33, %34, %35"
#define GPUNET_REGISTERS_80 GPUNET_REGISTERS_72 ", %36, %37, %38, %39"
#define GPUNET_REGISTERS_88 GPUNET_REGISTERS_80 ", %40, %41, %42, %43"
#define GPUNET_REGISTERS_96 GPUNET_REGISTERS_88 ", %44, %45, %46, %47"
#define GPUNET_REGISTERS_104 GPUNET_REGISTERS_96 ", %48, %49, %50, %51"
#define GPUNET_REGISTERS_112 GPUNET_REGISTERS_104 ", %52, %53, %54, %55"
#define GPUNET_REGISTERS_120 GPUNET_REGISTERS_112 ", %56, %57, %58, %59"
#define GPUNET_REGISTERS_128 GPUNET_REGISTERS_120 ", %60, %61, %62, %63"
#define GPUNET_REGISTERS_136 GPUNET_REGISTERS_128 ", %64, %65, %66, %67"
#define GPUNET_REGISTERS_144 GPUNET_REGISTERS_136 ", %68, %69, %70, %71"
#define GPUNET_REGISTERS_152 GPUNET_REGISTERS_144 ", %72, %73, %74, %75"
#define GPUNET_REGISTERS_160 GPUNET_REGISTERS_152 ", %76, %77, %78, %79"
#define GPUNET_REGISTERS_168 GPUNET_REGISTERS_160 ", %80, %81, %82, %83"
#define GPUNET_REGISTERS_176 GPUNET_REGISTERS_168 ", %84, %85, %86, %87"
#define GPUNET_REGISTERS_184 GPUNET_REGISTERS_176 ", %88, %89, %90, %91"
#define GPUNET_REGISTERS_192 GPUNET_REGISTERS_184 ", %92, %93, %94, %95"
#define GPUNET_REGISTERS_200 GPUNET_REGISTERS_192 ", %96, %97, %98, %99"
#define GPUNET_REGISTERS_208 GPUNET_REGISTERS_200 ", %100, %101, %102, %103"
#define GPUNET_REGISTERS_216 GPUNET_REGISTERS_208 ", %104, %105, %106, %107"
#define GPUNET_REGISTERS_224 GPUNET_REGISTERS_216 ", %108, %109, %110, %111"
#define GPUNET_REGISTERS_232 GPUNET_REGISTERS_224 ", %112, %113, %114, %115"
#define GPUNET_REGISTERS_240 GPUNET_REGISTERS_232 ", %116, %117, %118, %119"
#define GPUNET_REGISTERS_248 GPUNET_REGISTERS_240 ", %120, %121, %122, %123"
#define GPUNET_REGISTERS_256 GPUNET_REGISTERS_248 ", %124, %125, %126, %127"
#define GPUNET_SUMS_8 "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
#define GPUNET_SUMS_16 GPUNET_SUMS_8, "+f"(d[4]), "+f"(d[5]), "+f"(d[6]), "+f"(d[7])
#define GPUNET_SUMS_24 GPUNET_SUMS_16, "+f"(d[8]), "+f"(d[9]), "+f"(d[10]), "+f"(d[11])
#define GPUNET_SUMS_32 GPUNET_SUMS_24, "+f"(d[12]), "+f"(d[13]), "+f"(d[14]), "+f"(d[15])
#define GPUNET_SUMS_40 GPUNET_SUMS_32, "+f"(d[16]), "+f"(d[17]), "+f"(d[18]), "+f"(d[19])
#define GPUNET_SUMS_48 GPUNET_SUMS_40, "+f"(d[20]), "+f"(d[21]), "+f"(d[22]), "+f"(d[23])
#define GPUNET_SUMS_56 GPUNET_SUMS_48, "+f"(d[24]), "+f"(d[25]), "+f"(d[26]), "+f"(d[27])
#define GPUNET_SUMS_64 GPUNET_SUMS_56, "+f"(d[28]), "+f"(d[29]), "+f"(d[30]), "+f"(d[31])
#define GPUNET_SUMS_72 GPUNET_SUMS_64, "+f"(d[32]), "+f"(d[33]), "+f"(d[34]), "+f"(d[35])
#define GPUNET_SUMS_80 GPUNET_SUMS_72, "+f"(d[36]), "+f"(d[37]), "+f"(d[38]), "+f"(d[39])
#define GPUNET_SUMS_88 GPUNET_SUMS_80, "+f"(d[40]), "+f"(d[41]), "+f"(d[42]), "+f"(d[43])
#define GPUNET_SUMS_96 GPUNET_SUMS_88, "+f"(d[44]), "+f"(d[45]), "+f"(d[46]), "+f"(d[47])
#define GPUNET_SUMS_104 GPUNET_SUMS_96, "+f"(d[48]), "+f"(d[49]), "+f"(d[50]), "+f"(d[51])
#define GPUNET_SUMS_112 GPUNET_SUMS_104, "+f"(d[52]), "+f"(d[53]), "+f"(d[54]), "+f"(d[55])
#define GPUNET_SUMS_120 GPUNET_SUMS_112, "+f"(d[56]), "+f"(d[57]), "+f"(d[58]), "+f"(d[59])
#define GPUNET_SUMS_128 GPUNET_SUMS_120, "+f"(d[60]), "+f"(d[61]), "+f"(d[62]), "+f"(d[63])
#define GPUNET_SUMS_136 GPUNET_SUMS_128, "+f"(d[64]), "+f"(d[65]), "+f"(d[66]), "+f"(d[67])
#define GPUNET_SUMS_144 GPUNET_SUMS_136, "+f"(d[68]), "+f"(d[69]), "+f"(d[70]), "+f"(d[71])
#define GPUNET_SUMS_152 GPUNET_SUMS_144, "+f"(d[72]), "+f"(d[73]), "+f"(d[74]), "+f"(d[75])
#define GPUNET_SUMS_160 GPUNET_SUMS_152, "+f"(d[76]), "+f"(d[77]), "+f"(d[78]), "+f"(d[79])
#define GPUNET_SUMS_168 GPUNET_SUMS_160, "+f"(d[80]), "+f"(d[81]), "+f"(d[82]), "+f"(d[83])
#define GPUNET_SUMS_176 GPUNET_SUMS_168, "+f"(d[84]), "+f"(d[85]), "+f"(d[86]), "+f"(d[87])
#define GPUNET_SUMS_184 GPUNET_SUMS_176, "+f"(d[88]), "+f"(d[89]), "+f"(d[90]), "+f"(d[91])
#define GPUNET_SUMS_192 GPUNET_SUMS_184, "+f"(d[92]), "+f"(d[93]), "+f"(d[94]), "+f"(d[95])
#define GPUNET_SUMS_200 GPUNET_SUMS_192, "+f"(d[96]), "+f"(d[97]), "+f"(d[98]), "+f"(d[99])
#define GPUNET_SUMS_208 GPUNET_SUMS_200, "+f"(d[100]), "+f"(d[101]), "+f"(d[102]), "+f"(d[103])
#define GPUNET_SUMS_216 GPUNET_SUMS_208, "+f"(d[104]), "+f"(d[105]), "+f"(d[106]), "+f"(d[107])
#define GPUNET_SUMS_224 GPUNET_SUMS_216, "+f"(d[108]), "+f"(d[109]), "+f"(d[110]), "+f"(d[111])
#define GPUNET_SUMS_232 GPUNET_SUMS_224, "+f"(d[112]), "+f"(d[113]), "+f"(d[114]), "+f"(d[115])
#define GPUNET_SUMS_240 GPUNET_SUMS_232, "+f"(d[116]), "+f"(d[117]), "+f"(d[118]), "+f"(d[119])
#define GPUNET_SUMS_248 GPUNET_SUMS_240, "+f"(d[120]), "+f"(d[121]), "+f"(d[122]), "+f"(d[123])
#define GPUNET_SUMS_256 GPUNET_SUMS_248, "+f"(d[124]), "+f"(d[125]), "+f"(d[126]), "+f"(d[127])
#define GPUNET_WGMMA_TYPE(N, A, B, P, TA, TB, TYPE)                                                                 \
    template <int A_T = 0, int B_T = 0>                                                                             \
    __device__ __forceinline__ void wgmma_m64n##N##k16_##TYPE(float (&d)[N / 2], unsigned long long a,              \
                                                              unsigned long long b, int accumulate) {               \
        asm volatile("{ .reg .pred p; setp.ne.b32 p, %" #P ", 0; wgmma.mma_async.sync.aligned.m64n" #N              \
                     "k16.f32." #TYPE "." #TYPE " {" GPUNET_REGISTERS_##N "}, %" #A ", %" #B ", p, 1, 1, %" #TA     \
                     ", %" #TB "; }"                                                                                \
                     : GPUNET_SUMS_##N : "l"(a), "l"(b), "r"(accumulate), "n"(A_T), "n"(B_T) : "memory");           \
    }
#define GPUNET_WGMMA_TF32(N, A, B, P)                                                                               \
    __device__ __forceinline__ void wgmma_m64n##N##k8_tf32(float (&d)[N / 2], unsigned long long a,                 \
                                                           unsigned long long b, int accumulate) {                  \
        asm volatile("{ .reg .pred p; setp.ne.b32 p, %" #P ", 0; wgmma.mma_async.sync.aligned.m64n" #N              \
                     "k8.f32.tf32.tf32 {" GPUNET_REGISTERS_##N "}, %" #A ", %" #B ", p, 1, 1; }"                    \
                     : GPUNET_SUMS_##N : "l"(a), "l"(b), "r"(accumulate) : "memory");                               \
    }
// Its left operand in registers, %A0 to %A3; d is always added to.
#define GPUNET_WGMMA_LEFT(N, A0, A1, A2, A3, B)                                                                     \
    __device__ __forceinline__ void wgmma_m64n##N##k8_tf32(float (&d)[N / 2], const unsigned int (&a)[4],           \
                                                           unsigned long long b) {                                  \
        asm volatile("{ .reg .pred p; setp.ne.b32 p, 1, 0; wgmma.mma_async.sync.aligned.m64n" #N                    \
                     "k8.f32.tf32.tf32 {" GPUNET_REGISTERS_##N "}, {%" #A0 ", %" #A1 ", %" #A2 ", %" #A3            \
                     "}, %" #B ", p, 1, 1; }"                                                                       \
                     : GPUNET_SUMS_##N : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b) : "memory");            \
    }
#define GPUNET_WGMMA(N, A, B, P, TA, TB)                                                  \
    GPUNET_WGMMA_TYPE(N, A, B, P, TA, TB, bf16) GPUNET_WGMMA_TYPE(N, A, B, P, TA, TB, f16) \
    GPUNET_WGMMA_TF32(N, A, B, P) GPUNET_WGMMA_LEFT(N, A, B, P, TA, TB)
GPUNET_WGMMA(8, 4, 5, 6, 7, 8)
GPUNET_WGMMA(16, 8, 9, 10, 11, 12)
GPUNET_WGMMA(24, 12, 13, 14, 15, 16)
GPUNET_WGMMA(32, 16, 17, 18, 19, 20)
GPUNET_WGMMA(40, 20, 21, 22, 23, 24)
GPUNET_WGMMA(48, 24, 25, 26, 27, 28)
GPUNET_WGMMA(56, 28, 29, 30, 31, 32)
GPUNET_WGMMA(64, 32, 33, 34, 35, 36)
GPUNET_WGMMA(72, 36, 37, 38, 39, 40)
GPUNET_WGMMA(80, 40, 41, 42, 43, 44)
GPUNET_WGMMA(88, 44, 45, 46, 47, 48)
GPUNET_WGMMA(96, 48, 49, 50, 51, 52)
GPUNET_WGMMA(104, 52, 53, 54, 55, 56)
GPUNET_WGMMA(112, 56, 57, 58, 59, 60)
GPUNET_WGMMA(120, 60, 61, 62, 63, 64)
GPUNET_WGMMA(128, 64, 65, 66, 67, 68)
GPUNET_WGMMA(136, 68, 69, 70, 71, 72)
GPUNET_WGMMA(144, 72, 73, 74, 75, 76)
GPUNET_WGMMA(152, 76, 77, 78, 79, 80)
GPUNET_WGMMA(160, 80, 81, 82, 83, 84)
GPUNET_WGMMA(168, 84, 85, 86, 87, 88)
GPUNET_WGMMA(176, 88, 89, 90, 91, 92)
GPUNET_WGMMA(184, 92, 93, 94, 95, 96)
GPUNET_WGMMA(192, 96, 97, 98, 99, 100)
GPUNET_WGMMA(200, 100, 101, 102, 103, 104)
GPUNET_WGMMA(208, 104, 105, 106, 107, 108)
GPUNET_WGMMA(216, 108, 109, 110, 111, 112)
GPUNET_WGMMA(224, 112, 113, 114, 115, 116)
GPUNET_WGMMA(232, 116, 117, 118, 119, 120)
GPUNET_WGMMA(240, 120, 121, 122, 123, 124)
GPUNET_WGMMA(248, 124, 125, 126, 127, 128)
GPUNET_WGMMA(256, 128, 129, 130, 131, 132)
#undef GPUNET_WGMMA
#undef GPUNET_WGMMA_TYPE
#undef GPUNET_WGMMA_TF32
#undef GPUNET_WGMMA_LEFT
