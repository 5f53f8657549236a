// Alignment. An access of 2, 4, 8 or 16 bytes needs an address that is a multiple of its size.
#include <cuda_fp16.h>
#include "ptx.cuh"

__global__ void vector_load_from_the_second_element(float* out, const float* x) {
    float4 v = *(const float4*)(x + 1 + 4 * threadIdx.x);  // BUG misaligned
    out[threadIdx.x] = v.x + v.y + v.z + v.w;
}

__global__ void vector_store_to_an_odd_element(float* out, const float* x) {
    *(float2*)(out + 1 + 2 * threadIdx.x) = make_float2(x[threadIdx.x], 0);  // BUG misaligned
}

// Rows of 7 pairs, a row apart by an odd number of floats: the first row is aligned.
__global__ void pairs_from_rows_of_odd_pitch(float* out, const float* x, int pitch) {
    float2 pair = *(const float2*)(x + blockIdx.x * pitch + 2 * threadIdx.x);  // BUG misaligned
    out[blockIdx.x * blockDim.x + threadIdx.x] = pair.x + pair.y;
}

__global__ void doubles_behind_an_odd_number_of_floats(double* out, int n) {
    extern __shared__ __align__(16) float first[];
    double* second = (double*)(first + n);
    second[threadIdx.x] = threadIdx.x;  // BUG misaligned
    __syncthreads();
    out[threadIdx.x] = second[blockDim.x - 1 - threadIdx.x];  // ALSO misaligned
}

__global__ void half_pairs_from_an_odd_element(float* out, const __half* x) {
    __half2 pair = *(const __half2*)(x + 1 + 2 * threadIdx.x);  // BUG misaligned
    out[threadIdx.x] = __low2float(pair) + __high2float(pair);
}

__global__ void atomic_on_a_packed_field(unsigned char* records) {
    atomicAdd((int*)(records + 8 * threadIdx.x + 2), 1);  // BUG misaligned
}

__global__ void reads_a_float_from_bytes(float* out, const unsigned char* bytes) {
    out[threadIdx.x] = *(const float*)(bytes + 5 * threadIdx.x);  // BUG misaligned
}

__global__ void copies_from_an_unaligned_row(float* out, const float* x, int pitch) {
    __shared__ float4 tile[2][4];
    const float* from = x + threadIdx.y * pitch + threadIdx.x * 4;
    cp_async16(smem_u32(&tile[threadIdx.y][threadIdx.x]), from, true);  // BUG misaligned
    cp_async_commit();
    cp_async_wait<0>();
    out[threadIdx.y * 4 + threadIdx.x] = tile[threadIdx.y][threadIdx.x].x;
}

__global__ void matrices_from_an_unaligned_row(unsigned* out, const unsigned* x) {
    __shared__ __align__(16) unsigned tile[16 * 9];  // rows of 16 16-bit numbers, padded by one word
    for (int i = threadIdx.x; i < 144; i += 32) tile[i] = x[i];
    __syncwarp();
    unsigned r[4];
    ldmatrix_x4(r, smem_u32(tile) + threadIdx.x % 16 * 36 + threadIdx.x / 16 * 16);  // BUG misaligned
    for (int i = 0; i < 4; i++) out[threadIdx.x * 4 + i] = r[i];
}
