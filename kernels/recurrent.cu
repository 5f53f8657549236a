// Recurrent layers over a sequence: plain (Elman), LSTM and GRU, forward and backward.
//
// The products with the inputs of all steps are one matrix product before; left is what depends on the step before,
//     h[t], c[t] = cell(x[t], W h[t-1] + b, h[t-1], c[t-1])
// and what limits it is the time of one step, T times in a row. Two ways:
//
// sequence_forward, sequence_backward: one launch for the whole sequence, for hidden sizes whose W fits the registers of
// a block. A block has some rows of the batch, which need nothing of other blocks, so that there is no barrier of the
// grid. Hidden unit u has 4 neighbouring lanes, which hold its rows of W (backward: its columns), a quarter each, from
// the first step to the last. A step reads h from shared memory, 16 bytes for 4 products of each gate, adds up the 4
// lanes' sums by shuffles, and ends with one barrier, since h has two buffers.
//
// sequence_step, sequence_step_grad: what is between the products of two steps, where W is too large for that. One
// thread for each hidden unit of each row of the batch.
//
// Layouts: x, dx [times, batch, GATES hidden]; states [times, batch, STATES hidden] (h, then an LSTM's c);
// saved [times, batch, SAVES hidden], the gates after their activations (GRU: and the product of n); weight
// [GATES hidden, hidden]. Where a sequence is over (lengths[row] <= t; null: never) its state stays as it is.
#include "common.cuh"

enum Cell { LSTM, GRU, RNN_TANH, RNN_RELU };

namespace {

template <int CELL>
struct Sizes {
    static constexpr int GATES = CELL == LSTM ? 4 : CELL == GRU ? 3 : 1;
    static constexpr int STATES = CELL == LSTM ? 2 : 1;
    static constexpr int SAVES = CELL == LSTM || CELL == GRU ? 4 : 0;
    static constexpr bool PRODUCTS = CELL == GRU;  // the gradients of W h + b differ from those of x
};

template <typename A>
__device__ __forceinline__ A sigmoid(A x) {
    return A(1) / (A(1) + exp(-x));
}

// One hidden unit at one step: from x and W h + b of its gates, and the state before, to the new state.
template <int CELL, typename A>
__device__ __forceinline__ void advance(A (&state)[2], A (&saved)[4], const A (&x)[4], const A (&product)[4],
                                        const A (&before)[2]) {
    if constexpr (CELL == LSTM) {
        saved[0] = sigmoid(x[0] + product[0]);
        saved[1] = sigmoid(x[1] + product[1]);
        saved[2] = tanh(x[2] + product[2]);
        saved[3] = sigmoid(x[3] + product[3]);
        state[1] = saved[1] * before[1] + saved[0] * saved[2];
        state[0] = saved[3] * tanh(state[1]);
    } else if constexpr (CELL == GRU) {
        saved[0] = sigmoid(x[0] + product[0]);
        saved[1] = sigmoid(x[1] + product[1]);
        saved[2] = tanh(x[2] + saved[0] * product[2]);
        saved[3] = product[2];
        state[0] = (before[0] - saved[2]) * saved[1] + saved[2];
    } else {
        const A sum = x[0] + product[0];
        state[0] = CELL == RNN_TANH ? tanh(sum) : sum < A(0) ? A(0) : sum;  // NaN stays
    }
}

// The way back: d, the gradient of the new state, to those of x, of W h + b, and of the state before but for W h.
template <int CELL, typename A>
__device__ __forceinline__ void retreat(A (&dx)[4], A (&dproduct)[4], A (&dbefore)[2], const A (&d)[2],
                                        const A (&state)[2], const A (&saved)[4], const A (&before)[2]) {
    dbefore[0] = dbefore[1] = A(0);
    if constexpr (CELL == LSTM) {
        const A i = saved[0], f = saved[1], g = saved[2], o = saved[3], tanh_c = tanh(state[1]);
        const A dc = d[1] + d[0] * o * (A(1) - tanh_c * tanh_c);
        dx[0] = dc * g * (i * (A(1) - i));
        dx[1] = dc * before[1] * (f * (A(1) - f));
        dx[2] = dc * i * (A(1) - g * g);
        dx[3] = d[0] * tanh_c * (o * (A(1) - o));
        dbefore[1] = dc * f;
    } else if constexpr (CELL == GRU) {
        const A r = saved[0], z = saved[1], n = saved[2];
        dx[2] = d[0] * (A(1) - z) * (A(1) - n * n);
        dx[1] = d[0] * (before[0] - n) * (z * (A(1) - z));
        dx[0] = dx[2] * saved[3] * (r * (A(1) - r));
        dbefore[0] = d[0] * z;
    } else {
        dx[0] = CELL == RNN_TANH ? d[0] * (A(1) - state[0] * state[0]) : state[0] > A(0) ? d[0] : A(0);
    }
#pragma unroll
    for (int gate = 0; gate < Sizes<CELL>::GATES; ++gate) dproduct[gate] = dx[gate];
    if constexpr (CELL == GRU) dproduct[2] *= saved[0];
}

template <int PARTS, typename A, int COUNT>
__device__ __forceinline__ void load_strided(A (&part)[COUNT], const A* from, int hidden) {
#pragma unroll
    for (int i = 0; i < PARTS; ++i) part[i] = from[i * hidden];
}

template <int PARTS, typename A, int COUNT>
__device__ __forceinline__ void store_strided(A* to, const A (&part)[COUNT], int hidden) {
#pragma unroll
    for (int i = 0; i < PARTS; ++i) to[i * hidden] = part[i];
}

constexpr int LANES = 4;  // that share a hidden unit

// Element j of a lane's i-th group of 4 along k, which is read from shared memory with 16 bytes: the groups of
// neighbouring lanes are neighbours, so that the 4 lanes read 64 bytes without conflict.
__device__ __forceinline__ int position(int i, int lane) {
    return (i / 4 * LANES + lane) * 4 + i % 4;
}

// `sums` of a unit's gates over k in this lane's part, added up over the unit's lanes.
template <int GATES, typename A>
__device__ __forceinline__ void add_lanes(A (&sums)[4]) {
#pragma unroll
    for (int gate = 0; gate < GATES; ++gate) sums[gate] = warp_reduce<LANES>(sums[gate], Add());
}

}  // namespace

// ---- the whole sequence ------------------------------------------------------------------------------------------

// Block: LANES threads a hidden unit, in whole warps, for `rows` rows of the batch; grid: the parts of the batch.
// hidden <= LANES * DEPTH. Dynamic shared memory: (2 LANES DEPTH + (STATES - 1) hidden) rows numbers.
template <typename A, int CELL, int DEPTH>
__global__ void __launch_bounds__(LANES* LANES* DEPTH, 1)
    sequence_forward(A* states, A* saved, const A* __restrict__ x, const A* __restrict__ state,
                     const A* __restrict__ weight, const A* __restrict__ bias, const long long* __restrict__ lengths,
                     int times, int batch, int hidden, int rows, bool reverse) {
    using S = Sizes<CELL>;
    constexpr int GATES = S::GATES, WIDTH = LANES * DEPTH;
    extern __shared__ __align__(16) unsigned char memory[];
    A* h = reinterpret_cast<A*>(memory);  // [2][rows][WIDTH]
    A* const c = h + 2 * rows * WIDTH;    // [rows][hidden]
    const int unit = threadIdx.x / LANES, lane = threadIdx.x % LANES;
    const int first = blockIdx.x * rows, count = batch - first < rows ? batch - first : rows;
    const bool there = unit < hidden;

    A w[GATES][DEPTH], b[GATES];
#pragma unroll
    for (int gate = 0; gate < GATES; ++gate) {
        b[gate] = bias && there ? bias[gate * hidden + unit] : A(0);
#pragma unroll
        for (int i = 0; i < DEPTH; ++i) {
            const int k = position(i, lane);
            w[gate][i] = there && k < hidden ? weight[(gate * hidden + unit) * hidden + k] : A(0);
        }
    }
    for (int at = threadIdx.x; at < 2 * rows * WIDTH; at += blockDim.x) {
        const int row = at / WIDTH % rows, k = at % WIDTH;
        h[at] = at < rows * WIDTH && row < count && k < hidden
                    ? state[static_cast<long long>(first + row) * S::STATES * hidden + k] : A(0);
    }
    if constexpr (CELL == LSTM)
        for (int row = lane; there && row < count; row += LANES)
            c[row * hidden + unit] = state[(first + row) * 2ll * hidden + hidden + unit];
    __syncthreads();  // h is there before any thread reads it

    A* next = h + rows * WIDTH;
    for (int step = 0; step < times; ++step) {
        const int t = reverse ? times - 1 - step : step;
        for (int start = 0; start < count; start += LANES) {
            // The rows' sums are formed one after the other by all lanes; what follows, each lane does for its own row.
            const int row = start + lane;
            const bool mine = there && row < count;
            const long long at = static_cast<long long>(t) * batch + first + row;
            A gates[4], product[4];
            if (mine) load_strided<GATES>(gates, x + at * GATES * hidden + unit, hidden);  // early: it takes long
            const bool over = mine && lengths && lengths[first + row] <= t;
#pragma unroll
            for (int other = 0; other < LANES; ++other) {
                if (start + other >= count) break;  // the same for the whole block
                A sums[4] = {};
                const A* from = h + (start + other) * WIDTH + lane * 4;
#pragma unroll
                for (int i = 0; i < DEPTH; i += 4) {
                    const Pack<A, 4> pack = load_pack<4>(from + i * LANES);
#pragma unroll
                    for (int j = 0; j < 4; ++j)
#pragma unroll
                        for (int gate = 0; gate < GATES; ++gate) sums[gate] += w[gate][i + j] * pack.item[j];
                }
                add_lanes<GATES>(sums);
#pragma unroll
                for (int gate = 0; gate < GATES; ++gate)
                    if (lane == other) product[gate] = sums[gate] + b[gate];
            }
            if (!mine) continue;
            A before[2] = {h[row * WIDTH + unit], A(0)}, after[2], kept[4];
            if constexpr (CELL == LSTM) before[1] = c[row * hidden + unit];
            advance<CELL>(after, kept, gates, product, before);
            if (over) {
                after[0] = before[0];
                after[1] = before[1];
            }
            next[row * WIDTH + unit] = after[0];
            if constexpr (CELL == LSTM) c[row * hidden + unit] = after[1];
            store_strided<S::STATES>(states + at * S::STATES * hidden + unit, after, hidden);
            store_strided<S::SAVES>(saved + at * S::SAVES * hidden + unit, kept, hidden);
        }
        __syncthreads();  // h[t] is written before step t + 1 reads it, and h[t-1] read before that step overwrites it
        A* const swapped = h;
        h = next;
        next = swapped;
    }
}

// dx, dproducts (null where they are dx) and dstate from g, the gradient of states. Block and grid as above; dynamic
// shared memory: (2 GATES LANES DEPTH + STATES hidden) rows numbers.
template <typename A, int CELL, int DEPTH>
__global__ void __launch_bounds__(LANES* LANES* DEPTH, 1)
    sequence_backward(A* dx, A* dproducts, A* dstate, const A* __restrict__ g, const A* __restrict__ states,
                      const A* __restrict__ saved, const A* __restrict__ state, const A* __restrict__ weight,
                      const long long* __restrict__ lengths, int times, int batch, int hidden, int rows,
                      bool reverse) {
    using S = Sizes<CELL>;
    constexpr int GATES = S::GATES, STATES = S::STATES, WIDTH = LANES * DEPTH;
    extern __shared__ __align__(16) unsigned char memory[];
    A* gates = reinterpret_cast<A*>(memory);          // [2][rows][GATES][WIDTH]: the gradients of W h + b
    A* const carry = gates + 2 * rows * GATES * WIDTH;  // [rows][STATES][hidden]: of the state; each its thread's own
    const int unit = threadIdx.x / LANES, lane = threadIdx.x % LANES;
    const int first = blockIdx.x * rows, count = batch - first < rows ? batch - first : rows;
    const bool there = unit < hidden;

    A w[GATES][DEPTH];
#pragma unroll
    for (int gate = 0; gate < GATES; ++gate)
#pragma unroll
        for (int i = 0; i < DEPTH; ++i) {
            const int k = position(i, lane);
            w[gate][i] = there && k < hidden ? weight[(gate * hidden + k) * hidden + unit] : A(0);
        }
    for (int at = threadIdx.x; at < 2 * rows * GATES * WIDTH; at += blockDim.x) gates[at] = A(0);
    for (int row = lane; there && row < count; row += LANES)
#pragma unroll
        for (int part = 0; part < STATES; ++part) carry[(row * STATES + part) * hidden + unit] = A(0);
    __syncthreads();  // what lies beyond `hidden` is 0 before any thread reads it, and stays so

    for (int step = times - 1; step >= 0; --step) {
        const int t = reverse ? times - 1 - step : step;
        for (int row = lane; there && row < count; row += LANES) {
            const long long at = static_cast<long long>(t) * batch + first + row;
            const A* const earlier = step == 0 ? state + static_cast<long long>(first + row) * STATES * hidden
                                               : states + (at + (reverse ? batch : -batch)) * STATES * hidden;
            A d[2], after[2], before[2], kept[4], dgates[4], dproduct[4], dbefore[2];
            load_strided<STATES>(d, g + at * STATES * hidden + unit, hidden);
            load_strided<STATES>(after, states + at * STATES * hidden + unit, hidden);
            load_strided<STATES>(before, earlier + unit, hidden);
            load_strided<S::SAVES>(kept, saved + at * S::SAVES * hidden + unit, hidden);
            A* const own = carry + row * STATES * hidden + unit;
#pragma unroll
            for (int part = 0; part < STATES; ++part) d[part] += own[part * hidden];
            retreat<CELL>(dgates, dproduct, dbefore, d, after, kept, before);
            if (lengths && lengths[first + row] <= t) {
#pragma unroll
                for (int gate = 0; gate < GATES; ++gate) dgates[gate] = dproduct[gate] = A(0);
                dbefore[0] = d[0];
                dbefore[1] = d[1];
            }
            store_strided<GATES>(dx + at * GATES * hidden + unit, dgates, hidden);
            if constexpr (S::PRODUCTS) store_strided<GATES>(dproducts + at * GATES * hidden + unit, dproduct, hidden);
            store_strided<GATES>(gates + row * GATES * WIDTH + unit, dproduct, WIDTH);
            store_strided<STATES>(own, dbefore, hidden);
        }
        __syncthreads();  // the step's gradients are written before any thread reads them; the other buffer is read
        for (int row = 0; row < count; ++row) {
            A sum = A(0);
#pragma unroll
            for (int gate = 0; gate < GATES; ++gate) {
                const A* from = gates + (row * GATES + gate) * WIDTH + lane * 4;
#pragma unroll
                for (int i = 0; i < DEPTH; i += 4) {
                    const Pack<A, 4> pack = load_pack<4>(from + i * LANES);
#pragma unroll
                    for (int j = 0; j < 4; ++j) sum += w[gate][i + j] * pack.item[j];
                }
            }
            sum = warp_reduce<LANES>(sum, Add());
            if (there && row % LANES == lane) carry[row * STATES * hidden + unit] += sum;
        }
        gates = step % 2 == (times - 1) % 2 ? gates + rows * GATES * WIDTH : gates - rows * GATES * WIDTH;
    }
    for (int row = lane; there && row < count; row += LANES)
#pragma unroll
        for (int part = 0; part < STATES; ++part)
            dstate[((first + row) * static_cast<long long>(STATES) + part) * hidden + unit] =
                carry[(row * STATES + part) * hidden + unit];
}

// ---- one step between two matrix products --------------------------------------------------------------------------

// From x and products = W h + b at step t, and the state before. h: where the new h is also written, without the c
// beside it, for the next product; may be null. One thread for each of batch * hidden units.
template <typename A, int CELL>
__global__ void __launch_bounds__(256)
    sequence_step(A* state, A* saved, A* h, const A* __restrict__ x, const A* __restrict__ products,
                  const A* __restrict__ before, const long long* __restrict__ lengths, int t, int batch, int hidden) {
    using S = Sizes<CELL>;
    const long long index = grid_index();
    if (index >= static_cast<long long>(batch) * hidden) return;
    const int row = static_cast<int>(index / hidden), unit = static_cast<int>(index % hidden);
    const long long at = row;
    A gates[4], product[4], earlier[2], after[2], kept[4];
    load_strided<S::GATES>(gates, x + at * S::GATES * hidden + unit, hidden);
    load_strided<S::GATES>(product, products + at * S::GATES * hidden + unit, hidden);
    load_strided<S::STATES>(earlier, before + at * S::STATES * hidden + unit, hidden);
    advance<CELL>(after, kept, gates, product, earlier);
    if (lengths && lengths[row] <= t) {
        after[0] = earlier[0];
        after[1] = earlier[1];
    }
    store_strided<S::STATES>(state + at * S::STATES * hidden + unit, after, hidden);
    store_strided<S::SAVES>(saved + at * S::SAVES * hidden + unit, kept, hidden);
    if (h) h[index] = after[0];
}

// The way back through such a step. dstate: on entry the gradient of this step's state from later ones, but for
// `carry`, the part that came through their W h (null at the last step); on return that of the state before, but for
// what goes through this step's W h. With g null only `carry` is added: what is left to do after the first step.
template <typename A, int CELL>
__global__ void __launch_bounds__(256)
    sequence_step_grad(A* dx, A* dproducts, A* dstate, const A* __restrict__ carry, const A* __restrict__ g,
                       const A* __restrict__ state, const A* __restrict__ saved, const A* __restrict__ before,
                       const long long* __restrict__ lengths, int t, int batch, int hidden) {
    using S = Sizes<CELL>;
    const long long index = grid_index();
    if (index >= static_cast<long long>(batch) * hidden) return;
    const int row = static_cast<int>(index / hidden), unit = static_cast<int>(index % hidden);
    const long long at = row;
    A* const own = dstate + at * S::STATES * hidden + unit;
    A d[2] = {};
    if (carry) {
        load_strided<S::STATES>(d, own, hidden);
        d[0] += carry[index];
    }
    if (!g) {
        own[0] = d[0];
        return;
    }
    A later[2], after[2], earlier[2], kept[4], dgates[4], dproduct[4], dbefore[2];
    load_strided<S::STATES>(later, g + at * S::STATES * hidden + unit, hidden);
#pragma unroll
    for (int part = 0; part < S::STATES; ++part) d[part] += later[part];
    load_strided<S::STATES>(after, state + at * S::STATES * hidden + unit, hidden);
    load_strided<S::STATES>(earlier, before + at * S::STATES * hidden + unit, hidden);
    load_strided<S::SAVES>(kept, saved + at * S::SAVES * hidden + unit, hidden);
    retreat<CELL>(dgates, dproduct, dbefore, d, after, kept, earlier);
    if (lengths && lengths[row] <= t) {
#pragma unroll
        for (int gate = 0; gate < S::GATES; ++gate) dgates[gate] = dproduct[gate] = A(0);
        dbefore[0] = d[0];
        dbefore[1] = d[1];
    }
    store_strided<S::GATES>(dx + at * S::GATES * hidden + unit, dgates, hidden);
    if constexpr (S::PRODUCTS) store_strided<S::GATES>(dproducts + at * S::GATES * hidden + unit, dproduct, hidden);
    store_strided<S::STATES>(own, dbefore, hidden);
}
