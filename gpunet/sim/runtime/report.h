// What went wrong in a launch. Every worker may add to it; each mistake is told once, with the number of threads.
#pragma once
#include <dlfcn.h>

#include <map>
#include <mutex>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "../include/gpunet_sim/interface.h"

#define GPUNET_SIM_API extern "C" __attribute__((visibility("default")))

namespace gpunet_sim {

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
  std::string name;  // empty for arguments: Python knows their names and types
  long offset = 0;   // bytes from the array's start
  unsigned size = 0, extent[4] = {};
};

struct OtherParty {
  std::string action;  // empty: there is none
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
};

class Report {
 public:
  // The number of its entry.
  size_t add(const Mistake& mistake) {
    std::lock_guard<std::mutex> guard(mutex_);
    auto key = std::make_tuple(mistake.kind, mistake.place, mistake.other.place,
                               std::make_pair(mistake.element.argument, mistake.element.place), mistake.element.name);
    auto known = numbers_.find(key);
    if (known == numbers_.end()) {
      if (entries_.size() >= kMost) return kMost;
      known = numbers_.emplace(key, entries_.size()).first;
      entries_.push_back({mistake, {}});
    }
    Entry& entry = entries_[known->second];
    entry.mistake.mild &= mistake.mild;
    if (entry.threads.size() < kMostThreads) entry.threads.insert(mistake.thread);
    return known->second;
  }
  // It is more than a warning after all.
  void aggravate(size_t number) {
    if (number < entries_.size()) entries_[number].mistake.mild = false;
  }
  // Races of atomic operations with the read at this place were none.
  void withdraw_reads(const Place& place) {
    auto same = [&](const Place& other) { return !(place < other) && !(other < place); };
    for (Entry& entry : entries_) {
      const Mistake& m = entry.mistake;
      if (m.kind != Kind::Race) continue;
      entry.withdrawn |= (same(m.place) && m.message.rfind("a read", 0) == 0 && m.other.action == "atomic operation") ||
                         (same(m.other.place) && m.message.rfind("an atomic", 0) == 0 && m.other.action == "read");
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
      if (m.place.site.file) text += std::string(m.place.site.file) + ":" + std::to_string(m.place.site.line) + ": ";
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
      result += std::to_string((int)m.kind) + "\t" + m.message + "\t" + record(m.place) + "\t" + record(m.thread) +
                "\t" + std::to_string(e.argument) + "," + std::to_string(e.place) + "\t" + e.name + "\t" + std::to_string(e.offset) + "\t" +
                std::to_string(e.size);
      for (unsigned extent : e.extent) result += "," + std::to_string(extent);
      result += "\t" + m.other.action + "\t" + record(m.other.place) + "\t" + record(m.other.thread) + "\t" +
                std::to_string(entry.threads.size()) + "\t" + (m.mild ? "1" : "") + "\n";
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

  static std::string numbers(uint3 v) {
    return "(" + std::to_string(v.x) + "," + std::to_string(v.y) + "," + std::to_string(v.z) + ")";
  }
  static std::string record(const ThreadName& t) {
    return t.known ? numbers(t.block) + "\t" + (t.of_block ? "" : numbers(t.thread)) : "\t";
  }
  static std::string record(const Place& place) {
    if (place.site.file) return std::string(place.site.file) + "\t" + std::to_string(place.site.line) + "\t";
    Dl_info info;
    if (!place.code || !dladdr(place.code, &info) || !info.dli_fname) return "\t\t";
    std::string offsets = std::to_string((char*)place.code - (char*)info.dli_fbase);
    for (const void* caller : place.callers) {
      Dl_info its;
      if (caller && dladdr(caller, &its) && its.dli_fbase == info.dli_fbase)
        offsets += "," + std::to_string((char*)caller - (char*)info.dli_fbase);
    }
    return "\t" + offsets + "\t" + info.dli_fname;
  }

  std::mutex mutex_;
  std::map<std::tuple<Kind, Place, Place, std::pair<int, int>, std::string>, size_t> numbers_;
  std::vector<Entry> entries_;
};

}  // namespace gpunet_sim
