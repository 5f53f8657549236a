// LSTM, GRU and Elman's network over a whole sequence, forward and backward.
//
// The recurrent matrix is packed once. Then the batch is cut into slices of rows; a slice goes through all times by
// itself, since the rows of a batch do not meet, so there is no barrier between the steps. A tile of the product
// h[t-1] W^T holds all gates of a few units, and the cell's formula is applied to it before it leaves the cache.
//
// Layouts as in gpunet/ops/recurrent.py: x [time, batch, gates * hidden], a state [batch, states * hidden].
#include "args.h"
#include "pool.h"
#include "tile.h"
#include "transpose.h"
#include "vec.h"

namespace gpunet::cpu {
namespace {

// Rows of the batch that go through time together. They do not meet, so that their number changes nothing.
int64_t slice_of(int64_t batch) {
  const int64_t each = (batch + threads() - 1) / threads();
  return each < 16 ? 16 : each < 96 ? each : 96;
}

GPUNET_INLINE vf gate(vf x) { return 1.f / (1.f + vexp_short(-x)); }  // a sigmoid: 3 ulp, 0 below -88.4

// What a cell sees of one row, LANES units: x, h W^T (+ bias), the state before, and where the results go. The gates of
// a unit stand `hidden` apart in memory. `n` lanes count.
struct At {
  int64_t hidden, n;
  GPUNET_INLINE vf get(const float* p, int part) const {
    return n == LANES ? load(p + part * hidden) : load(p + part * hidden, n);
  }
  GPUNET_INLINE void put(float* p, int part, vf x) const {
    if (n == LANES)
      store(p + part * hidden, x);
    else
      store(p + part * hidden, x, n);
  }
};

// forward: sums are h W^T + b for the gates of these units. finish: what has to wait for a result of forward; a few rows'
// are computed side by side. backward: d_h and d_c are the gradients of the new state; it
// writes dx and, where they differ, dh, and the part of the former state's gradient that does not pass through W.

struct Lstm {
  static constexpr int gates = 4, states = 2, saves = 4;
  static constexpr bool products = false;  // whether dh differs from dx
  static GPUNET_INLINE void forward(At at, const vf* sums, const float* x, const float* before, float* state,
                                    float* saved) {
    const vf i = gate(at.get(x, 0) + sums[0]), f = gate(at.get(x, 1) + sums[1]);
    const vf g = vtanh(at.get(x, 2) + sums[2]), o = gate(at.get(x, 3) + sums[3]);
    const vf c = f * at.get(before, 1) + i * g;
    at.put(saved, 0, i), at.put(saved, 1, f), at.put(saved, 2, g), at.put(saved, 3, o);
    at.put(state, 1, c);
  }
  static GPUNET_INLINE void finish(At at, float* state, const float* saved) {
    at.put(state, 0, at.get(saved, 3) * vtanh(at.get(state, 1)));
  }
  static GPUNET_INLINE void backward(At at, const float* d, const float* state, const float* before, const float* saved,
                                     float* dx, float*, float* rest) {
    const vf i = at.get(saved, 0), f = at.get(saved, 1), g = at.get(saved, 2), o = at.get(saved, 3);
    const vf y = vtanh(at.get(state, 1)), d_h = at.get(d, 0), d_c = at.get(d, 1) + d_h * o * (1.f - y * y);
    at.put(dx, 0, d_c * g * (i * (1.f - i)));
    at.put(dx, 1, d_c * at.get(before, 1) * (f * (1.f - f)));
    at.put(dx, 2, d_c * i * (1.f - g * g));
    at.put(dx, 3, d_h * y * (o * (1.f - o)));
    at.put(rest, 0, zero()), at.put(rest, 1, d_c * f);
  }
};

struct Gru {
  static constexpr int gates = 3, states = 1, saves = 4;
  static constexpr bool products = true;
  static GPUNET_INLINE void forward(At at, const vf* sums, const float* x, const float* before, float* state,
                                    float* saved) {
    const vf r = gate(at.get(x, 0) + sums[0]), z = gate(at.get(x, 1) + sums[1]);
    const vf n = vtanh(r * sums[2] + at.get(x, 2));
    at.put(saved, 0, r), at.put(saved, 1, z), at.put(saved, 2, n), at.put(saved, 3, sums[2]);
    at.put(state, 0, (at.get(before, 0) - n) * z + n);
  }
  static GPUNET_INLINE void finish(At, float*, const float*) {}
  static GPUNET_INLINE void backward(At at, const float* d, const float*, const float* before, const float* saved,
                                     float* dx, float* dh, float* rest) {
    const vf r = at.get(saved, 0), z = at.get(saved, 1), n = at.get(saved, 2), hn = at.get(saved, 3);
    const vf d_h = at.get(d, 0), dn = d_h * (1.f - z) * (1.f - n * n);
    const vf dz = d_h * (at.get(before, 0) - n) * (z * (1.f - z)), dr = dn * hn * (r * (1.f - r));
    at.put(dx, 0, dr), at.put(dx, 1, dz), at.put(dx, 2, dn);
    at.put(dh, 0, dr), at.put(dh, 1, dz), at.put(dh, 2, dn * r);
    at.put(rest, 0, d_h * z);
  }
};

template <bool TANH> struct Elman {
  static constexpr int gates = 1, states = 1, saves = 0;
  static constexpr bool products = false;
  static GPUNET_INLINE void forward(At at, const vf* sums, const float* x, const float*, float* state, float*) {
    const vf y = at.get(x, 0) + sums[0];
    at.put(state, 0, TANH ? vtanh(y) : vmax(y, zero()));
  }
  static GPUNET_INLINE void finish(At, float*, const float*) {}
  static GPUNET_INLINE void backward(At at, const float* d, const float* state, const float*, const float*, float* dx,
                                     float*, float* rest) {
    const vf y = at.get(state, 0), d_h = at.get(d, 0);
    at.put(dx, 0, TANH ? d_h * (1.f - y * y) : (y > 0.f ? d_h : zero()));
    at.put(rest, 0, zero());
  }
};

int64_t blocks_of(int64_t hidden) { return (hidden + LANES - 1) / LANES; }

// For each block of LANES units [k][gates][LANES] of W^T, 0 beyond the last unit.
void pack_gates(float* packed, const float* weight, int gates, int64_t hidden) {
  const int64_t size = hidden * gates * LANES;
  parallel(blocks_of(hidden), grain_of(size), [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; b++) {
      float* to = packed + b * size;
      const int64_t units = hidden - b * LANES < LANES ? hidden - b * LANES : LANES;
      for (int g = 0; g < gates; g++)
        transpose(weight + (g * hidden + b * LANES) * hidden, hidden, units, hidden, to + g * LANES, gates * LANES, LANES);
    }
  });
}

template <class Cell>
void forward(float* states, float* saved, const float* x, const float* first, const float* weight, const float* bias,
             const int64_t* lengths, int64_t times, int64_t batch, int64_t hidden, bool reverse) {
  constexpr int G = Cell::gates;
  const int64_t state_size = Cell::states * hidden, save_size = Cell::saves * hidden, blocks = blocks_of(hidden);
  float* packed = scratch(blocks * hidden * G * LANES, 0);
  pack_gates(packed, weight, G, hidden);
  parallel(batch, slice_of(batch), [&](int64_t begin, int64_t end) {
    const float* before = first;
    for (int64_t step = 0; step < times; step++) {
      const int64_t t = reverse ? times - 1 - step : step;
      const float* xt = x + t * batch * G * hidden;
      float *state = states + t * batch * state_size, *save = saved + t * batch * save_size;
      for (int64_t b = 0; b < blocks; b++) {
        const int64_t unit = b * LANES;
        const At at{hidden, hidden - unit < LANES ? hidden - unit : LANES};
        vf offset[G];
        for (int g = 0; g < G; g++) offset[g] = bias ? at.get(bias + unit, g) : zero();
        even_tiles<TILE_ROWS<G>>(end - begin, [&](auto rows, int64_t i) {
          for (int64_t row = begin + i; row < begin + i + rows.count; row++) {  // it arrives while the product is formed
            for (int g = 0; g < G; g++) __builtin_prefetch(xt + (row * G + g) * hidden + unit);
            for (int g = 0; g < Cell::saves; g++) __builtin_prefetch(save + row * save_size + g * hidden + unit, 1);
            for (int g = 0; g < Cell::states; g++) __builtin_prefetch(state + row * state_size + g * hidden + unit, 1);
          }
          vf sums[rows.count][G];
          tile(sums, hidden, before + (begin + i) * state_size, state_size, 1, packed + b * hidden * G * LANES,
               G * LANES);
          for (int r = 0; r < rows.count; r++) {
            const int64_t row = begin + i + r;
            for (int g = 0; g < G; g++) sums[r][g] += offset[g];
            Cell::forward(at, sums[r], xt + row * G * hidden + unit, before + row * state_size + unit,
                          state + row * state_size + unit, save + row * save_size + unit);
          }
          for (int64_t row = begin + i; row < begin + i + rows.count; row++)
            Cell::finish(at, state + row * state_size + unit, save + row * save_size + unit);
        });
      }
      if (lengths)
        for (int64_t row = begin; row < end; row++)
          if (lengths[row] <= t)
            std::memcpy(state + row * state_size, before + row * state_size, state_size * sizeof(float));
      before = state;
    }
  });
}

constexpr int WIDE = 2;       // vectors of columns in a tile of dh W
constexpr int64_t DEEP = 256;  // rows of W that stay in the first cache meanwhile

// For each block of WIDE vectors of columns [rows][WIDE * LANES] of W, 0 beyond the last column.
void pack_columns(float* packed, const float* weight, int64_t rows, int64_t columns) {
  constexpr int64_t width = WIDE * LANES;
  parallel((columns + width - 1) / width, grain_of(rows * width), [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; b++)
      for (int64_t r = 0; r < rows; r++)
        for (int64_t j = 0; j < width; j++)
          packed[(b * rows + r) * width + j] = b * width + j < columns ? weight[r * columns + b * width + j] : 0.f;
  });
}

template <class Cell>
void backward(float* dx, float* dh, float* dstate, const float* g, const float* states, const float* saved,
              const float* first, const float* weight, const int64_t* lengths, int64_t times, int64_t batch,
              int64_t hidden, bool reverse) {
  constexpr int G = Cell::gates;
  constexpr int64_t width = WIDE * LANES;
  const int64_t state_size = Cell::states * hidden, save_size = Cell::saves * hidden, depth = G * hidden;
  const int64_t blocks = (hidden + width - 1) / width;
  float* packed = scratch(blocks * width * depth, 0);
  pack_columns(packed, weight, depth, hidden);
  parallel(batch, slice_of(batch), [&](int64_t begin, int64_t end) {
    float* d = scratch(state_size, 1);
    for (int64_t row = begin; row < end; row++)
      std::memset(dstate + row * state_size, 0, state_size * sizeof(float));
    for (int64_t step = times - 1; step >= 0; step--) {
      const int64_t t = reverse ? times - 1 - step : step;
      const float* before = step == 0 ? first : states + (reverse ? t + 1 : t - 1) * batch * state_size;
      float *dxt = dx + t * batch * depth, *dht = Cell::products ? dh + t * batch * depth : dxt;
      for (int64_t row = begin; row < end; row++) {
        const float* from = g + (t * batch + row) * state_size;
        float* rest = dstate + row * state_size;
        if (lengths && lengths[row] <= t) {
          each(state_size, [&](int64_t i, auto get, auto put) { put(rest + i, get(from + i) + get(rest + i)); });
          std::memset(dxt + row * depth, 0, depth * sizeof(float));
          if (Cell::products) std::memset(dht + row * depth, 0, depth * sizeof(float));
          continue;
        }
        each(state_size, [&](int64_t i, auto get, auto put) { put(d + i, get(from + i) + get(rest + i)); });
        for (int64_t unit = 0; unit < hidden; unit += LANES) {
          const At at{hidden, hidden - unit < LANES ? hidden - unit : LANES};
          Cell::backward(at, d + unit, states + (t * batch + row) * state_size + unit, before + row * state_size + unit,
                         saved + (t * batch + row) * save_size + unit, dxt + row * depth + unit,
                         dht + row * depth + unit, rest + unit);
        }
      }
      for (int64_t k = 0; k < depth; k += DEEP)
        for (int64_t b = 0; b < blocks; b++)
          even_tiles<TILE_ROWS<WIDE>>(end - begin, [&](auto rows, int64_t i) {
            vf sums[rows.count][WIDE];
            tile(sums, depth - k < DEEP ? depth - k : DEEP, dht + (begin + i) * depth + k, depth, 1,
                 packed + (b * depth + k) * width, width);
            for (int r = 0; r < rows.count; r++) {
              float* to = dstate + (begin + i + r) * state_size + b * width;
              const int64_t left = hidden - b * width;
              if (left >= width)
                for (int v = 0; v < WIDE; v++) store(to + v * LANES, load(to + v * LANES) + sums[r][v]);
              else
                each(left, [&](int64_t j, auto get, auto put) { put(to + j, get(to + j) + sums[r][j / LANES]); });
            }
          });
    }
  });
}

}  // namespace

// states, saved, x, first state, weight, bias or null, lengths or null, times, batch, hidden, cell, reverse
KERNEL void sequence(const Arg* a) {
  const auto run = [&](auto cell) {
    forward<decltype(cell)>(ptr<float>(a[0]), ptr<float>(a[1]), ptr<const float>(a[2]), ptr<const float>(a[3]),
                            ptr<const float>(a[4]), ptr<const float>(a[5]), ptr<const int64_t>(a[6]), a[7].i, a[8].i,
                            a[9].i, a[11].i);
  };
  switch (a[10].i) {
    case 0: return run(Lstm{});
    case 1: return run(Gru{});
    case 2: return run(Elman<true>{});
    case 3: return run(Elman<false>{});
  }
}

// dx, dh (GRU alone, else null), gradient of the first state; gradient of the states, states, saved, first state,
// weight, lengths or null, times, batch, hidden, cell, reverse
KERNEL void sequence_grad(const Arg* a) {
  const auto run = [&](auto cell) {
    backward<decltype(cell)>(ptr<float>(a[0]), ptr<float>(a[1]), ptr<float>(a[2]), ptr<const float>(a[3]),
                             ptr<const float>(a[4]), ptr<const float>(a[5]), ptr<const float>(a[6]),
                             ptr<const float>(a[7]), ptr<const int64_t>(a[8]), a[9].i, a[10].i, a[11].i, a[13].i);
  };
  switch (a[12].i) {
    case 0: return run(Lstm{});
    case 1: return run(Gru{});
    case 2: return run(Elman<true>{});
    case 3: return run(Elman<false>{});
  }
}

}  // namespace gpunet::cpu
