// In the manner of tutorials and course work: small programs with their kernels, many of them in one namespace.
#include <iostream>
#include <vector>
#include <chrono>
#include <algorithm>
#include <random>
#include <cuda.h>
#include <curand_kernel.h>
#include <thrust/device_vector.h>
#include "book.h"
using namespace std;

#define N (33 * 16)
#define RADIUS 3
#define BLOCK_SIZE 32
const int threadsPerBlock = 64;
#define imin(a, b) (a < b ? a : b)
#define rnd(x) (x * rand() / RAND_MAX)

__global__ void saxpy(int n, float a, float *x, float *y) {
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += blockDim.x * gridDim.x) y[i] = a * x[i] + y[i];
}

__global__ void stencil_1d(int *in, int *out) {
    __shared__ int temp[BLOCK_SIZE + 2 * RADIUS];
    int gindex = threadIdx.x + blockIdx.x * blockDim.x + RADIUS;
    int lindex = threadIdx.x + RADIUS;
    temp[lindex] = in[gindex];
    if (threadIdx.x < RADIUS) {
        temp[lindex - RADIUS] = in[gindex - RADIUS];
        temp[lindex + BLOCK_SIZE] = in[gindex + BLOCK_SIZE];
    }
    __syncthreads();
    int result = 0;
    for (int offset = -RADIUS; offset <= RADIUS; offset++) result += temp[lindex + offset];
    out[gindex - RADIUS] = result;
}

__global__ void dot(float *a, float *b, float *c) {
    __shared__ float cache[threadsPerBlock];
    int tid = threadIdx.x + blockIdx.x * blockDim.x;
    int cacheIndex = threadIdx.x;
    float temp = 0;
    while (tid < N) {
        temp += a[tid] * b[tid];
        tid += blockDim.x * gridDim.x;
    }
    cache[cacheIndex] = temp;
    __syncthreads();
    int i = blockDim.x / 2;
    while (i != 0) {
        if (cacheIndex < i) cache[cacheIndex] += cache[cacheIndex + i];
        __syncthreads();
        i /= 2;
    }
    if (cacheIndex == 0) c[blockIdx.x] = cache[0];
}

struct cuComplex {
    float r;
    float i;
    __device__ cuComplex(float a, float b) : r(a), i(b) {}
    __device__ float magnitude2(void) { return r * r + i * i; }
    __device__ cuComplex operator*(const cuComplex &a) { return cuComplex(r * a.r - i * a.i, i * a.r + r * a.i); }
    __device__ cuComplex operator+(const cuComplex &a) { return cuComplex(r + a.r, i + a.i); }
};
__device__ int julia(int x, int y) {
    const float scale = 1.5;
    cuComplex c(-0.8, 0.156), a(scale * (16 - x) / 16, scale * (16 - y) / 16);
    for (int i = 0; i < 200; i++) {
        a = a * a + c;
        if (a.magnitude2() > 1000) return 0;
    }
    return 1;
}
__global__ void julia_kernel(unsigned char *ptr) {
    int x = blockIdx.x;
    int y = blockIdx.y;
    int offset = x + y * gridDim.x;
    int juliaValue = julia(x, y);
    ptr[offset * 4 + 0] = 255 * juliaValue;
    ptr[offset * 4 + 1] = 0;
    ptr[offset * 4 + 2] = 0;
    ptr[offset * 4 + 3] = 255;
}

#define INF 2e10f
#define SPHERES 2
struct Sphere {
    float r, b, g;
    float radius;
    float x, y, z;
    __device__ float hit(float ox, float oy, float *n) {
        float dx = ox - x;
        float dy = oy - y;
        if (dx * dx + dy * dy < radius * radius) {
            float dz = sqrtf(radius * radius - dx * dx - dy * dy);
            *n = dz / sqrtf(radius * radius);
            return dz + z;
        }
        return -INF;
    }
};
__constant__ Sphere s[SPHERES];
__global__ void ray(unsigned char *ptr) {
    int x = threadIdx.x + blockIdx.x * blockDim.x;
    int y = threadIdx.y + blockIdx.y * blockDim.y;
    int offset = x + y * blockDim.x * gridDim.x;
    float maxz = -INF, shade = 0;
    for (int i = 0; i < SPHERES; i++) {
        float n;
        float t = s[i].hit(x - 8, y - 8, &n);
        if (t > maxz) {
            shade = s[i].r * n;
            maxz = t;
        }
    }
    ptr[offset] = (int)(shade * 255);
}

struct Lock {
    int *mutex;
    Lock(void) {
        HANDLE_ERROR(cudaMalloc((void **)&mutex, sizeof(int)));
        HANDLE_ERROR(cudaMemset(mutex, 0, sizeof(int)));
    }
    ~Lock(void) { cudaFree(mutex); }
    __device__ void lock(void) {
        while (atomicCAS(mutex, 0, 1) != 0)
            ;
        __threadfence();
    }
    __device__ void unlock(void) {
        __threadfence();
        atomicExch(mutex, 0);
    }
};
struct Entry {
    unsigned int key;
    void *value;
    Entry *next;
};
__global__ void add_to_buckets(unsigned *keys, int *heads, int *next, Lock locks, int count, int buckets) {
    int tid = threadIdx.x + blockIdx.x * blockDim.x;
    int stride = blockDim.x * gridDim.x;
    while (tid < count) {
        int bucket = keys[tid] % buckets;
        for (int i = 0; i < 32; i++) {
            if ((tid % 32) == i) {
                locks.lock();
                next[tid] = heads[bucket];
                heads[bucket] = tid;
                locks.unlock();
            }
        }
        tid += stride;
    }
}

__global__ void setup_kernel(curandState *state) {
    int id = threadIdx.x + blockIdx.x * 64;
    curand_init(1234, id, 0, &state[id]);
}

__device__ unsigned lcg(unsigned &state) { return state = 1664525u * state + 1013904223u; }
__global__ void monte_carlo_pi(unsigned *hits, int per_thread, unsigned seed) {
    unsigned state = seed + blockIdx.x * blockDim.x + threadIdx.x;
    unsigned inside = 0;
    for (int i = 0; i < per_thread; i++) {
        float x = lcg(state) * 2.3283064e-10f, y = lcg(state) * 2.3283064e-10f;
        inside += x * x + y * y <= 1.0f;
    }
    atomicAdd(hits, inside);
}

__global__ void mandelbrot(int *out, int width, int height, int maxIterations) {
    int col = blockIdx.x * blockDim.x + threadIdx.x, row = blockIdx.y * blockDim.y + threadIdx.y;
    if (col >= width || row >= height) return;
    double x0 = (double)col / width * 3.5 - 2.5, y0 = (double)row / height * 2 - 1, x = 0, y = 0;
    int iteration = 0;
    while (x * x + y * y < 4.0 && iteration < maxIterations) {
        double xtemp = x * x - y * y + x0;
        y = 2 * x * y + y0;
        x = xtemp;
        iteration++;
    }
    out[row * width + col] = iteration;
}

__global__ void bitonic_sort_step(float *dev_values, int j, int k) {
    unsigned int i, ixj;
    i = threadIdx.x + blockDim.x * blockIdx.x;
    ixj = i ^ j;
    if ((ixj) > i) {
        if ((i & k) == 0) {
            if (dev_values[i] > dev_values[ixj]) {
                float temp = dev_values[i];
                dev_values[i] = dev_values[ixj];
                dev_values[ixj] = temp;
            }
        }
        if ((i & k) != 0) {
            if (dev_values[i] < dev_values[ixj]) {
                float temp = dev_values[i];
                dev_values[i] = dev_values[ixj];
                dev_values[ixj] = temp;
            }
        }
    }
}

float random_float() {
    static std::mt19937 generator(42);
    return std::uniform_real_distribution<float>(0, 1)(generator);
}

int main(void) {
    cudaEvent_t start, stop;
    HANDLE_ERROR(cudaEventCreate(&start));
    vector<float> h_x(N);
    generate(h_x.begin(), h_x.end(), random_float);
    thrust::device_vector<float> d(h_x.begin(), h_x.end());
    auto begin = chrono::high_resolution_clock::now();
    float *x;
    cudaMallocManaged(&x, N * sizeof(float));
    saxpy<<<(N + 255) / 256, 256>>>(N, 2.0f, x, x);
    Sphere *temp_s = (Sphere *)malloc(sizeof(Sphere) * SPHERES);
    for (int i = 0; i < SPHERES; i++) temp_s[i].r = rnd(1.0f);
    HANDLE_ERROR(cudaMemcpyToSymbol(s, temp_s, sizeof(Sphere) * SPHERES));
    cudaDeviceSynchronize();
    cout << "Max error: " << chrono::duration<double>(chrono::high_resolution_clock::now() - begin).count() << endl;
    return 0;
}
