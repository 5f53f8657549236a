// The optimizers' updates: one call for all parameters of a group, cut into pieces of equal size whatever the parameters'
// sizes are. Formulas and their sources are in gpunet/ops/optim.py.
//
// Every entry point takes
//
//     arrays: for each parameter it and its states, then all gradients; sizes of the parameters; their number;
//     rate [1] and step [1] in double; whether to count this step; weight_decay, decoupled, maximize; then options of its own, as doubles
#include <cmath>
#include <vector>

#include "args.h"
#include "pool.h"
#include "vec.h"

namespace gpunet::cpu {
namespace {

constexpr int64_t PIECE = 8192;

struct Group {
  const Arg* arrays;
  const int64_t* sizes;
  int64_t count;
  double rate, step, decay;
  bool decoupled, maximize;
  const double* options;
  explicit Group(const Arg* a)
      : arrays(ptr<const Arg>(a[0])), sizes(ptr<const int64_t>(a[1])), count(a[2].i), rate(*ptr<const double>(a[3])),
        step(*ptr<const double>(a[4]) + (a[5].i ? 1 : 0)), decay(a[6].d), decoupled(a[7].i), maximize(a[8].i),
        options(ptr<const double>(a[9])) {
    if (a[5].i) *ptr<double>(a[4]) = step;
  }
};

// Calls body(number of the parameter) for a function f(i, get, put, weight, slope) of each piece's vectors, which stores
// the new weight itself; see the uses. STATES: of a parameter.
template <int STATES, class Body> void update(const Group& group, Body&& body) {
  std::vector<int64_t> first(group.count + 1, 0);
  for (int64_t p = 0; p < group.count; p++) first[p + 1] = first[p] + (group.sizes[p] + PIECE - 1) / PIECE;
  parallel(first[group.count], 2, [&](int64_t begin, int64_t end) {
    int64_t p = 0;
    for (int64_t piece = begin; piece < end; piece++) {
      while (first[p + 1] <= piece) p++;
      const int64_t from = (piece - first[p]) * PIECE, left = group.sizes[p] - from;
      const Arg* own = group.arrays + p * (STATES + 1);
      float *w = ptr<float>(own[0]) + from, *states[STATES + 1] = {};
      for (int s = 0; s < STATES; s++) states[s] = ptr<float>(own[s + 1]) + from;
      const float* g = ptr<const float>(group.arrays[group.count * (STATES + 1) + p]) + from;
      const float shrink = static_cast<float>(1 - group.rate * group.decay), decay = static_cast<float>(group.decay);
      const bool plain = group.decay == 0, coupled = !plain && !group.decoupled;
      const auto step = body(p);
      each(left < PIECE ? left : PIECE, [&](int64_t i, auto get, auto put) {
        vf weight = get(w + i), slope = get(g + i);
        if (group.maximize) slope = -slope;
        if (coupled)
          slope = decay * weight + slope;
        else if (!plain)
          weight *= shrink;
        step(i, states, weight, slope, get, put);
        put(w + i, weight);
      });
    }
  });
}

// Moves the means of the gradient and of its square on, and gives them.
struct Moments {
  float rest1, beta2, rest2;
  Moments(double beta1, double beta2)
      : rest1(static_cast<float>(1 - beta1)), beta2(static_cast<float>(beta2)), rest2(static_cast<float>(1 - beta2)) {}
  template <class Get, class Put>
  GPUNET_INLINE void move(int64_t i, float* const* states, vf slope, vf& mean, vf& square, Get get, Put put) const {
    mean = get(states[0] + i), square = get(states[1] + i);
    mean += (slope - mean) * rest1;
    square = square * beta2 + slope * rest2 * slope;
    put(states[0] + i, mean), put(states[1] + i, square);
  }
};

float single(double x) { return static_cast<float>(x); }

}  // namespace

// momentum, dampening, nesterov
KERNEL void sgd(const Arg* a) {
  const Group group(a);
  const double *o = group.options, later = group.step != 1 ? 1 : 0;
  const float rate = single(group.rate), momentum = single(o[0]), keep = single(o[0] * later);
  const float share = single(1 - o[1] * later);
  const bool nesterov = o[2] != 0;
  update<1>(group, [&](int64_t) {
    return [&](int64_t i, float* const* states, vf& weight, vf slope, auto get, auto put) {
      if (momentum != 0) {
        const vf velocity = get(states[0] + i) * keep + slope * share;
        put(states[0] + i, velocity);
        slope = nesterov ? slope + momentum * velocity : velocity;
      }
      weight -= slope * rate;
    };
  });
}

// lambd, alpha, t0; the states eta and mu are doubles [1]
KERNEL void asgd(const Arg* a) {
  const Group group(a);
  const double* o = group.options;
  update<3>(group, [&](int64_t p) {
    const Arg* own = group.arrays + p * 4;
    const double eta = *ptr<const double>(own[2]);
    return [shrink = single(1 - o[0] * eta), rate = single(eta), share = single(*ptr<const double>(own[3]))](
               int64_t i, float* const* states, vf& weight, vf slope, auto get, auto put) {
      weight = weight * shrink - slope * rate;
      const vf mean = get(states[0] + i);
      put(states[0] + i, mean + (weight - mean) * share);
    };
  });
  for (int64_t p = 0; p < group.count; p++) {
    const double late = group.step - o[2];
    *ptr<double>(group.arrays[p * 4 + 2]) = group.rate / std::pow(1 + o[0] * group.rate * group.step, o[1]);
    *ptr<double>(group.arrays[p * 4 + 3]) = 1 / (late > 1 ? late : 1);
  }
}

// beta1, beta2, eps, amsgrad
KERNEL void adam(const Arg* a) {
  const Group group(a);
  const double *o = group.options, root = std::sqrt(1 - std::pow(o[1], group.step));
  const Moments moments(o[0], o[1]);
  const float eps = single(o[2] * root), rate = single(group.rate * root / (1 - std::pow(o[0], group.step)));
  const bool amsgrad = o[3] != 0;
  update<3>(group, [&](int64_t) {
    return [&](int64_t i, float* const* states, vf& weight, vf slope, auto get, auto put) {
      vf mean, square;
      moments.move(i, states, slope, mean, square, get, put);
      if (amsgrad) {
        square = vmax(get(states[2] + i), square);
        put(states[2] + i, square);
      }
      weight -= mean / (vsqrt(square) + eps) * rate;
    };
  });
}

// beta1, beta2, eps
KERNEL void adamax(const Arg* a) {
  const Group group(a);
  const double* o = group.options;
  const float rest = single(1 - o[0]), beta2 = single(o[1]), eps = single(o[2]);
  const float rate = single(group.rate / (1 - std::pow(o[0], group.step)));
  update<2>(group, [&](int64_t) {
    return [&](int64_t i, float* const* states, vf& weight, vf slope, auto get, auto put) {
      vf mean = get(states[0] + i);
      mean += (slope - mean) * rest;
      const vf largest = vmax(get(states[1] + i) * beta2, vabs(slope) + eps);
      put(states[0] + i, mean), put(states[1] + i, largest);
      weight -= mean / largest * rate;
    };
  });
}

// beta1, beta2, eps, momentum_decay; the state mu_product is a double [1]
KERNEL void nadam(const Arg* a) {
  const Group group(a);
  const double* o = group.options;
  const Moments moments(o[0], o[1]);
  const auto mu_at = [&](double t) { return o[0] * (1 - 0.5 * std::pow(0.96, t * o[3])); };
  const double mu = mu_at(group.step), next = mu_at(group.step + 1);
  const float unbias = single(1 / (1 - std::pow(o[1], group.step))), eps = single(o[2]);
  for (int64_t p = 0; p < group.count; p++) *ptr<double>(group.arrays[p * 4 + 3]) *= mu;
  update<3>(group, [&](int64_t p) {
    const double product = *ptr<const double>(group.arrays[p * 4 + 3]);
    return [&, by_slope = single(group.rate * (1 - mu) / (1 - product)),
            by_mean = single(group.rate * next / (1 - product * next))](int64_t i, float* const* states, vf& weight,
                                                                      vf slope, auto get, auto put) {
      vf mean, square;
      moments.move(i, states, slope, mean, square, get, put);
      weight -= (slope * by_slope + mean * by_mean) / (vsqrt(square * unbias) + eps);
    };
  });
}

// beta1, beta2, eps
KERNEL void radam(const Arg* a) {
  const Group group(a);
  const double *o = group.options, power = std::pow(o[1], group.step), bias2 = 1 - power;
  const double most = 2 / (1 - o[1]) - 1, rho = most - 2 * group.step * power / bias2;
  const bool rectified = rho > 5;
  double factor = 1;
  if (rectified) factor = std::sqrt((rho - 4) * (rho - 2) * most / ((most - 4) * (most - 2) * rho) * bias2);
  const Moments moments(o[0], o[1]);
  const float eps = single(o[2]), rate = single(factor * group.rate / (1 - std::pow(o[0], group.step)));
  update<2>(group, [&](int64_t) {
    return [&](int64_t i, float* const* states, vf& weight, vf slope, auto get, auto put) {
      vf mean, square;
      moments.move(i, states, slope, mean, square, get, put);
      weight -= (rectified ? mean / (vsqrt(square) + eps) : mean) * rate;
    };
  });
}

// lr_decay, eps
KERNEL void adagrad(const Arg* a) {
  const Group group(a);
  const double* o = group.options;
  const float rate = single(group.rate / (1 + (group.step - 1) * o[0])), eps = single(o[1]);
  update<1>(group, [&](int64_t) {
    return [&](int64_t i, float* const* states, vf& weight, vf slope, auto get, auto put) {
      const vf total = get(states[0] + i) + slope * slope;
      put(states[0] + i, total);
      weight -= slope / (vsqrt(total) + eps) * rate;
    };
  });
}

// rho, eps
KERNEL void adadelta(const Arg* a) {
  const Group group(a);
  const double* o = group.options;
  const float rho = single(o[0]), rest = single(1 - o[0]), eps = single(o[1]), rate = single(group.rate);
  update<2>(group, [&](int64_t) {
    return [&](int64_t i, float* const* states, vf& weight, vf slope, auto get, auto put) {
      const vf square = get(states[0] + i) * rho + slope * slope * rest, lengths = get(states[1] + i);
      const vf along = vsqrt(lengths + eps) / vsqrt(square + eps) * slope;
      put(states[0] + i, square), put(states[1] + i, lengths * rho + along * along * rest);
      weight -= along * rate;
    };
  });
}

// alpha, eps, momentum, centered
KERNEL void rmsprop(const Arg* a) {
  const Group group(a);
  const double* o = group.options;
  const float alpha = single(o[0]), rest = single(1 - o[0]), eps = single(o[1]), momentum = single(o[2]);
  const float rate = single(group.rate);
  const bool centred = o[3] != 0;
  update<3>(group, [&](int64_t) {
    return [&](int64_t i, float* const* states, vf& weight, vf slope, auto get, auto put) {
      vf spread = get(states[0] + i) * alpha + slope * slope * rest;
      put(states[0] + i, spread);
      if (centred) {
        vf mean = get(states[2] + i);
        mean += (slope - mean) * rest;
        put(states[2] + i, mean);
        spread -= mean * mean;
      }
      vf along = slope / (vsqrt(spread) + eps);
      if (momentum > 0) {
        along += get(states[1] + i) * momentum;
        put(states[1] + i, along);
      }
      weight -= along * rate;
    };
  });
}

// etaminus, etaplus, step_size_min, step_size_max
KERNEL void rprop(const Arg* a) {
  const Group group(a);
  const double* o = group.options;
  const vf shrink = broadcast(single(o[0])), grow = broadcast(single(o[1])), one = broadcast(1.f);
  const vf least = broadcast(single(o[2])), most = broadcast(single(o[3]));
  update<2>(group, [&](int64_t) {
    return [&](int64_t i, float* const* states, vf& weight, vf slope, auto get, auto put) {
      const vf turn = get(states[0] + i) * slope;
      vf size = get(states[1] + i) * (turn > 0.f ? grow : turn < 0.f ? shrink : one);
      size = vmin(vmax(size, least), most);
      slope = turn < 0.f ? zero() : slope;
      put(states[0] + i, slope), put(states[1] + i, size);
      weight -= slope > 0.f ? size : slope < 0.f ? -size : slope * size;
    };
  });
}

}  // namespace gpunet::cpu
