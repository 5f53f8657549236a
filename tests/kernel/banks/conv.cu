// Where the threads of kernels/conv_tensor.cu store what they gather, as its own code computes it: bytes from an operand's
// slice.
#include "conv_tensor.cu"

template <typename T, int TILE_M, int TILE_N, int WARPS_M, int WARPS_N>
__global__ void stores(int* chunk, int* element, int part, int i) {
    using Tile = Gathered<T, TILE_M, TILE_N, WARPS_M, WARPS_N>;
    chunk[threadIdx.x] = Tile::chunk_place() ^ part * Tile::BESIDE * CHUNK;
    element[threadIdx.x] = Tile::element_place(i);
}
