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

__attribute__((noinline)) inline void report_outside(const char* p, size_t size, bool write, const void* code,
                                                     const char* what) {
  Access a = access_of_running(p, size, write, !write, 0, places.of_code(code));
  char text[160];
  snprintf(text, sizeof text, "%s %s", size_and_verb(a).c_str(), what);
  worker->launch->report->add({Kind::OutOfBounds, text, with_callers({{nullptr, 0}, code}), name_of(worker, current), {}, {}});
}

void check_outside(const char* p, size_t size, bool write, const void* code) {
  if (!current) return;
  size_t in_stacks = size_t(p - worker->stacks);
  if (in_stacks < kStackSize * kMaxThreads) {
    if (in_stacks / kStackSize != (size_t)running()->stack)
      report_outside(p, size, write, code, "of another thread's local variables");
    return;
  }
  if (host_memory.known(p)) return;
  char what[80];
  snprintf(what, sizeof what, p < (char*)65536 ? "through a null pointer (address %p)" : "at address %p, where no array is", p);
  report_outside(p, size, write, code, what);
  worker->launch->failed = true;
  leave_block();
}

}  // namespace gpunet_sim
