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

// The same of a result that is turned: where single elements go, of the i-th 8 columns of the tile and of row h, column e of
// a lane; which chunks are taken in the i-th of four steps. And where a warp reads a turned operand, in register r of a step.
__global__ void turned(int* stored, int* taken, int* read, int* row, int warp, int i, int h, int e) {
    const int lane = threadIdx.x;
    stored[lane] = turned_place(i * 8 + lane % 4 * 2 + e, lane / 16 * 2 + h) + lane / 4 % 4 * 4;
    taken[lane] = turned_place(lane / 16 * 4 + lane / 4 % 2 * 2 + lane / 8 % 2 + i * 8, lane % 4);
    const int r = e * 2 + h;
    read[lane] = (TurnedLeft(warp).base ^ (r % 2 * CHUNK) ^ (r / 2 * 4 * CHUNK)) + (i * 8 + r / 2 * 4) * LINE;
    row[lane] = TurnedLeft::row(warp, lane / 16 * 2 + h) + lane / 4 % 4;
}
