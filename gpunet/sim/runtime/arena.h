// Device memory: one reserved range of addresses, so that a device pointer is known by its value.
//
// Around every array lies a canary, which a write outside the array damages; the array itself starts as 0xff,
// which is NaN in every floating-point type, so that a read of what was never written is noticed.
#pragma once
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <map>
#include <mutex>
#include <unordered_map>
#include <vector>

namespace gpunet_sim {

constexpr unsigned char kPoison = 0xff;

// Check builds keep arrays far apart, so that an index too large meets no other array.
#ifdef GPUNET_SIM_CHECK
constexpr bool kChecking = true;
constexpr size_t kGap = 1 << 20, kSharedGap = 1 << 10, kMostMemory = 1ull << 32;
#else
constexpr bool kChecking = false;
constexpr size_t kGap = 0, kSharedGap = 0, kMostMemory = 1ull << 34;
#endif

// What the checker is told: no_check.h or check/course.h.
inline bool check_reserve(char* begin, size_t size);
inline void check_allocated(const char* data, size_t size);
inline void check_freed(const char* data, size_t size);

// Address space only; the system gives memory for what is touched.
inline char* reserve(size_t size) {
  void* address = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return address == MAP_FAILED ? nullptr : (char*)address;
}

class Canary {
 public:
  static constexpr size_t kSize = 128;
  // NaN as a 2-, 4- or 8-byte number, and not what a kernel's own NaN or -1 would leave behind.
  static constexpr uint64_t kPattern = 0xffe7ffe7ffe7ffe7ull;

  static void write(char* at) {
    for (size_t i = 0; i < kSize; i += 8) memcpy(at + i, &kPattern, 8);
  }
  // Index of the first damaged byte, or -1.
  static long damage(const char* at) {
    if (intact(at)) return -1;
    long i = 0;
    while (at[i] == ((const char*)&kPattern)[i % 8]) i++;
    return i;
  }

 private:
  static bool intact(const char* at) {
    uint64_t difference = 0, word;
    for (size_t i = 0; i < kSize; i += 8) memcpy(&word, at + i, 8), difference |= word ^ kPattern;
    return difference == 0;
  }
};

struct Allocation {
  char* data = nullptr;
  size_t size = 0;
  char* canary_after() const { return data + size; }
  char* canary_before() const { return data - Canary::kSize; }
};

class Arena {
 public:
  static constexpr size_t kAlignment = 256;

  // Null when the simulated device is full.
  char* allocate(size_t size) {
    char* slot = kChecking ? lay_out(size) : take_slot(slot_size(size));
    if (!slot) return nullptr;
    Allocation a{slot + kAlignment + kGap, size};
    Canary::write(a.canary_before());
    memset(a.data, kPoison, size);
    Canary::write(a.canary_after());
    std::lock_guard<std::mutex> guard(mutex);
    check_allocated(a.data, size);
    live_[a.data] = size;
    in_use_ += size;
    return a.data;
  }

  // Check builds. The arrays that come now lie from the arena's beginning on, at distances that follow from `seed`: one
  // launch finds the same addresses in any process at any time, and another launch other ones, so that no stride leads
  // from one array into another time and again. All arrays of the launch before must be gone.
  void begin_layout(uint64_t seed) {
    std::lock_guard<std::mutex> guard(mutex);
    seed_ = seed;
    laid_out_ = 0;
  }
  // What stays lies at the arena's end.
  char* allocate_for_good(size_t size) {
    if (!kChecking) return allocate(size);
    std::lock_guard<std::mutex> guard(mutex);
    size_t slot = (size + 2 * kGap + kAlignment + 4095) / 4096 * 4096;
    if (!reserve_once() || slot > size_ - used_ - laid_out_) return nullptr;
    used_ += slot;
    char* data = begin_ + size_ - used_ + kGap;
    memset(data, kPoison, size);
    check_allocated(data, size);
    return data;
  }

  void release(char* data) {
    std::lock_guard<std::mutex> guard(mutex);
    auto found = live_.find(data);
    if (found == live_.end()) return;
    if (kChecking) {
      check_freed(data, found->second);
      in_use_ -= found->second;
      live_.erase(found);
      return;
    }
    size_t slot = slot_size(found->second);
    check_freed(data, found->second);
    in_use_ -= found->second;
    live_.erase(found);
    free_[slot].push_back(data - kAlignment - kGap);
    free_bytes_ += slot;
    // Keep what a training step frees and takes again, give back what is left of something larger.
    if (free_bytes_ > kKeepFree && slot >= kGiveBack) give_back(data - kAlignment - kGap, slot);
  }

  // The allocation that holds this address.
  bool find(const char* address, Allocation* result) {
    std::lock_guard<std::mutex> guard(mutex);
    auto after = live_.upper_bound((char*)address);
    if (after == live_.begin()) return false;
    --after;
    *result = {after->first, after->second};
    return address < after->first + (after->second ? after->second : 1);
  }

  // Each array: use(data, size).
  template <class F>
  void each(F use) {
    std::lock_guard<std::mutex> guard(mutex);
    for (auto& [data, size] : live_) use(data, size);
  }

  bool contains(const void* address) const { return address >= begin_ && address < begin_ + size_; }
  char* begin() { return reserve_once() ? begin_ : nullptr; }
  size_t size() const { return size_; }
  size_t in_use() {
    std::lock_guard<std::mutex> guard(mutex);
    return in_use_;
  }
  size_t held() {
    std::lock_guard<std::mutex> guard(mutex);
    return in_use_ + free_bytes_;
  }

  std::mutex mutex;  // public for fork(), which must not happen while another thread holds it

 private:
  static constexpr size_t kLeast = 1ull << 28;
  static constexpr size_t kKeepFree = 1ull << 28, kGiveBack = 1ull << 20;

  // Slots come in four sizes to a doubling, so that a freed one serves again for nearly the same size.
  static size_t slot_size(size_t size) {
    size_t need = size + kAlignment + Canary::kSize + 2 * kGap, step = kAlignment;
    while (step * 8 < need) step *= 2;
    return (need + step - 1) / step * step;
  }

  // The whole pages of a slot; the system takes no others.
  static void give_back(char* slot, size_t size) {
    size_t page = sysconf(_SC_PAGESIZE), first = ((size_t)slot + page - 1) / page * page;
    madvise((void*)first, ((size_t)slot + size) / page * page - first, MADV_DONTNEED);
  }

  char* lay_out(size_t size) {
    std::lock_guard<std::mutex> guard(mutex);
    seed_ = seed_ * 6364136223846793005ull + 1442695040888963407ull;
    size_t before = (seed_ >> 33) % (kGap / kAlignment + 1) * kAlignment;
    size_t need = before + (size + kAlignment + Canary::kSize + 2 * kGap + kAlignment - 1) / kAlignment * kAlignment;
    if (!reserve_once() || need > size_ - used_ - laid_out_) return nullptr;
    laid_out_ += need;
    return begin_ + laid_out_ - need + before;
  }

  char* take_slot(size_t size) {
    std::lock_guard<std::mutex> guard(mutex);
    std::vector<char*>& fitting = free_[size];
    if (!fitting.empty()) {
      char* slot = fitting.back();
      fitting.pop_back();
      free_bytes_ -= size;
      return slot;
    }
    if (!reserve_once() || size > size_ - used_) return nullptr;
    used_ += size;
    return begin_ + used_ - size;
  }

  bool reserve_once() {
    for (size_t size = kMostMemory; !begin_ && size >= kLeast; size /= 2)  // a limit on address space may be set
      if ((begin_ = reserve(size))) size_ = size;
    if (begin_ && !told_) told_ = check_reserve(begin_, size_);
    return begin_ && told_;
  }

  char* begin_ = nullptr;
  bool told_ = false;
  size_t size_ = 0, used_ = 0, in_use_ = 0, free_bytes_ = 0;
  size_t laid_out_ = 0;  // check builds: from the beginning; what stays has used_ bytes at the end
  uint64_t seed_ = 0;
  std::map<char*, size_t> live_;
  std::unordered_map<size_t, std::vector<char*>> free_;
};

// Never destroyed: arrays may outlive the library's own end.
inline Arena& arena() {
  static Arena* instance = new Arena;
  return *instance;
}

}  // namespace gpunet_sim
