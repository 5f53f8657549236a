// What went wrong in a launch. Every worker may add to it; each mistake is told once, with the number of threads.
#pragma once
#include <dlfcn.h>
#include <stdarg.h>

#include <deque>
#include <mutex>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "../include/gpunet_sim/interface.h"

#define GPUNET_SIM_API extern "C" __attribute__((visibility("default")))

namespace gpunet_sim {

// As printf. Messages are made by this one function: strings added up are much code, which every machine compiles once.
__attribute__((noinline, format(printf, 1, 2))) inline std::string format(const char* pattern, ...) {
  va_list arguments;
  va_start(arguments, pattern);
  char* text = nullptr;
  std::string result = vasprintf(&text, pattern, arguments) < 0 ? "" : text;
  free(text);
  va_end(arguments);
  return result;
}

// Where something happened: a line of the source, or (found by the compiler's hooks) an address in the kernel's code,
// which gpunet/sim/locate.py makes a line.
struct Place {
  static constexpr unsigned kCallers = 6;
  Site site = {nullptr, 0};
  const void* code = nullptr;
  const void* callers[kCallers] = {};
  bool operator<(const Place& o) const {
    return std::tie(site.file, site.line, code) < std::tie(o.site.file, o.site.line, o.code);
  }
  bool operator==(const Place& o) const { return site.file == o.site.file && site.line == o.site.line && code == o.code; }
};

struct ThreadName {
  bool known = false, of_block = false;  // of_block: only the block is known
  uint3 block = {}, thread = {};
  auto key() const { return std::tie(block.x, block.y, block.z, thread.x, thread.y, thread.z); }
  bool operator<(const ThreadName& o) const { return key() < o.key(); }
};

// An element of an array: of a kernel's argument, or of a named variable in shared memory.
struct Element {
  int argument = -1, place = -1;  // place: of the pointer in a structure
  const char* name = "";  // empty for arguments: Python knows their names and types
  long offset = 0;   // bytes from the array's start
  unsigned size = 0, extent[4] = {};
  bool operator==(const Element& o) const { return argument == o.argument && place == o.place && !strcmp(name, o.name); }
};

struct OtherParty {
  const char* action = "";  // empty: there is none
  Place place;
  ThreadName thread;
};

struct Mistake {
  Kind kind;
  std::string message;
  Place place;
  ThreadName thread;
  Element element;
  OtherParty other;
  bool mild = false;  // a warning
  bool within_warp = false;  // a race of two lanes of one warp
};

class Report {
 public:
  // The number of its entry.
  size_t add(const Mistake& mistake) {
    std::lock_guard<std::mutex> guard(mutex_);
    size_t number = 0;
    while (number < entries_.size() && !same(entries_[number].mistake, mistake)) number++;
    if (number >= kMost) return kMost;
    if (number == entries_.size()) entries_.push_back({mistake, {}});
    Entry& entry = entries_[number];
    bool mild = entry.mistake.mild && mistake.mild;
    if (entry.mistake.within_warp && !mistake.within_warp) entry.mistake = mistake;  // mending that one mends both
    entry.mistake.mild = mild;
    if (entry.threads.size() < kMostThreads) entry.threads.insert(mistake.thread);
    return number;
  }
  // It is more than a warning after all.
  void aggravate(size_t number) {
    if (number < entries_.size()) entries_[number].mistake.mild = false;
  }
  // Races of atomic operations with the read at this place were none.
  void withdraw_reads(const Place& place) {
    for (Entry& entry : entries_) {
      const Mistake& m = entry.mistake;
      if (m.kind != Kind::Race) continue;
      bool reads = m.place == place && m.message.rfind("a read", 0) == 0;
      bool was_read = m.other.place == place && !strcmp(m.other.action, "read");
      bool atomic = m.message.rfind("an atomic", 0) == 0 || m.message.rfind("a volatile", 0) == 0;
      bool was_atomic = !strcmp(m.other.action, "atomic operation") || !strncmp(m.other.action, "volatile", 8);
      entry.withdrawn |= (reads && was_atomic) || (was_read && atomic);
    }
  }
  bool grave() const {
    for (const Entry& entry : entries_)
      if (!entry.mistake.mild && !entry.withdrawn) return true;
    return false;
  }
  bool empty() const {
    for (const Entry& entry : entries_)
      if (!entry.withdrawn) return false;
    return true;
  }
  bool has(Kind kind) const {
    for (const Entry& entry : entries_)
      if (entry.mistake.kind == kind) return true;
    return false;
  }

  // For people: "file:line: what [block, thread]", one line for each.
  std::string text() const {
    std::string text;
    for (const Entry& entry : entries_) {
      const Mistake& m = entry.mistake;
      if (entry.withdrawn) continue;
      if (!text.empty()) text += '\n';
      if (m.place.site.file) text += format("%s:%d: ", m.place.site.file, m.place.site.line);
      text += m.message;
      if (!m.thread.known) continue;
      text += " [block " + numbers(m.thread.block);
      if (!m.thread.of_block) text += ", thread " + numbers(m.thread.thread);
      text += "]";
    }
    return text;
  }

  // For gpunet/sim/locate.py: a line for each, fields separated by tabs.
  std::string records() const {
    std::string result;
    for (const Entry& entry : entries_) {
      const Mistake& m = entry.mistake;
      const Element& e = m.element;
      if (entry.withdrawn) continue;
      result += format("%d\t%s\t%s\t%s\t%d,%d\t%s\t%ld\t%u,%u,%u,%u,%u\t%s\t%s\t%s\t%zu\t%s\n", (int)m.kind,
                       m.message.c_str(), record(m.place).c_str(), record(m.thread).c_str(), e.argument, e.place, e.name,
                       e.offset, e.size, e.extent[0], e.extent[1], e.extent[2], e.extent[3], m.other.action,
                       record(m.other.place).c_str(), record(m.other.thread).c_str(), entry.threads.size(),
                       m.mild ? "1" : "");
    }
    return result;
  }

 private:
  struct Entry {
    Mistake mistake;
    std::set<ThreadName> threads;
    bool withdrawn = false;
  };
  static constexpr size_t kMost = 64, kMostThreads = 1 << 16;

  static bool same(const Mistake& a, const Mistake& b) {
    return a.kind == b.kind && a.place == b.place && a.other.place == b.other.place && a.element == b.element;
  }
  static std::string numbers(uint3 v) { return format("(%u,%u,%u)", v.x, v.y, v.z); }
  static std::string record(const ThreadName& t) {
    return t.known ? numbers(t.block) + "\t" + (t.of_block ? "" : numbers(t.thread)) : "\t";
  }
  static std::string record(const Place& place) {
    if (place.site.file) return format("%s\t%d\t", place.site.file, place.site.line);
    Dl_info info;
    if (!place.code || !dladdr(place.code, &info) || !info.dli_fname) return "\t\t";
    std::string offsets = format("%td", (char*)place.code - (char*)info.dli_fbase);
    for (const void* caller : place.callers) {
      Dl_info its;
      if (caller && dladdr(caller, &its) && its.dli_fbase == info.dli_fbase)
        offsets += format(",%td", (char*)caller - (char*)info.dli_fbase);
    }
    return format("\t%s\t%s", offsets.c_str(), info.dli_fname);
  }

  std::mutex mutex_;
  std::deque<Entry> entries_;
};

}  // namespace gpunet_sim
