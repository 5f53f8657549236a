// The pool: one job at a time, whose slices the caller and the workers claim by a counter. Workers that find nothing to
// do wait for a short while actively (a kernel often follows another within microseconds), then sleep in the kernel.
// So a machine with busy neighbours loses the time of its processors to nobody's waiting.
#include "pool.h"

#include <pthread.h>
#include <signal.h>

#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <new>
#include <thread>
#include <vector>

#include "args.h"

namespace gpunet::cpu {
namespace {

constexpr int SPINS = 400;  // about 10 us

inline void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

struct Job {
  Slice slice = nullptr;
  void* work = nullptr;
  int64_t n = 0, grain = 1;
};

thread_local bool inside = false;  // whether this thread runs a slice: a call in it runs in the caller

class Pool {
 public:
  void run(const Job& job, int threads) {
    const int64_t slices = (job.n + job.grain - 1) / job.grain;
    if (threads > slices) threads = static_cast<int>(slices);
    if (threads <= 1 || inside || !callers_.try_lock()) {
      const bool before = inside;
      inside = true;
      for (int64_t begin = 0; begin < job.n; begin += job.grain)
        job.slice(job.work, begin, begin + job.grain < job.n ? begin + job.grain : job.n);
      inside = before;
      return;
    }
    std::lock_guard<std::mutex> hold(callers_, std::adopt_lock);
    grow(threads - 1);
    {
      std::lock_guard<std::mutex> lock(mutex_);
      job_ = job;
      next_.store(0, std::memory_order_relaxed);
      wanted_ = threads - 1;
      ticket_.fetch_add(1, std::memory_order_release);
    }
    if (sleepers_.load(std::memory_order_seq_cst) > 0) {
      if (threads == 2) wake_.notify_one();
      else wake_.notify_all();
    }
    claim(job);
    {
      // Nobody may join any more; those who have joined are waited for.
      std::unique_lock<std::mutex> lock(mutex_);
      wanted_ = 0;
      if (working_ == 0) return;
      lock.unlock();
      for (int i = 0; i < SPINS; i++) {
        relax();
        if (idle_.load(std::memory_order_acquire)) break;
      }
      lock.lock();
      done_.wait(lock, [this] { return working_ == 0; });
    }
  }

 private:
  void claim(const Job& job) {
    inside = true;
    for (;;) {
      const int64_t begin = next_.fetch_add(job.grain, std::memory_order_relaxed);
      if (begin >= job.n) break;
      job.slice(job.work, begin, begin + job.grain < job.n ? begin + job.grain : job.n);
    }
    inside = false;
  }

  void grow(int workers) {
    while (static_cast<int>(threads_.size()) < workers) {
      threads_.emplace_back([this] { serve(); });
      threads_.back().detach();
    }
  }

  void serve() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, nullptr);  // signals are Python's main thread's
    uint64_t seen = 0;
    for (;;) {
      for (int i = 0; i < SPINS && ticket_.load(std::memory_order_acquire) == seen; i++) relax();
      Job job;
      {
        std::unique_lock<std::mutex> lock(mutex_);
        if (ticket_.load(std::memory_order_relaxed) == seen) {
          sleepers_.fetch_add(1, std::memory_order_seq_cst);
          wake_.wait(lock, [&] { return ticket_.load(std::memory_order_relaxed) != seen; });
          sleepers_.fetch_sub(1, std::memory_order_relaxed);
        }
        seen = ticket_.load(std::memory_order_relaxed);
        if (wanted_ == 0) continue;
        wanted_--;
        working_++;
        idle_.store(false, std::memory_order_relaxed);
        job = job_;
      }
      claim(job);
      {
        std::lock_guard<std::mutex> lock(mutex_);
        if (--working_ == 0) {
          idle_.store(true, std::memory_order_release);
          done_.notify_one();
        }
      }
    }
  }

  std::mutex callers_, mutex_;
  std::condition_variable wake_, done_;
  std::atomic<uint64_t> ticket_{0};
  std::atomic<int> sleepers_{0};
  std::atomic<int64_t> next_{0};
  std::atomic<bool> idle_{true};
  Job job_;
  int wanted_ = 0, working_ = 0;  // workers that may still join the job, and those that have
  std::vector<std::thread> threads_;
};

// Never destroyed: workers wait in it until the process ends. A child of fork has none of the threads, and perhaps
// locks that nobody will release: it gets a new pool, which starts threads of its own when they are needed.
std::atomic<Pool*> pool{nullptr};
std::atomic<int> count{1};

Pool& the_pool() {
  Pool* found = pool.load(std::memory_order_acquire);
  if (found) return *found;
  Pool* made = new Pool;
  if (pool.compare_exchange_strong(found, made, std::memory_order_acq_rel)) {
    static std::once_flag once;
    std::call_once(once, [] { pthread_atfork(nullptr, nullptr, [] {
      pool.store(nullptr, std::memory_order_relaxed);
      inside = false;
    }); });
    return *made;
  }
  delete made;
  return *found;
}

struct Buffer {
  float* data = nullptr;
  int64_t size = 0;
  ~Buffer() { std::free(data); }
};
thread_local Buffer buffers[4];

}  // namespace

void run_in_pool(int64_t n, int64_t grain, Slice slice, void* work) {
  the_pool().run({slice, work, n, grain}, count.load(std::memory_order_relaxed));
}

int64_t threads() { return inside ? 1 : count.load(std::memory_order_relaxed); }

float* scratch(int64_t floats, int which) {
  Buffer& buffer = buffers[which];
  if (buffer.size < floats) {
    std::free(buffer.data);
    const int64_t size = (floats + floats / 4 + 1023) / 1024 * 1024;
    buffer.data = static_cast<float*>(std::aligned_alloc(64, static_cast<size_t>(size) * sizeof(float)));
    buffer.size = buffer.data ? size : 0;
    if (!buffer.data) std::abort();
  }
  return buffer.data;
}

}  // namespace gpunet::cpu

using namespace gpunet::cpu;

KERNEL void gpunet_set_num_threads(int64_t threads) { count.store(static_cast<int>(threads), std::memory_order_relaxed); }
KERNEL int64_t gpunet_get_num_threads() { return count.load(std::memory_order_relaxed); }
