// Where a consumer warp of kernels/matmul_hopper.cu passes results through shared memory, as its own code computes it.
#include "matmul_hopper.cu"

// The rows that lanes name to stmatrix and ldmatrix, of chunks 2 * pair and 2 * pair + 1; and the chunks that they take
// in the i-th of four steps. `stored`: where pairs of float go, of the pair-th 8 columns.
__global__ void results(int* named, int* stored, int* taken, int pair, int i) {
    const int lane = threadIdx.x;
    named[lane] = strip_place(lane % 16, pair * 2 + lane / 16);
    stored[lane] = strip_place(lane / 4, pair * 2 + lane % 4 / 2) + lane % 2 * 8;
    taken[lane] = strip_place(i * 4 + lane / 8, lane % 8);
}
