// c[m][n] = a[m][k] b[k][n] in float32, tiles of 128 x 128, 8 x 8 results a thread: the product by which the simulator's
// speed is measured. m and n are multiples of 128, k of 8.
extern "C" __global__ void __launch_bounds__(256) sgemm(float* c, const float* a, const float* b, int m, int n, int k) {
    __shared__ float left[8][128], right[8][128];
    const int t = threadIdx.x, y = t / 16 * 8, x = t % 16 * 8;
    const int first_row = blockIdx.y * 128, first_column = blockIdx.x * 128;
    float sum[8][8] = {};
    for (int first = 0; first < k; first += 8) {
        const float4 four = *(const float4*)&a[(first_row + t / 2) * k + first + t % 2 * 4];
        left[t % 2 * 4 + 0][t / 2] = four.x;
        left[t % 2 * 4 + 1][t / 2] = four.y;
        left[t % 2 * 4 + 2][t / 2] = four.z;
        left[t % 2 * 4 + 3][t / 2] = four.w;
        *(float4*)&right[t / 32][t % 32 * 4] = *(const float4*)&b[(first + t / 32) * n + first_column + t % 32 * 4];
        __syncthreads();
        for (int p = 0; p < 8; p++) {
            const float4 a0 = *(const float4*)&left[p][y], a1 = *(const float4*)&left[p][y + 4];
            const float4 b0 = *(const float4*)&right[p][x], b1 = *(const float4*)&right[p][x + 4];
            const float u[8] = {a0.x, a0.y, a0.z, a0.w, a1.x, a1.y, a1.z, a1.w};
            const float v[8] = {b0.x, b0.y, b0.z, b0.w, b1.x, b1.y, b1.z, b1.w};
            for (int i = 0; i < 8; i++)
                for (int j = 0; j < 8; j++) sum[i][j] += u[i] * v[j];
        }
        __syncthreads();
    }
    for (int i = 0; i < 8; i++)
        for (int j = 0; j < 8; j += 4)
            *(float4*)&c[(first_row + y + i) * n + first_column + x + j] =
                make_float4(sum[i][j], sum[i][j + 1], sum[i][j + 2], sum[i][j + 3]);
}
