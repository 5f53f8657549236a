// One step of an optimizer, in place, for all parameters of a group in one launch.
//
// Fused: weight decay, the states and the update are one read and one write of each array instead of a dozen, for up to
// hundreds of parameters (table.cuh). Limited by memory: 16-byte accesses. Learning rate and step count lie in device
// memory, so that a recorded step can be replayed with new values; what follows from them (corrections, powers in
// double) is computed once, by `prepare`, and not by each block. Formulas and their sources: gpunet/ops/optim.py.
//
// T: parameters and gradients; A: arithmetic and states, so that states of half types keep what a step adds to them.
#include "table.cuh"

namespace {

// a / b and sqrt(x). In float by an approximation and a correction, at most a unit in the last place from the rounded
// result: the exact instructions call a subroutine for rare cases, around which registers are spilled.
__device__ __forceinline__ float quotient(float a, float b) {
    const float inverse = __fdividef(1.f, b), q = a * inverse, rest = fmaf(-q, b, a);
    return rest == rest ? fmaf(rest, inverse, q) : q;  // not for infinities
}
__device__ __forceinline__ double quotient(double a, double b) { return a / b; }
__device__ __forceinline__ float root(float x) {
    const float inverse = rsqrtf(x), s = x * inverse;
    return x == 0.f || x == infinity<float>() ? x : fmaf(fmaf(-s, s, x), 0.5f * inverse, s);
}
__device__ __forceinline__ double root(double x) { return sqrt(x); }

// What has been prepared for a parameter, as every rule takes it: the rate with its corrections, what the weight is
// multiplied by first, and two numbers of the rule's own.
template <typename A>
struct Factors {
    A rate, shrink, a, b;
};

// A rule changes a weight and its states along a slope (the gradient, with weight decay where that is coupled). p: the
// options that do not change from step to step. Of a state that is not there, `has` is false and nothing is kept.

template <typename A>
struct Sgd {  // p: momentum, 1 - dampening, nesterov. a: 0 in the first step, whose buffer is the gradient
    static constexpr int STATES = 1;
    __device__ __forceinline__ static void update(A& weight, A slope, A (&state)[1], const bool (&has)[1],
                                                  const Factors<A>& f, const A (&p)[4]) {
        if (has[0]) {
            state[0] = f.a == A(0) ? slope : p[0] * state[0] + p[1] * slope;
            slope = p[2] != A(0) ? slope + p[0] * state[0] : state[0];
        }
        weight -= f.rate * slope;
    }
};

template <typename A>
struct Asgd {  // a: the weight's share in the mean
    static constexpr int STATES = 1;
    __device__ __forceinline__ static void update(A& weight, A slope, A (&state)[1], const bool (&)[1],
                                                  const Factors<A>& f, const A (&)[4]) {
        weight -= slope * f.rate;
        state[0] += (weight - state[0]) * f.a;
    }
};

// Moves the means of the gradient and of its square on. p: 1 - beta1, beta2, 1 - beta2.
template <typename A, int STATES>
__device__ __forceinline__ void move(A (&state)[STATES], A slope, const A (&p)[4]) {
    state[0] += (slope - state[0]) * p[0];
    state[1] = state[1] * p[1] + slope * p[2] * slope;
}

template <typename A>
struct Adam {  // a: eps times the root of the square's correction
    static constexpr int STATES = 3;
    __device__ __forceinline__ static void update(A& weight, A slope, A (&state)[3], const bool (&has)[3],
                                                  const Factors<A>& f, const A (&p)[4]) {
        move(state, slope, p);
        A square = state[1];
        if (has[2]) square = state[2] = Max()(state[2], square);
        weight -= f.rate * quotient(state[0], root(square) + f.a);
    }
};

template <typename A>
struct Adamax {  // p: 1 - beta1, beta2, eps
    static constexpr int STATES = 2;
    __device__ __forceinline__ static void update(A& weight, A slope, A (&state)[2], const bool (&)[2],
                                                  const Factors<A>& f, const A (&p)[4]) {
        state[0] += (slope - state[0]) * p[0];
        state[1] = Max()(state[1] * p[1], fabs(slope) + p[2]);
        weight -= f.rate * quotient(state[0], state[1]);
    }
};

template <typename A>
struct NAdam {  // p[3]: eps. rate: of the slope; a: of the mean; b: the square's correction
    static constexpr int STATES = 2;
    __device__ __forceinline__ static void update(A& weight, A slope, A (&state)[2], const bool (&)[2],
                                                  const Factors<A>& f, const A (&p)[4]) {
        move(state, slope, p);
        weight -= quotient(slope * f.rate + state[0] * f.a, root(state[1] * f.b) + p[3]);
    }
};

template <typename A>
struct RAdam {  // p[3]: eps. a: not 0 once the square counts
    static constexpr int STATES = 2;
    __device__ __forceinline__ static void update(A& weight, A slope, A (&state)[2], const bool (&)[2],
                                                  const Factors<A>& f, const A (&p)[4]) {
        move(state, slope, p);
        weight -= f.rate * (f.a != A(0) ? quotient(state[0], root(state[1]) + p[3]) : state[0]);
    }
};

template <typename A>
struct Adagrad {  // p: eps
    static constexpr int STATES = 1;
    __device__ __forceinline__ static void update(A& weight, A slope, A (&state)[1], const bool (&)[1],
                                                  const Factors<A>& f, const A (&p)[4]) {
        state[0] += slope * slope;
        weight -= f.rate * quotient(slope, root(state[0]) + p[0]);
    }
};

template <typename A>
struct Adadelta {  // p: rho, 1 - rho, eps
    static constexpr int STATES = 2;
    __device__ __forceinline__ static void update(A& weight, A slope, A (&state)[2], const bool (&)[2],
                                                  const Factors<A>& f, const A (&p)[4]) {
        state[0] = state[0] * p[0] + slope * slope * p[1];
        const A along = quotient(root(state[1] + p[2]), root(state[0] + p[2])) * slope;
        state[1] = state[1] * p[0] + along * along * p[1];
        weight -= f.rate * along;
    }
};

template <typename A>
struct RmsProp {  // p: alpha, 1 - alpha, eps, momentum. States: mean square, velocity, mean
    static constexpr int STATES = 3;
    __device__ __forceinline__ static void update(A& weight, A slope, A (&state)[3], const bool (&has)[3],
                                                  const Factors<A>& f, const A (&p)[4]) {
        state[0] = state[0] * p[0] + slope * slope * p[1];
        A spread = state[0];
        if (has[2]) {
            state[2] += (slope - state[2]) * p[1];
            spread -= state[2] * state[2];
        }
        A along = quotient(slope, root(spread) + p[2]);
        if (has[1]) along = state[1] = state[1] * p[3] + along;
        weight -= f.rate * along;
    }
};

template <typename A>
struct Rprop {  // p: etaminus, etaplus, least and largest step. States: the slope before, the step
    static constexpr int STATES = 2;
    __device__ __forceinline__ static void update(A& weight, A slope, A (&state)[2], const bool (&)[2],
                                                  const Factors<A>&, const A (&p)[4]) {
        const A turn = state[0] * slope;
        A size = state[1] * (turn > A(0) ? p[1] : turn < A(0) ? p[0] : A(1));
        size = size < p[2] ? p[2] : size > p[3] ? p[3] : size;
        slope = turn < A(0) ? A(0) : slope;
        state[0] = slope;
        state[1] = size;
        weight -= slope > A(0) ? size : slope < A(0) ? -size : slope * size;  // NaN stays NaN
    }
};

template <typename T, typename A, typename Rule>
struct Step {
    T* weights;
    const T* gradients;
    A* states[Rule::STATES];
    bool has[Rule::STATES];
    Factors<A> factors;
    A options[4], decay;
    bool maximize;

    template <int N>
    __device__ __forceinline__ void operator()(long long i) const {
        Pack<T, N> weight = load_pack<N>(weights + i);
        const Pack<T, N> gradient = load_pack<N>(gradients + i);
        Pack<A, N> state[Rule::STATES];
#pragma unroll
        for (int s = 0; s < Rule::STATES; ++s)
            if (has[s]) load_wide(state[s], states[s] + i);
#pragma unroll
        for (int j = 0; j < N; ++j) {
            A own[Rule::STATES], w = to<A>(weight.item[j]);
            A slope = maximize ? -to<A>(gradient.item[j]) : to<A>(gradient.item[j]);
            slope += decay * w;
            w *= factors.shrink;
#pragma unroll
            for (int s = 0; s < Rule::STATES; ++s) own[s] = has[s] ? state[s].item[j] : A(0);
            Rule::update(w, slope, own, has, factors, options);
#pragma unroll
            for (int s = 0; s < Rule::STATES; ++s) state[s].item[j] = own[s];
            weight.item[j] = to<T>(w);
        }
        store_pack<N>(weights + i, weight);
#pragma unroll
        for (int s = 0; s < Rule::STATES; ++s)
            if (has[s]) store_wide(states[s] + i, state[s]);
    }

private:
    // A pack of states of a half type is wider than one access.
    static constexpr int most(int n) { return n * sizeof(A) > 16 ? 16 / sizeof(A) : n; }
    template <int N>
    __device__ __forceinline__ static void load_wide(Pack<A, N>& pack, const A* from) {
        constexpr int V = most(N);
#pragma unroll
        for (int k = 0; k < N; k += V) {
            const Pack<A, V> part = load_pack<V>(from + k);
#pragma unroll
            for (int j = 0; j < V; ++j) pack.item[k + j] = part.item[j];
        }
    }
    template <int N>
    __device__ __forceinline__ static void store_wide(A* to, const Pack<A, N>& pack) {
        constexpr int V = most(N);
#pragma unroll
        for (int k = 0; k < N; k += V) {
            Pack<A, V> part;
#pragma unroll
            for (int j = 0; j < V; ++j) part.item[j] = pack.item[k + j];
            store_pack<V>(to + k, part);
        }
    }
};

enum Kind { SGD, ADAM, ADAMAX, RADAM, ADAGRAD, PLAIN, ASGD, NADAM };

// The count of steps with this one; only the first launch that takes a group's step counts.
__device__ __forceinline__ double counted(double* step, bool count) {
    const double now = step[0] + (count ? 1.0 : 0.0);
    if (count) step[0] = now;
    return now;
}

}  // namespace

// The table's rows: parameters, gradients, states. factors: four numbers for all parameters, or with `each` for every
// one; the rate alone when there is only `one`.
template <typename T, typename A, typename Rule, int MOST>
__global__ void __launch_bounds__(256)
    update(const __grid_constant__ Table<5, MOST> table, const double* __restrict__ factors, bool one, bool each, A p0,
           A p1, A p2, A p3, A decay, bool maximize) {
    // Converted once: conversions from double would be repeated in the loop.
    __shared__ A converted[4];
    const Piece piece = piece_of(table, blockIdx.x);
    const int i = piece.tensor;
    if (threadIdx.x < 4)
        converted[threadIdx.x] = one && threadIdx.x ? A(1) : A(factors[(each ? 4 * i : 0) + threadIdx.x]);
    __syncthreads();  // the factors are there before any thread takes them
    Step<T, A, Rule> step{static_cast<T*>(table.pointer[0][i]), static_cast<const T*>(table.pointer[1][i]), {}, {},
                          {converted[0], converted[1], converted[2], converted[3]}, {p0, p1, p2, p3}, decay, maximize};
#pragma unroll
    for (int s = 0; s < Rule::STATES; ++s) {
        step.states[s] = static_cast<A*>(table.pointer[2 + s][i]);
        step.has[s] = step.states[s] != nullptr;
    }
    for_each_pack<256, 16 / sizeof(T)>(piece, aligned(table, i), step);
}

// Counts the step, and computes what it makes of the rate and of the options o: once, by one thread. decay: 0 where
// weight decay is coupled.
__global__ void __launch_bounds__(32)
    prepare(double* factors, double* step, const double* __restrict__ learning_rate, int kind, bool count, double o0,
            double o1, double o2, double decay) {
    if (threadIdx.x) return;
    const double t = counted(step, count), rate = learning_rate[0];
    double scaled = rate, a = 1.0;
    if (kind == SGD) {
        a = t == 1.0 ? 0.0 : 1.0;
    } else if (kind == ADAM) {  // o: beta1, beta2, eps
        const double root = sqrt(1.0 - pow(o1, t));
        scaled = rate * root / (1.0 - pow(o0, t));
        a = o2 * root;
    } else if (kind == ADAMAX) {
        scaled = rate / (1.0 - pow(o0, t));
    } else if (kind == RADAM) {
        const double power = pow(o1, t), most = 2.0 / (1.0 - o1) - 1.0;
        const double rho = most - 2.0 * t * power / (1.0 - power);
        const double rectified =
            (rho - 4.0) * (rho - 2.0) * most / ((most - 4.0) * (most - 2.0) * rho) * (1.0 - power);
        a = rho > 5.0 ? 1.0 : 0.0;
        scaled = rate / (1.0 - pow(o0, t)) * (rho > 5.0 ? sqrt(rectified) : 1.0);
    } else if (kind == ADAGRAD) {  // o: lr_decay
        scaled = rate / (1.0 + (t - 1.0) * o0);
    }
    factors[0] = scaled;
    factors[1] = 1.0 - rate * decay;
    factors[2] = a;
    factors[3] = 0.0;
}

// The same for rules with states that are one number for each parameter, which it moves on: ASGD's eta and mu, NAdam's
// product of the momentum's factors. One block.
template <int MOST>
__global__ void __launch_bounds__(256)
    prepare_each(const __grid_constant__ Table<5, MOST> table, double* factors, double* step,
                 const double* __restrict__ learning_rate, int kind, bool count, double o0, double o1, double o2,
                 double decay) {
    __shared__ double now;
    if (threadIdx.x == 0) now = counted(step, count);
    __syncthreads();  // the count is there before any thread takes it
    const double t = now, rate = learning_rate[0];
    for (int i = threadIdx.x; i < table.count; i += 256) {
        double* to = factors + 4 * i;
        if (kind == ASGD) {  // o: lambd, alpha, t0
            double *eta = static_cast<double*>(table.pointer[3][i]), *mu = static_cast<double*>(table.pointer[4][i]);
            to[0] = eta[0];
            to[1] = 1.0 - o0 * eta[0];
            to[2] = mu[0];
            to[3] = 0.0;
            eta[0] = rate / pow(1.0 + o0 * rate * t, o1);
            mu[0] = 1.0 / (t - o2 > 1.0 ? t - o2 : 1.0);
        } else {  // o: beta1, beta2, momentum_decay
            double* product = static_cast<double*>(table.pointer[4][i]);
            const double mu = o0 * (1.0 - 0.5 * pow(0.96, t * o2)), next = o0 * (1.0 - 0.5 * pow(0.96, (t + 1.0) * o2));
            const double all = product[0] * mu;
            product[0] = all;
            to[0] = rate * (1.0 - mu) / (1.0 - all);
            to[1] = 1.0 - rate * decay;
            to[2] = rate * next / (1.0 - all * next);
            to[3] = 1.0 / (1.0 - pow(o1, t));
        }
    }
}
