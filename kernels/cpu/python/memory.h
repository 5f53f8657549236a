// The memory of arrays that ops make. Blocks of 16 KB and more are kept when their array dies, and given to the next
// array of about their size: a training step asks for the same sizes again and again, and fresh memory costs a page
// fault for every 4 KB. What is kept is at most one and a half of what was in use at once, and a quarter of the machine's memory.
#pragma once
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <vector>

namespace gpunet::memory {

constexpr size_t LEAST = size_t{1} << 14, HUGE_PAGE = size_t{1} << 21;
constexpr int STEPS = 8, CLASSES = 40 * STEPS;  // sizes between two powers of two, and in all

struct Statistics {
  int64_t fresh = 0, reused = 0, in_use = 0, peak = 0, kept = 0;
};

// What stands in the 64 bytes before a block.
struct Head {
  int64_t kind;
  size_t size;
};
inline Head& head(void* block) { return *reinterpret_cast<Head*>(static_cast<char*>(block) - 64); }

class Blocks {
 public:
  void* get(size_t size) {
    const int kind = class_of(size);
    const size_t room = size_of(kind);
    {
      std::lock_guard<std::mutex> lock(mutex_);
      now_.in_use += static_cast<int64_t>(room);
      now_.peak = std::max(now_.peak, now_.in_use);
      asked_[kind] = ++time_;
      if (!free_[kind].empty()) {
        void* block = free_[kind].back();
        free_[kind].pop_back();
        now_.kept -= static_cast<int64_t>(room);
        now_.reused++;
        head(block).size = size;
        return block;
      }
      now_.fresh++;
    }
    void* block = make(room);
    if (!block) {
      empty();
      block = make(room);
    }
    if (block) {
      head(block) = {kind, size};
    } else {
      std::lock_guard<std::mutex> lock(mutex_);
      now_.in_use -= static_cast<int64_t>(room);
    }
    return block;
  }

  void put(void* block) {
    const int64_t kind = head(block).kind, room = static_cast<int64_t>(size_of(kind));
    std::vector<void*> dropped;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      now_.in_use -= room;
      free_[kind].push_back(block);
      now_.kept += room;
      while (now_.kept > std::min(now_.peak + now_.peak / 2, most_)) dropped.push_back(drop());
    }
    for (void* each : dropped) std::free(&head(each));
  }

  void empty() {
    std::vector<void*> all;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      for (auto& each : free_) {
        all.insert(all.end(), each.begin(), each.end());
        each.clear();
      }
      now_.kept = 0;
      now_.peak = now_.in_use;
    }
    for (void* block : all) std::free(&head(block));
  }

  Statistics statistics() {
    std::lock_guard<std::mutex> lock(mutex_);
    return now_;
  }

  void lock() { mutex_.lock(); }
  void unlock() { mutex_.unlock(); }

 private:
  // Class k has room for LEAST * 2^(k / STEPS) * (1 + k % STEPS / STEPS) bytes.
  static size_t size_of(int64_t kind) { return (LEAST << kind / STEPS) / STEPS * (STEPS + kind % STEPS); }
  static int class_below(size_t size) {
    const int power = 63 - __builtin_clzll(size / LEAST);
    return power * STEPS + static_cast<int>(size / ((LEAST << power) / STEPS)) - STEPS;
  }
  static int class_of(size_t size) {
    const int kind = class_below(std::max(size, LEAST));
    return size_of(kind) >= size ? kind : kind + 1;
  }

  // A kept block of the sizes that were not asked for the longest.
  void* drop() {
    int oldest = -1;
    for (int kind = 0; kind <= CLASSES; kind++)
      if (!free_[kind].empty() && (oldest < 0 || asked_[kind] < asked_[oldest])) oldest = kind;
    void* block = free_[oldest].back();
    free_[oldest].pop_back();
    now_.kept -= static_cast<int64_t>(size_of(oldest));
    return block;
  }

  static void* make(size_t room) {
    const size_t all = room + 64;
    void* start = nullptr;
    if (posix_memalign(&start, room >= HUGE_PAGE ? HUGE_PAGE : 64, all)) return nullptr;
    if (room >= HUGE_PAGE) madvise(start, all, MADV_HUGEPAGE);
    return static_cast<char*>(start) + 64;
  }

  std::mutex mutex_;
  Statistics now_;
  int64_t most_ = int64_t{sysconf(_SC_PHYS_PAGES)} * sysconf(_SC_PAGESIZE) / 4;
  std::vector<void*> free_[CLASSES + 1];
  uint64_t asked_[CLASSES + 1] = {}, time_ = 0;
};

}  // namespace gpunet::memory
