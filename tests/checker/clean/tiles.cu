// Tiles in shared memory: every element written once, a barrier, read by others, a barrier before the next.

__global__ void transpose(float* out, const float* x, int rows, int columns) {
    __shared__ float tile[16][17];
    int column = blockIdx.x * 16 + threadIdx.x, row = blockIdx.y * 16 + threadIdx.y;
    if (row < rows && column < columns) tile[threadIdx.y][threadIdx.x] = x[row * columns + column];
    __syncthreads();
    column = blockIdx.y * 16 + threadIdx.x, row = blockIdx.x * 16 + threadIdx.y;
    if (row < columns && column < rows) out[row * rows + column] = tile[threadIdx.x][threadIdx.y];
}

__global__ void stencil(float* out, const float* x, int n) {
    __shared__ float tile[66];
    int i = blockIdx.x * 64 + threadIdx.x;
    tile[threadIdx.x + 1] = i < n ? x[i] : 0;
    if (threadIdx.x == 0) tile[0] = i > 0 ? x[i - 1] : 0;
    if (threadIdx.x == 63) tile[65] = i + 1 < n ? x[i + 1] : 0;
    __syncthreads();
    if (i < n) out[i] = tile[threadIdx.x] + 2 * tile[threadIdx.x + 1] + tile[threadIdx.x + 2];
}

__constant__ float gauss[5] = {1, 4, 6, 4, 1};
__global__ void convolution(float* out, const float* x, int height, int width) {  // rows by columns, zeros outside
    __shared__ float tile[12][12];
    for (int i = threadIdx.y * 8 + threadIdx.x; i < 144; i += 64) {
        int row = blockIdx.y * 8 + i / 12 - 2, column = blockIdx.x * 8 + i % 12 - 2;
        bool inside = row >= 0 && row < height && column >= 0 && column < width;
        tile[i / 12][i % 12] = inside ? x[row * width + column] : 0;
    }
    __syncthreads();
    int row = blockIdx.y * 8 + threadIdx.y, column = blockIdx.x * 8 + threadIdx.x;
    if (row >= height || column >= width) return;
    float sum = 0;
    for (int i = 0; i < 5; i++)
        for (int j = 0; j < 5; j++) sum += gauss[i] * gauss[j] * tile[threadIdx.y + i][threadIdx.x + j];
    out[row * width + column] = sum;
}

template <int TILE>
__global__ void product(float* c, const float* a, const float* b, int m, int n, int k) {
    __shared__ float left[TILE][TILE], right[TILE][TILE];
    int row = blockIdx.y * TILE + threadIdx.y, column = blockIdx.x * TILE + threadIdx.x;
    float sum = 0;
    for (int first = 0; first < k; first += TILE) {
        int i = first + threadIdx.x, j = first + threadIdx.y;
        left[threadIdx.y][threadIdx.x] = row < m && i < k ? a[row * k + i] : 0;
        right[threadIdx.y][threadIdx.x] = column < n && j < k ? b[j * n + column] : 0;
        __syncthreads();
        for (int p = 0; p < TILE; p++) sum += left[threadIdx.y][p] * right[p][threadIdx.x];
        __syncthreads();
    }
    if (row < m && column < n) c[row * n + column] = sum;
}

// c[64][n] = a[64][k] b[k][n]: vectors of four, 16 results a thread, the next tile loaded into registers while this one
// is used.
__global__ void product_in_registers(float* c, const float* a, const float* b, int n, int k) {
    __shared__ float4 left[2][16][16], right[2][16][16];  // [stage][p][four rows or columns]
    int t = threadIdx.x, y = t / 16, x = t % 16;
    float sum[4][4] = {};
    float4 next_a = *(const float4*)&a[(t / 4) * k + t % 4 * 4], next_b = *(const float4*)&b[y * n + x * 4];
    for (int tile = 0; tile < k / 16; tile++) {
        int stage = tile % 2;
        float* columns = (float*)left[stage];
        for (int i = 0; i < 4; i++) columns[(t % 4 * 4 + i) * 64 + t / 4] = ((float*)&next_a)[i];
        right[stage][y][x] = next_b;
        __syncthreads();  // one a tile: the other stage is not touched before the next one
        if (tile + 1 < k / 16) {
            next_a = *(const float4*)&a[(t / 4) * k + (tile + 1) * 16 + t % 4 * 4];
            next_b = *(const float4*)&b[((tile + 1) * 16 + y) * n + x * 4];
        }
        for (int p = 0; p < 16; p++) {
            float4 u = left[stage][p][y], v = right[stage][p][x];
            const float us[4] = {u.x, u.y, u.z, u.w}, vs[4] = {v.x, v.y, v.z, v.w};
            for (int i = 0; i < 4; i++)
                for (int j = 0; j < 4; j++) sum[i][j] += us[i] * vs[j];
        }
    }
    for (int i = 0; i < 4; i++)
        *(float4*)&c[(y * 4 + i) * n + x * 4] = make_float4(sum[i][0], sum[i][1], sum[i][2], sum[i][3]);
}

__global__ void matrix_times_vector(float* out, const float* a, const float* x, int rows, int columns) {
    extern __shared__ float kept[];
    for (int i = threadIdx.x; i < columns; i += blockDim.x) kept[i] = x[i];
    __syncthreads();
    int row = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32;
    if (row >= rows) return;
    float sum = 0;
    for (int i = threadIdx.x % 32; i < columns; i += 32) sum += a[row * columns + i] * kept[i];
    for (int lanes = 16; lanes > 0; lanes /= 2) sum += __shfl_down_sync(0xffffffffu, sum, lanes);
    if (threadIdx.x % 32 == 0) out[row] = sum;
}

__global__ void histogram(int* counts, const unsigned char* x, int n) {
    __shared__ int bins[256];
    for (int i = threadIdx.x; i < 256; i += blockDim.x) bins[i] = 0;
    __syncthreads();
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) atomicAdd(&bins[x[i]], 1);
    __syncthreads();
    for (int i = threadIdx.x; i < 256; i += blockDim.x)
        if (bins[i]) atomicAdd(&counts[i], bins[i]);
}

// Dynamic shared memory in three parts of different types: the widest first.
__global__ void three_arrays(double* out, const float* x, int n) {
    extern __shared__ __align__(16) unsigned char memory[];
    double* squares = (double*)memory;
    int* places = (int*)(squares + n);
    unsigned char* signs = (unsigned char*)(places + n);
    int t = threadIdx.x;
    if (t < n) {
        squares[t] = (double)x[t] * x[t];
        places[n - 1 - t] = t;
        signs[t] = x[t] < 0;
    }
    __syncthreads();
    if (t < n) out[t] = squares[places[t]] * (signs[places[t]] ? -1 : 1);
}

// Neighbouring bytes and halves of one word are different places: no race.
__global__ void bytes_of_one_word(unsigned char* out, const unsigned char* x, int n) {
    __shared__ unsigned char tile[64];
    __shared__ unsigned short wide[64];
    tile[threadIdx.x] = x[threadIdx.x];
    wide[63 - threadIdx.x] = x[threadIdx.x] * 2;
    __syncthreads();
    if (threadIdx.x < n) out[threadIdx.x] = tile[threadIdx.x ^ 1] + wide[threadIdx.x];
}

// Two buffers in turn need one barrier a step.
__global__ void game_of_life(unsigned char* board, int steps) {  // 16 x 16, without edges
    __shared__ unsigned char cells[2][16][16];
    int x = threadIdx.x, y = threadIdx.y;
    cells[0][y][x] = board[y * 16 + x];
    for (int step = 0; step < steps; step++) {
        __syncthreads();
        int count = 0;
        for (int dy = -1; dy <= 1; dy++)
            for (int dx = -1; dx <= 1; dx++) count += cells[step % 2][(y + dy) & 15][(x + dx) & 15];
        bool alive = cells[step % 2][y][x];
        cells[(step + 1) % 2][y][x] = alive ? count == 3 || count == 4 : count == 3;
    }
    board[y * 16 + x] = cells[steps % 2][y][x];
}

__device__ __constant__ int table[4] = {3, 1, 4, 1};
__global__ void three_dimensions(int* out, int depth, int height, int width) {
    int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
    int z = blockIdx.z * blockDim.z + threadIdx.z;
    if (x < width && y < height && z < depth) out[(z * height + y) * width + x] = table[(x + y + z) % 4] * 100 + x;
}

// The barriers stand in a branch and in a loop that are the same for the whole block.
__global__ void barriers_in_uniform_branches(float* out, const float* x, int steps) {
    __shared__ float tile[64];
    float value = x[blockIdx.x * 64 + threadIdx.x];
    if (blockIdx.x % 2 == 0) {
        for (int step = 0; step < steps; step++) {
            tile[threadIdx.x] = value;
            __syncthreads();
            value += tile[(threadIdx.x + 1) % 64];
            __syncthreads();
        }
    } else if (steps > 100) {
        return;
    }
    out[blockIdx.x * 64 + threadIdx.x] = value;
}
