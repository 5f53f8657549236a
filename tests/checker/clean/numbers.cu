// Types, layouts and plain loops.
#include <cuda_bf16.h>
#include <cuda_fp16.h>

__global__ void scale_and_add(float* y, const float* x, float a, long long n) {
    for (long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x; i < n; i += (long long)gridDim.x * blockDim.x)
        y[i] += a * x[i];
}

__global__ void half_pairs(__half2* out, const __half2* a, const __half2* b, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) out[i] = __hfma2(a[i], b[i], __hmul2(a[i], __float2half2_rn(2)));
}

__global__ void bfloat_rows(__nv_bfloat16* out, const __nv_bfloat16* x, const float* weight, int columns) {
    for (int i = threadIdx.x; i < columns; i += blockDim.x) {
        long long at = (long long)blockIdx.x * columns + i;
        out[at] = __float2bfloat16(__bfloat162float(x[at]) * weight[i]);
    }
}

// Vectors of four as far as they go, single elements behind them.
__global__ void vectors_and_a_tail(float* out, const float* x, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x, vectors = n / 4;
    if (i < vectors) {
        float4 v = ((const float4*)x)[i];
        ((float4*)out)[i] = make_float4(-v.x, -v.y, -v.z, -v.w);
    } else if (vectors * 4 + i - vectors < n) {
        out[vectors * 4 + i - vectors] = -x[vectors * 4 + i - vectors];
    }
}

struct Particle {
    float3 place;
    float mass;
    union { int number; float number_as_float; };
};
struct Columns { float x[32], y[32]; };
__global__ void particles(float* out, Particle* particles, int n) {
    __shared__ Particle tile[32];
    __shared__ Columns columns;
    int t = threadIdx.x;
    if (t < n) tile[t] = particles[t];
    __syncthreads();
    if (t < n) columns.x[t] = tile[n - 1 - t].place.x, columns.y[t] = tile[n - 1 - t].place.y;
    __syncthreads();
    if (t >= n) return;
    out[t] = columns.x[n - 1 - t] + columns.y[n - 1 - t] + tile[t].mass;
    particles[t].number = t;
}

// Behind the int lie four bytes that nobody writes; the structure is copied whole.
struct Largest {
    double value;
    int place;
};
__global__ void largest_of_doubles(double* value, int* place, const double* x) {
    __shared__ Largest tile[64];
    int t = threadIdx.x;
    tile[t].value = x[t];
    tile[t].place = t;
    for (int half = 32; half > 0; half /= 2) {
        __syncthreads();
        if (t < half && tile[t + half].value > tile[t].value) tile[t] = tile[t + half];
    }
    if (t == 0) value[0] = tile[0].value, place[0] = tile[0].place;
}

template <typename T, int N>
struct Vector { T item[N]; };
template <typename T, int N>
__global__ void reversed(T* out, const T* x) {
    Vector<T, N> kept = ((const Vector<T, N>*)x)[threadIdx.x];
    for (int i = 0; i < N; i++) out[threadIdx.x * N + i] = kept.item[N - 1 - i];
}

// A stack array that is indexed at run time, and a function that gets its address.
__device__ void insert(float* sorted, int count, float value) {
    int i = count;
    for (; i > 0 && sorted[i - 1] > value; i--) sorted[i] = sorted[i - 1];
    sorted[i] = value;
}
__global__ void medians(float* out, const float* x, int columns) {
    float sorted[16];
    int row = blockIdx.x * blockDim.x + threadIdx.x;
    for (int i = 0; i < columns; i++) insert(sorted, i, x[row * columns + i]);
    out[row] = sorted[columns / 2];
}

// In place, where every thread keeps to its own elements.
__global__ void in_place(float* x, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) x[i] = x[i] > 0 ? x[i] : expf(x[i]) - 1;
}

// The pointer to the bias may be null, the mask is one of bytes, the index of 64 bits.
__global__ void gather_rows(float* out, const float* x, const long long* rows, const bool* mask, const float* bias,
                            int columns) {
    long long row = rows[blockIdx.x];
    for (int i = threadIdx.x; i < columns; i += blockDim.x) {
        float value = mask[blockIdx.x] ? x[row * columns + i] : 0;
        out[blockIdx.x * columns + i] = bias ? value + bias[i] : value;
    }
}
