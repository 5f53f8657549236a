// Accesses outside the arena: local variables, constants and arguments are there; the rest are wild pointers, which
// must not be followed.
#pragma once

namespace gpunet_sim {

class HostMemory {
 public:
  // Whether the system has memory there that may be read and written.
  bool known(const char* p) {
    if (shadow.is_own(p)) return false;
    for (Range& range : recent_)
      if (p >= range.begin && p < range.end) return true;
    return look_up(p);
  }

  void forget() {
    for (Range& range : recent_) range = {};
  }

 private:
  struct Range {
    const char *begin, *end;
  };
  static constexpr unsigned kRecent = 8;

  bool look_up(const char* p) {
    FILE* file = fopen("/proc/self/maps", "r");
    if (!file) return true;
    char line[512], mode[8];
    bool found = false;
    while (!found && fgets(line, sizeof line, file)) {
      size_t begin, end;
      if (sscanf(line, "%zx-%zx %7s", &begin, &end, mode) != 3) continue;
      found = (size_t)p >= begin && (size_t)p < end && mode[0] == 'r';
      if (found) recent_[next_++ % kRecent] = {(const char*)begin, (const char*)end};
    }
    fclose(file);
    return found;
  }

  Range recent_[kRecent] = {};
  unsigned next_ = 0;
};
inline HostMemory host_memory;

// Memory for wild addresses, so that the access harms nobody and the launch goes on: the other mistakes in it are told
// too. It is given back when the launch ends.
class WildMemory {
 public:
  bool holds(const char* p) const { return pages_.count((size_t)p / kPage); }
  bool give(const char* p, size_t size) {
    for (size_t page = (size_t)p / kPage; page <= ((size_t)p + size - 1) / kPage; page++) {
      if (pages_.count(page)) continue;
      if (pages_.size() >= kMostPages) return false;
      void* wanted = (void*)(page * kPage);
      constexpr int kFlags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;
      void* got = mmap(wanted, kPage, PROT_READ | PROT_WRITE, kFlags, -1, 0);
      if (got != wanted) return got != MAP_FAILED && munmap(got, kPage), false;
      pages_.insert(page);
    }
    return true;
  }
  void take_back() {
    for (size_t page : pages_) munmap((void*)(page * kPage), kPage);
    if (!pages_.empty()) host_memory.forget();
    pages_.clear();
  }

 private:
  static constexpr size_t kPage = 4096, kMostPages = 1 << 14;
  std::set<size_t> pages_;
};
inline WildMemory wild_memory;

__attribute__((noinline)) inline void report_outside(const char* p, size_t size, bool write, PlaceNumber place,
                                                     const char* what) {
  Access a = access_of_running(p, size, write, !write, 0, place);
  worker->launch->report->add({Kind::OutOfBounds, format("%s %s", size_and_verb(a).c_str(), what),
                               with_callers(places.place(place)), name_of(worker, current), {}, {}});
}

__attribute__((noinline)) inline bool is_wild(const char* p, size_t size, bool write, PlaceNumber place) {
  size_t in_stacks = size_t(p - worker->stacks);
  if (in_stacks < kStackSize * kMaxThreads) {
    if (in_stacks / kStackSize != (size_t)running()->stack)
      report_outside(p, size, write, place, "of another thread's local variables");
    return false;
  }
  if (!wild_memory.holds(p) && host_memory.known(p)) return false;
  // Any other address is another one in the next process, and says nothing.
  char text[80] = "where no array is";
  if (p < (char*)kNullPage) snprintf(text, sizeof text, "through a null pointer (address %p)", p);
  report_outside(p, size, write, place, text);
  if (!write) goes_astray();
  return true;
}

void check_outside(const char* p, size_t size, bool write, PlaceNumber place) {
  if (!current || size_t(p - worker->launch->arguments) < worker->launch->argument_bytes) return;
  if (!is_wild(p, size, write, place)) return;
  if (wild_memory.give(p, size)) {
    if (!write) memset((char*)p, 0, size);
    return;
  }
  if (kStepsOverNull && p < (char*)kNullPage) return;
  worker->launch->failed = true;
  leave_block();
}

}  // namespace gpunet_sim
