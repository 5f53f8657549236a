// Rows of a weight matrix in blocks of small integers with a scale, as language models are kept.
#include <cuda_fp16.h>
#include <cublas_v2.h>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#define PACKED
#define PER_BLOCK 32
#define ASSERT(x) do { if (!(x)) { fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x); abort(); } } while (0)

typedef half scale_t;
typedef half2 scales_t;

// The scale and the least value are two numbers, or are taken as a pair.
typedef struct {
    union {
        struct { scale_t d; scale_t least; } PACKED;
        scales_t both;
    } PACKED;
    uint8_t nibbles[PER_BLOCK / 2];
} block4;
static_assert(sizeof(block4) == 2 * sizeof(scale_t) + PER_BLOCK / 2, "no padding");

struct block8 {
    union {
        struct {
            scale_t d, sum;
        };
        scales_t both;
    };
    int8_t values[PER_BLOCK];
};

typedef void (*unpack_t)(const void* blocks, int64_t block, int at, float2& pair);
static __device__ __forceinline__ void unpack4(const void* blocks, int64_t block, int at, float2& pair) {
    const block4* x = (const block4*)blocks;
    const float d = x[block].d, least = __high2float(x[block].both);
    const int both = x[block].nibbles[at / 2];
    pair = make_float2(d * (both & 15) + least, d * (both >> 4) + least);
}
static __device__ __forceinline__ void unpack8(const void* blocks, int64_t block, int at, float2& pair) {
    const block8* x = (const block8*)blocks;
    const float d = __half2float(x[block].d);
    pair.x = d * x[block].values[at];
    pair.y = d * x[block].values[at + 1];
}

// launch: unpack<unpack4,float> 2 32 u8[4,20]=randint(60) f32[128] i64=128
// launch: unpack<unpack8,half> 2 32 u8[4,36]=randint(60) f16[128] i64=128
template <unpack_t function, typename T>
static __global__ void unpack(const void* __restrict__ blocks, T* __restrict__ out, const int64_t n) {
    const int64_t i = 2 * ((int64_t)blockIdx.x * blockDim.x + threadIdx.x);
    if (i >= n) {
        return;
    }
    float2 pair;
    function(blocks, i / PER_BLOCK, i % PER_BLOCK, pair);
    out[i] = pair.x;
    out[i + 1] = pair.y;
}

// launch: pack8 4 32 f32[128]=arange u8[4,36]
static __global__ void pack8(const float* __restrict__ x, void* __restrict__ to) {
    block8* out = (block8*)to;
    const float mine = x[blockIdx.x * PER_BLOCK + threadIdx.x];
    float most = fabsf(mine), sum = mine;
#pragma unroll
    for (int step = 16; step > 0; step >>= 1) {
        most = fmaxf(most, __shfl_xor_sync(0xffffffff, most, step, 32));
        sum += __shfl_xor_sync(0xffffffff, sum, step, 32);
    }
    const float d = most / 127;
    out[blockIdx.x].values[threadIdx.x] = most == 0.0f ? 0 : roundf(mine / d);
    if (threadIdx.x > 0) {
        return;
    }
    out[blockIdx.x].d = d;
    half& second = reinterpret_cast<half&>(out[blockIdx.x].both.y);
    second = sum;
}

// launch: dot8 1 (32,2) u8[2,4,36]=randint(60) u8[4,36]=randint(60) f32[2] i32=4
static __global__ void __launch_bounds__(2 * 32, 1) dot8(const block8* __restrict__ rows, const block8* __restrict__ x,
                                                          float* __restrict__ y, const int blocks) {
    const block8* row = rows + threadIdx.y * blocks;
    float mine = 0;
    for (int i = threadIdx.x; i < blocks * 8; i += 32) {
        const int* a = (const int*)row[i / 8].values;
        const int* b = (const int*)x[i / 8].values;
        mine += __dp4a(a[i % 8], b[i % 8], 0) * (__low2float(row[i / 8].both) * (float)x[i / 8].d);
    }
    for (int step = 16; step > 0; step >>= 1) mine += __shfl_xor_sync(0xffffffff, mine, step);
    if (threadIdx.x == 0) y[threadIdx.y] = mine;
}

// Objects in unified memory: what they derive from is the host's, which makes and frees them.
class Managed {
public:
    void* operator new(size_t size) { void* p; cudaMallocManaged(&p, size); cudaDeviceSynchronize(); return p; }
    void operator delete(void* p) { cudaDeviceSynchronize(); cudaFree(p); }
};
class Calibration : public Managed {
public:
    float scale;
    int zero;
    __host__ __device__ float real(int x) const { return scale * (x - zero); }
};
// launch: calibrate 1 64 struct{f32=0.5,i32=3} i32[50]=arange f32[50] i32=50
__global__ void calibrate(Calibration c, const int* x, float* y, int n) {
    if (threadIdx.x < n) y[threadIdx.x] = c.real(x[threadIdx.x]);
}

struct context { std::string name; std::unique_ptr<Calibration> calibration; };
static void pack(const std::vector<float>& x, context& own) {
    cublasHandle_t handle;
    ASSERT(x.size() % PER_BLOCK == 0);
    own.calibration.reset(new Calibration);
    pack8<<<x.size() / PER_BLOCK, PER_BLOCK>>>(x.data(), nullptr);
}
