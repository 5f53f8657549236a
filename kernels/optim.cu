// One step of SGD, Adam and AdamW, in place.
//
// Fused: weight decay, the moments and the update are one read and one write of each array instead of a dozen. Limited
// by memory: 16-byte accesses. Learning rate and step number are read from device memory, so that a recorded step can
// be replayed with new values. The formulas and the order of operations are PyTorch's (torch/optim/sgd.py, adam.py).
//
// T: parameters, gradients and states; A: arithmetic. V elements an access; V > 1 needs aligned arrays; elements after
// the last whole V are done singly. Any one-dimensional grid.
#include "common.cuh"

namespace {

// Calls update(i, n) for this thread's share of [0, size): n = V at multiples of V, then n = 1 for the rest.
template <int V, typename F>
__device__ __forceinline__ void for_each_pack(long long size, F update) {
    const long long whole = size / V * V;
    for (long long i = grid_index() * V; i < whole; i += grid_size() * V) update.template operator()<V>(i);
    if (V > 1 && whole + grid_index() < size) update.template operator()<1>(whole + grid_index());
}

template <typename T, typename A>
struct Sgd {
    T* parameter;
    const T* gradient;
    T* momentum_buffer;
    A rate, momentum, undamped, weight_decay;
    bool first, nesterov, maximize;

    template <int N>
    __device__ __forceinline__ void operator()(long long i) const {
        Pack<T, N> p = load_pack<N>(parameter + i), g = load_pack<N>(gradient + i), b;
        if (momentum_buffer != nullptr && !first) b = load_pack<N>(momentum_buffer + i);
#pragma unroll
        for (int j = 0; j < N; ++j) {
            const A weight = to<A>(p.item[j]);
            A slope = maximize ? -to<A>(g.item[j]) : to<A>(g.item[j]);
            slope += weight_decay * weight;
            if (momentum_buffer != nullptr) {
                const A velocity = first ? slope : momentum * to<A>(b.item[j]) + undamped * slope;
                b.item[j] = to<T>(velocity);
                slope = nesterov ? slope + momentum * velocity : velocity;
            }
            p.item[j] = to<T>(weight - rate * slope);
        }
        store_pack<N>(parameter + i, p);
        if (momentum_buffer != nullptr) store_pack<N>(momentum_buffer + i, b);
    }
};

template <typename T, typename A>
struct Adam {
    T* parameter;
    const T* gradient;
    T *mean, *square, *largest_square;
    A new_mean, keep_square, new_square, epsilon, decay, kept_weight, step_size, root_correction;
    bool maximize;

    template <int N>
    __device__ __forceinline__ void operator()(long long i) const {
        Pack<T, N> p = load_pack<N>(parameter + i), g = load_pack<N>(gradient + i), m = load_pack<N>(mean + i),
                   v = load_pack<N>(square + i), most;
        if (largest_square != nullptr) most = load_pack<N>(largest_square + i);
#pragma unroll
        for (int j = 0; j < N; ++j) {
            A weight = to<A>(p.item[j]);
            const A slope = (maximize ? -to<A>(g.item[j]) : to<A>(g.item[j])) + decay * weight;
            weight *= kept_weight;
            const A first = to<A>(m.item[j]) + new_mean * (slope - to<A>(m.item[j]));
            const A second = keep_square * to<A>(v.item[j]) + new_square * slope * slope;
            A divisor = second;
            if (largest_square != nullptr) {
                divisor = Max()(to<A>(most.item[j]), second);
                most.item[j] = to<T>(divisor);
            }
            m.item[j] = to<T>(first);
            v.item[j] = to<T>(second);
            p.item[j] = to<T>(weight - step_size * first / (sqrt(divisor) / root_correction + epsilon));
        }
        store_pack<N>(parameter + i, p);
        store_pack<N>(mean + i, m);
        store_pack<N>(square + i, v);
        if (largest_square != nullptr) store_pack<N>(largest_square + i, most);
    }
};

}  // namespace

// undamped: 1 - dampening. momentum_buffer is null without momentum. In the first step (step[0] == 1) the buffer's old
// content does not count and dampening does not apply, as in PyTorch, which has no buffer yet. The hyperparameters come
// in A: conversions from double would be repeated in the loop.
template <typename T, typename A, int V>
__global__ void __launch_bounds__(256)
    sgd(T* parameter, const T* __restrict__ gradient, T* momentum_buffer, const double* __restrict__ learning_rate,
        const double* __restrict__ step, A momentum, A undamped, A weight_decay, bool nesterov, bool maximize,
        long long size) {
    const bool first = momentum_buffer != nullptr && step[0] == 1.0;
    Sgd<T, A> update{parameter, gradient, momentum_buffer, A(learning_rate[0]), momentum, undamped, weight_decay, first,
                     nesterov, maximize};
    for_each_pack<V>(size, update);
}

// step[0] counts from 1. largest_square is null without amsgrad. decoupled: AdamW (Loshchilov and Hutter 2019), the
// weights shrink by learning rate times weight decay; else Adam (Kingma and Ba 2015), weight decay joins the gradient.
template <typename T, typename A, int V>
__global__ void __launch_bounds__(256)
    adam(T* parameter, const T* __restrict__ gradient, T* mean, T* square, T* largest_square,
         const double* __restrict__ learning_rate, const double* __restrict__ step, double beta1, double beta2,
         double epsilon, double weight_decay, bool decoupled, bool maximize, long long size) {
    // Powers in double once a block: per thread they would take longer than the update itself.
    __shared__ double corrections[2];
    if (threadIdx.x == 0) {
        corrections[0] = 1.0 - pow(beta1, step[0]);
        corrections[1] = sqrt(1.0 - pow(beta2, step[0]));
    }
    __syncthreads();  // thread 0 has written what all read
    const double rate = learning_rate[0];
    Adam<T, A> update{parameter, gradient, mean, square, largest_square, A(1.0 - beta1), A(beta2), A(1.0 - beta2),
                      A(epsilon), decoupled ? A(0) : A(weight_decay), decoupled ? A(1.0 - rate * weight_decay) : A(1),
                      A(rate / corrections[0]), A(corrections[1]), maximize};
    for_each_pack<V>(size, update);
}
