// The one pool of threads in which everything parallel happens.
//
//     parallel(rows, 64, [&](int64_t begin, int64_t end) { ... });
//
// The work is split by `n` and `grain` alone: slices of `grain` (the last may be shorter), which threads claim one
// after the other. So results do not depend on the number of threads, as long as a slice writes what no other slice
// touches. n <= grain, a call from inside another one, and a call while another Python thread has the pool all run
// in the caller, slice by slice.
#pragma once
#include <cstdint>
#include <type_traits>

#define EXPORTED __attribute__((visibility("default")))  // also for kernels in libraries of their own

namespace gpunet::cpu {

using Slice = void (*)(void* work, int64_t begin, int64_t end);
EXPORTED void run_in_pool(int64_t n, int64_t grain, Slice slice, void* work);

template <class F> inline void parallel(int64_t n, int64_t grain, F&& f) {
  if (n <= 0) return;
  if (grain < 1) grain = 1;
  if (n <= grain) {
    f(int64_t{0}, n);
    return;
  }
  using Work = std::remove_reference_t<F>;
  run_in_pool(n, grain, [](void* work, int64_t begin, int64_t end) { (*static_cast<Work*>(work))(begin, end); },
              const_cast<void*>(static_cast<const void*>(&f)));
}

// How many threads would take part in a call of parallel() from here: to cut work that gives the same results however it
// is cut.
EXPORTED int64_t threads();

// A buffer of this thread's own, aligned to 64 bytes, that lives until the next call with the same `which` on the same
// thread. 0 to 3 are free for kernels; sgemm keeps its packed panels elsewhere.
EXPORTED float* scratch(int64_t floats, int which = 0);

// Slices that give each thread a few of them and take at least `least` units of work: for `n` rows that cost `cost`
// units each. Depends on the arguments alone.
inline int64_t grain_of(int64_t cost, int64_t least = 16384) { return cost >= least ? 1 : (least + cost - 1) / (cost > 0 ? cost : 1); }

}  // namespace gpunet::cpu
