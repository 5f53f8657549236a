// Whether threads that spin can ever go on. When all that runs waits in loops, and everything that the loops can see is
// as it was at an earlier moment, what follows is the same again, for ever: a deadlock, and no matter of patience.
#pragma once

namespace gpunet_sim {

class Hopeless {
 public:
  void begin_launch() {
    stalled_.clear();
    waits_.clear();
    begin_again();
    clock_ = false;
  }
  // A block is left for others, and comes back.
  void leave(Worker* w) { stalled_.insert(w); }
  void enter(Worker* w) { stalled_.erase(w); }
  void block_ends() { begin_again(); }
  // Time passes in any case.
  void read_clock() { clock_ = true; }

  // The thread waits in a loop; `frame` is where what it will still use begins on its stack.
  void waits(const Fiber* fiber, const char* frame, Place place) { waits_[fiber] = {frame, std::move(place)}; }

  // No thread of the block has anything to do but to ask again. True when that is so for ever.
  bool decide(Worker* w, const Fiber* self) {
    if (clock_ || !leads(w, self) || ++visits_ < kVisits) return false;
    unsigned long long begin = nanoseconds();
    if (begin < next_look_) return false;
    uint64_t state;
    if (!look(w, state)) return clock_ = true, false;
    unsigned long long end = nanoseconds();
    next_look_ = end + 9 * (end - begin);  // a tenth of the time
    if (seen_.size() >= kMostStates) seen_.clear();
    return !seen_.insert(state).second;
  }

  void report(Worker* w) {
    std::vector<std::pair<Worker*, const Fiber*>> all;
    unsigned in_loops = 0, at_barriers = 0, unfinished = 0;
    for (Worker* each : blocks_with(w)) {
      unfinished++;
      for (unsigned i = 0; i < each->threads; i++) {
        const Fiber& fiber = each->fibers[i];
        if (fiber.state != FiberState::Started) continue;
        (fiber.wait_word == &kNeverWaits ? in_loops : at_barriers)++;
        all.emplace_back(each, &fiber);
      }
    }
    unsigned begun = std::min<unsigned>(w->launch->next_block, w->launch->blocks), left = w->launch->blocks - begun;
    std::string text = format(in_loops == 1 ? "%u thread waits in a loop" : "%u threads wait in loops", in_loops);
    if (at_barriers) text += format(", and %u at barriers,", at_barriers);
    text += " for what nobody will change";
    if (left) text += format("; %u block%s can begin only when others have ended", left, left == 1 ? "" : "s");
    std::vector<Mistake> mistakes;
    for (auto& [block, fiber] : all) {  // each place once, the loops first
      Mistake mistake = {Kind::Deadlock, text, place_of(fiber), name_of(block, fiber), {}, {}};
      bool known = false;
      for (Mistake& other : mistakes) known |= other.place == mistake.place;
      if (known) continue;
      bool loop = fiber->wait_word == &kNeverWaits;
      mistakes.insert(loop && !mistakes.empty() ? mistakes.begin() : mistakes.end(), mistake);
    }
    if (mistakes.size() > 1) {
      mistakes[0].other = {"wait", mistakes[1].place, mistakes[1].thread};
      mistakes.erase(mistakes.begin() + 1);
    }
    for (size_t i = 0; i < mistakes.size() && i < 4; i++) w->launch->report->add(mistakes[i]);
    w->launch->failed = true;
  }

 private:
  static constexpr unsigned kVisits = 64, kMostStates = 1 << 16;
  static constexpr size_t kMostBytes = 1 << 28;
  struct Waits {
    const char* frame;
    Place place;
  };

  void begin_again() {
    visits_ = 0;
    next_look_ = 0;
    seen_.clear();
  }

  std::set<Worker*> blocks_with(Worker* w) const {
    std::set<Worker*> all = stalled_;
    all.insert(w);
    return all;
  }
  Place place_of(const Fiber* fiber) const {
    auto found = waits_.find(fiber);
    return fiber->wait_word == &kNeverWaits && found != waits_.end() ? found->second.place : Place{fiber->wait_site};
  }
  // One thread of all that wait looks, so that the moments can be compared.
  bool leads(Worker* w, const Fiber* self) const {
    if (!stalled_.empty() && std::less<Worker*>()(*stalled_.begin(), w)) return false;
    for (unsigned i = 0; i < self->linear; i++)
      if (w->fibers[i].state == FiberState::Started && w->fibers[i].wait_word == &kNeverWaits) return false;
    return true;
  }

  void mix(const void* data, size_t size) {
    uint64_t h = hash_, word;
    const char* p = (const char*)data;
    for (; size >= 8; p += 8, size -= 8) {
      memcpy(&word, p, 8);
      h = (h ^ word) * 0x9e3779b97f4a7c15ull;
      h ^= h >> 32;
    }
    word = size;
    memcpy(&word, p, size);
    hash_ = (h ^ word) * 0x9e3779b97f4a7c15ull;
  }
  void mix(uint64_t number) { mix(&number, 8); }

  // Everything that what runs can depend on. False when that is too much, or not all of it is known.
  bool look(Worker* running, uint64_t& state) {
    Launch* launch = running->launch;
    if (arena().in_use() > kMostBytes) return false;
    hash_ = 0;
    mix(std::min<unsigned>(launch->next_block, launch->blocks));
    mix(launch->at_grid);
    mix(launch->grid_generation);
    for (Worker* w : blocks_with(running)) {
      if (!w->tensor_copies.empty() || !w->bulk_stores.empty()) return false;
      mix(w->alive);
      mix(w->resumes && w != running ? ((const Fiber*)w->resumes)->linear : 0);
      mix(w->shared, w->shared_used);
      for (auto& [address, barrier] : w->mbarriers) mix(barrier.generation), mix(barrier.pending), mix(barrier.bytes);
      for (unsigned i = 0; i < w->threads; i++) {
        const Fiber& fiber = w->fibers[i];
        mix((uint64_t)fiber.state);
        if (fiber.state != FiberState::Started) continue;
        mix(fiber.wait_word == &kNeverWaits ? 0 : *fiber.wait_word + 1ull);
        mix(fiber.copies_started - fiber.copies_done);
        if (fiber.wait_word != &kNeverWaits) continue;
        auto found = waits_.find(&fiber);
        const char* top = w->stacks + size_t(fiber.stack + 1) * kStackSize;
        if (found == waits_.end() || (size_t)(top - found->second.frame) > kStackSize) return false;
        mix(found->second.frame, top - found->second.frame);
      }
    }
    arena().each([this](const char* data, size_t size) { mix(data, size); });
    for (const SharedVariable& v : device_variables) mix(v.data, v.size);
    state = hash_;
    return true;
  }

  std::set<Worker*> stalled_;
  std::unordered_map<const Fiber*, Waits> waits_;
  std::set<uint64_t> seen_;
  unsigned visits_ = 0;
  unsigned long long next_look_ = 0;
  uint64_t hash_ = 0;
  bool clock_ = false;  // or something else that forbids an answer
};
inline Hopeless hopeless;

void check_clock_read() { hopeless.read_clock(); }

bool check_waits_for_ever(Worker* w, Fiber* self, Site site, const char* frame, bool all_wait) {
  hopeless.waits(self, frame, site.file ? Place{site} : with_callers(places.place(last_atomic)));
  if (!all_wait || !hopeless.decide(w, self)) return false;
  hopeless.report(w);
  return true;
}

}  // namespace gpunet_sim
