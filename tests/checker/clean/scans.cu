// Prefix sums, compaction, sorting.
#include <cooperative_groups.h>

__global__ void hillis_steele(float* out, const float* x, int n) {
    extern __shared__ float buffers[];  // two of blockDim.x
    float *from = buffers, *to = buffers + blockDim.x;
    from[threadIdx.x] = threadIdx.x < n ? x[threadIdx.x] : 0;
    __syncthreads();
    for (int distance = 1; distance < blockDim.x; distance *= 2) {
        to[threadIdx.x] = from[threadIdx.x] + (threadIdx.x >= distance ? from[threadIdx.x - distance] : 0);
        __syncthreads();
        float* last = from;
        from = to, to = last;
    }
    if (threadIdx.x < n) out[threadIdx.x] = from[threadIdx.x];
}

// Exclusive, in place; two elements a thread.
__global__ void blelloch(int* out, const int* x) {
    __shared__ int tree[128];
    int t = threadIdx.x, offset = 1;
    tree[2 * t] = x[2 * t];
    tree[2 * t + 1] = x[2 * t + 1];
    for (int d = 64; d > 0; d /= 2, offset *= 2) {
        __syncthreads();
        if (t < d) tree[offset * (2 * t + 2) - 1] += tree[offset * (2 * t + 1) - 1];
    }
    if (t == 0) tree[127] = 0;
    for (int d = 1; d < 128; d *= 2) {
        offset /= 2;
        __syncthreads();
        if (t >= d) continue;
        int left = offset * (2 * t + 1) - 1, right = offset * (2 * t + 2) - 1, kept = tree[left];
        tree[left] = tree[right];
        tree[right] += kept;
    }
    out[2 * t] = tree[2 * t];
    out[2 * t + 1] = tree[2 * t + 1];
}

__device__ int warp_scan(int value) {
    for (int distance = 1; distance < 32; distance *= 2) {
        int before = __shfl_up_sync(0xffffffffu, value, distance);
        if (threadIdx.x % 32 >= distance) value += before;
    }
    return value;
}

__device__ int block_scan(int value) {
    __shared__ int sums[32];
    int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    value = warp_scan(value);
    if (lane == 31) sums[warp] = value;
    __syncthreads();
    if (warp == 0) {
        int scanned = warp_scan(lane < blockDim.x / 32 ? sums[lane] : 0);
        sums[lane] = scanned;
    }
    __syncthreads();
    return value + (warp > 0 ? sums[warp - 1] : 0);
}

__global__ void scan_by_warps(int* out, const int* x) { out[threadIdx.x] = block_scan(x[threadIdx.x]); }

// Decoupled look-back (Merrill and Garland, 2016), with a ticket instead of blockIdx, so that a block only waits for
// blocks that run already. state: 0 nothing yet, 1 the tile's sum is there, 2 the sum of all tiles up to this one.
__global__ void look_back(int* out, int* sums, int* totals, int* state, int* ticket, const int* x) {
    __shared__ int tile, before;
    if (threadIdx.x == 0) tile = atomicAdd(ticket, 1);
    __syncthreads();
    int i = tile * blockDim.x + threadIdx.x;
    int scanned = block_scan(x[i]);
    if (threadIdx.x == blockDim.x - 1) {
        if (tile > 0) {
            sums[tile] = scanned;
            __threadfence();  // unseen: here every tile's total is there before the next one asks
            atomicExch(&state[tile], 1);
        }
        int sum = 0;
        for (int t = tile - 1; t >= 0; t--) {
            int found;
            while ((found = atomicAdd(&state[t], 0)) == 0) {}
            __threadfence();  // unseen: an atomic that reads what was released is enough for the checker
            if (found == 2) {
                sum += totals[t];
                break;
            }
            sum += sums[t];
        }
        totals[tile] = sum + scanned;
        __threadfence();
        atomicExch(&state[tile], 2);
        before = sum;
    }
    __syncthreads();
    out[i] = before + scanned;
}

// Keeps what is positive: a place for a warp by one atomic, a place within it by counting the lanes before.
__global__ void compact(float* out, int* count, const float* x, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x, lane = threadIdx.x % 32;
    bool keep = i < n && x[i] > 0;
    unsigned kept = __ballot_sync(0xffffffffu, keep);
    int first = 0;
    if (lane == 0) first = atomicAdd(count, __popc(kept));
    first = __shfl_sync(0xffffffffu, first, 0);
    if (keep) out[first + __popc(kept & ((1u << lane) - 1))] = x[i];
}

// The same by those lanes alone that have something to keep.
__global__ void compact_coalesced(float* out, int* count, const float* x, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n && x[i] > 0) {
        auto group = cooperative_groups::coalesced_threads();
        int first = 0;
        if (group.thread_rank() == 0) first = atomicAdd(count, (int)group.size());
        out[group.shfl(first, 0) + group.thread_rank()] = x[i];
    }
}

// Lanes with the same key add once.
__global__ void histogram_aggregated(int* counts, const int* keys) {
    int key = keys[blockIdx.x * blockDim.x + threadIdx.x];
    unsigned same = __match_any_sync(0xffffffffu, key);
    if (threadIdx.x % 32 == __ffs(same) - 1) atomicAdd(&counts[key], __popc(same));
}

__global__ void bitonic_sort(float* x) {
    __shared__ float tile[128];
    int t = threadIdx.x;
    tile[t] = x[blockIdx.x * 128 + t];
    for (int size = 2; size <= 128; size *= 2)
        for (int stride = size / 2; stride > 0; stride /= 2) {
            __syncthreads();
            int other = t ^ stride;
            if (other > t && (tile[t] > tile[other]) == ((t & size) == 0)) {
                float kept = tile[t];
                tile[t] = tile[other];
                tile[other] = kept;
            }
        }
    __syncthreads();
    x[blockIdx.x * 128 + t] = tile[t];
}

// One bit of a radix sort: zeros keep their order at the front, ones behind them.
__global__ void radix_split(unsigned* out, const unsigned* x, int bit) {
    __shared__ int zeros;
    unsigned key = x[threadIdx.x];
    int zero = !(key >> bit & 1), before = block_scan(zero) - zero;
    if (threadIdx.x == blockDim.x - 1) zeros = before + zero;
    __syncthreads();
    out[zero ? before : zeros + (int)threadIdx.x - before] = key;
}
