// Arrays side by side in one launch: `cat`, and the gradient of a slice, whose neighbours are zeros.
//
// The result is rows of `width` units; in each row lie those of the sources, one after the other, or zeros for a source
// that is not there. Limited by memory: units of 16 bytes where all sources begin and end at such, else elements.
#include "table.cuh"

#include "pointwise.cuh"

namespace {

template <typename U>
__device__ __forceinline__ U zero() {
    return U(0);
}
template <>
__device__ __forceinline__ uint4 zero<uint4>() {
    return make_uint4(0u, 0u, 0u, 0u);
}

}  // namespace

// The table: a source's address, its units in a row, and where in a row it begins. `of_width` divides by the width.
template <typename U, int MOST>
__global__ void __launch_bounds__(256)
    join(U* out, const __grid_constant__ Table<1, MOST> table, const Divisor of_width, int size) {
    for (long long i = grid_index(); i < size; i += grid_size()) {
        const unsigned int row = of_width(i);
        const unsigned int column = i - row * of_width.value;
        int source = 0, beyond = table.count;
        while (beyond - source > 1) {  // the last source that begins no later
            const int middle = (source + beyond) / 2;
            if (table.first[middle] <= column)
                source = middle;
            else
                beyond = middle;
        }
        const U* from = static_cast<const U*>(table.pointer[0][source]);
        out[i] = from == nullptr ? zero<U>() : from[row * table.size[source] + (column - table.first[source])];
    }
}
