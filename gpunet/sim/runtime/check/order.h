// Which accesses are ordered by synchronisation: vector clocks.
//
// Time goes in phases: a block begins one, and every __syncthreads begins the next, so that what a block did in an
// earlier phase is ordered for all its threads without any further bookkeeping. Within a phase each thread has a clock
// and a row of what it knows of the other threads' clocks. Blocks run one after the other here, or in turns when they
// wait for one another; on a GPU they run at once: accesses of other blocks of the launch are ordered only by fences and
// atomics, and by barriers of the whole grid.
#pragma once
#include <algorithm>
#include <memory>
#include <unordered_map>

namespace gpunet_sim {

class Order {
 public:
  Stamp now[kMaxThreads];  // the stamp of each thread's next access

  Order() : know_((uint32_t*)reserve(sizeof(uint32_t) * kMaxThreads * kMaxThreads)) {
    if (!know_) abort();
    for (uint32_t& clock : clock_) clock = 1;
  }

  // ---- the course of a launch
  void begin_launch() {
    launch_first_ = launch_begin_ = phase_ = ++last_phase_;
    block_starts_.clear();
    owners_.assign(1, 0);
    mixed_ = false;
    for (Fences& scope : fences_) scope.released.clear();
  }
  void begin_block(unsigned threads) {
    threads_ = (threads + 31) / 32 * 32;
    wide_ = met_ = false;
    block_ = (uint32_t)block_starts_.size();
    block_first_ = next_phase();
    block_starts_.push_back(block_first_);
    acquired_.clear();
    seen_.clear();
    for (auto& last : last_seen_) last.clear();
    arrived_.clear();
    for (Fences& scope : fences_) scope.last.clear();
    if (*std::max_element(clock_, clock_ + kMaxThreads) > kMostClock / 2) {
      std::fill(clock_, clock_ + kMaxThreads, 1);
      memset(know_, 0, sizeof(uint32_t) * kMaxThreads * kMaxThreads);
    }
    restamp();
  }
  void block_barrier() {
    next_phase();
    met_ = false;
    restamp();
  }
  // All blocks have met: what has been done so far is ordered before what each does in its next phase.
  void grid_barrier() { launch_first_ = ++last_phase_, owners_.push_back(block_); }

  // ---- blocks in turns: what is known of a block while another one runs
  struct Block;
  void leave(Block& saved);
  void enter(Block& saved);

  // The lanes of `mask` have met: each knows what any of them knew.
  void join_warp(unsigned warp, unsigned mask) {
    met_ = true;
    unsigned first = wide_ ? 0 : warp * 32, end = wide_ ? threads_ : first + 32;
    alignas(64) uint32_t joined[kMaxThreads];
    std::fill(joined + first, joined + end, 0);
    for (unsigned rest = mask; rest; rest &= rest - 1) {
      unsigned thread = warp * 32 + __builtin_ctz(rest);
      merge(joined, row(thread), first, end);
    }
    for (unsigned rest = mask; rest; rest &= rest - 1) {
      unsigned thread = warp * 32 + __builtin_ctz(rest);
      joined[thread] = clock_[thread];
    }
    for (unsigned rest = mask; rest; rest &= rest - 1) {
      unsigned thread = warp * 32 + __builtin_ctz(rest);
      memcpy(row(thread) + first, joined + first, (end - first) * sizeof(uint32_t));
      tick(thread);
    }
  }

  // A thread's knowledge goes to whoever acquires from the same object and generation later in this phase.
  void release(unsigned thread, const void* object, uint32_t generation) {
    wide_ = true;
    Knowledge& k = arrived_[{object, generation & 1}];
    if (k.phase != phase_ || k.generation != generation) {
      k.phase = phase_;
      k.generation = generation;
      k.clocks.assign(threads_, 0);
    }
    merge(k.clocks.data(), row(thread), 0, threads_);
    k.clocks[thread] = clock_[thread];
    tick(thread);
  }
  void acquire(unsigned thread, const void* object, uint32_t generation) {
    auto found = arrived_.find({object, generation & 1});
    if (found == arrived_.end() || found->second.phase != phase_ || found->second.generation != generation) return;
    wide_ = met_ = true;
    merge(row(thread), found->second.clocks.data(), 0, threads_);
  }

  // ---- fences and atomics
  // What a thread knows at a fence is what its next atomic operations publish.
  void fence(unsigned thread, bool device) {
    for (unsigned scope = device ? 0 : 1; scope < 2; scope++) {
      Fence& f = fences_[scope].last[thread];
      f.phase = phase_;
      f.clocks.assign(row(thread), row(thread) + threads_);
      f.clocks[thread] = clock_[thread];
    }
    wide_ = true;
    tick(thread);
  }
  void atomic(unsigned thread, const void* address, bool write) {
    for (Fences& scope : fences_)
      if (write && !scope.last.empty()) publish(scope, thread, address);
    if (!fences_[0].released.count(address) && !fences_[1].released.count(address)) return;
    if (!mixed_)
      acquired_.emplace(std::make_pair(thread, address), now[thread]);
    else
      remember(thread, address);
  }

  // ---- did the access with this stamp happen before what this thread does now?
  __attribute__((always_inline)) bool ordered(Stamp s, unsigned thread) const {
    uint32_t phase = phase_of(s);
    if (phase == phase_) {
      unsigned other = thread_of(s);
      return other == thread || (met_ && row(thread)[other] >= clock_of(s));
    }
    if (phase >= block_first_ && phase < phase_) return !mixed_ || phase < launch_first_ || owner(phase) == block_;
    return phase < launch_first_;
  }
  bool ordered_by_fences(Stamp s, unsigned thread) const {
    uint32_t block = block_start(s);
    for (const Seen& seen : seen_) {
      if (!ordered(seen.when, thread)) continue;
      const Published& releases = seen.released[block == block_first_ ? 1 : 0];
      auto of_block = releases.find(block);
      if (of_block != releases.end() && (*of_block->second)[thread_of(s)] >= moment(s)) return true;
    }
    const Fences& scope = fences_[block == block_first_ ? 1 : 0];
    for (auto& [who, when] : acquired_) {
      if (!ordered(when, thread)) continue;
      auto releases = scope.released.find(who.second);
      if (releases == scope.released.end()) continue;
      auto of_block = releases->second.find(block);
      if (of_block != releases->second.end() && (*of_block->second)[thread_of(s)] >= moment(s)) return true;
    }
    return false;
  }

  bool in_this_launch(Stamp s) const { return phase_of(s) >= launch_first_ && s != Shadow::kSplit; }
  // The number of the block, in the order in which they begin.
  unsigned block_number(Stamp s) const { return owner(phase_of(s)); }
  bool in_this_block(Stamp s) const { return phase_of(s) >= launch_begin_ && owner(phase_of(s)) == block_; }
  uint32_t current_phase() const { return phase_; }
  uint32_t block_first() const { return block_first_; }
  uint32_t launch_first() const { return launch_first_; }
  const uint32_t* row(unsigned thread) const { return know_ + (size_t)thread * kMaxThreads; }
  void tick(unsigned thread) {
    if (clock_[thread] < kMostClock) clock_[thread]++;
    now[thread] = make_stamp(phase_, thread, clock_[thread]);
  }

 private:
  struct Knowledge {
    uint32_t phase = 0, generation = 0;
    std::vector<uint32_t> clocks;
  };
  // By block (its first phase). What is published is never changed: what follows it is new.
  using Published = std::unordered_map<uint32_t, std::shared_ptr<const std::vector<uint64_t>>>;
  struct Fence {
    uint32_t phase;
    std::vector<uint32_t> clocks;
  };
  // Of one scope: fences of any kind order threads of the block, those for the device also order blocks.
  struct Fences {
    std::unordered_map<unsigned, Fence> last;  // of each thread of the running block
    // By address, then by block (its first phase): up to which moment each thread's accesses are published.
    std::unordered_map<const void*, Published> released;
  };
  // What a thread's atomic operation has found published at an address. A block that runs in turns with others may be
  // there before they are: what comes later it has not seen.
  struct Seen {
    Stamp when;
    Published released[2];
  };

  void remember(unsigned thread, const void* address) {
    Seen seen = {now[thread], {}};
    bool is_new = false;
    for (int scope = 0; scope < 2; scope++) {
      auto found = fences_[scope].released.find(address);
      if (found != fences_[scope].released.end()) seen.released[scope] = found->second;
      is_new |= seen.released[scope] != last_seen_[scope][{thread, address}];
      last_seen_[scope][{thread, address}] = seen.released[scope];
    }
    if (is_new) seen_.push_back(std::move(seen));
  }

  // Phase and clock as one number that grows.
  static uint64_t moment(uint32_t phase, uint32_t clock) { return (uint64_t)phase << 32 | clock; }
  static uint64_t moment(Stamp s) { return moment(phase_of(s), clock_of(s)); }

  // Published is what the thread knew at its own last fence; and what another thread did before a fence of its own,
  // when this thread knows of that fence (all fence, a barrier, one counts).
  void publish(Fences& scope, unsigned thread, const void* address) {
    std::shared_ptr<const std::vector<uint64_t>>& place = scope.released[address][block_first_];
    std::vector<uint64_t> published = place ? *place : std::vector<uint64_t>();
    published.resize(threads_);
    auto own = scope.last.find(thread);
    if (own != scope.last.end())
      for (unsigned i = 0; i < threads_; i++)
        published[i] = std::max(published[i], moment(own->second.phase, own->second.clocks[i]));
    for (auto& [other, fence] : scope.last)
      if (fence.phase < phase_ || row(thread)[other] >= fence.clocks[other])
        published[other] = std::max(published[other], moment(fence.phase, fence.clocks[other]));
    if (!place || *place != published) place = std::make_shared<const std::vector<uint64_t>>(std::move(published));
  }

  uint32_t next_phase() {
    owners_.push_back(block_);
    return phase_ = ++last_phase_;
  }
  uint32_t owner(uint32_t phase) const { return owners_[phase - launch_begin_]; }

  uint32_t block_start(Stamp s) const { return block_starts_[owner(phase_of(s))]; }
  uint32_t* row(unsigned thread) { return know_ + (size_t)thread * kMaxThreads; }
  // In whole warps, which the compiler makes into vector instructions.
  static void merge(uint32_t* into, const uint32_t* from, unsigned first, unsigned end) {
    for (unsigned warp = first; warp < end; warp += 32)
      for (unsigned i = warp; i < warp + 32; i++) into[i] = into[i] > from[i] ? into[i] : from[i];
  }
  void restamp() {
    for (unsigned i = 0; i < threads_; i++) now[i] = make_stamp(phase_, i, clock_[i]);
  }

  uint32_t phase_ = 0, last_phase_ = 0;          // of the running block; of all
  uint32_t launch_begin_ = 0, launch_first_ = 0;  // the latter moves on with barriers of the grid
  uint32_t block_ = 0, block_first_ = 0;
  bool mixed_ = false;             // blocks have run in turns
  std::vector<uint32_t> owners_;   // by phase, from the launch's beginning on: the block
  unsigned threads_ = 0;  // of the block, in whole warps
  bool wide_ = false;  // threads know of other warps' clocks too, in this block
  bool met_ = false;   // some threads know of others' clocks in this phase
  uint32_t clock_[kMaxThreads];
  uint32_t* know_;
  std::vector<uint32_t> block_starts_;
  std::map<std::pair<const void*, uint32_t>, Knowledge> arrived_;
  std::map<std::pair<unsigned, const void*>, Stamp> acquired_;
  std::vector<Seen> seen_;
  std::map<std::pair<unsigned, const void*>, Published> last_seen_[2];
  Fences fences_[2];  // for the device; for the block
};

struct Order::Block {
  Stamp now[kMaxThreads];
  uint32_t clock[kMaxThreads], *know = nullptr;
  uint32_t phase, block, block_first;
  unsigned threads;
  bool wide, met;
  std::map<std::pair<const void*, uint32_t>, Knowledge> arrived;
  std::map<std::pair<unsigned, const void*>, Stamp> acquired;
  std::vector<Seen> seen;
  std::map<std::pair<unsigned, const void*>, Published> last_seen[2];
  std::unordered_map<unsigned, Fence> last[2];
};

// The block that runs is left; the next one begins with clocks that go on, and knows nothing.
inline void Order::leave(Block& b) {
  if (!mixed_) {  // what was seen so far was published by blocks that had ended
    mixed_ = true;
    for (auto& [who, when] : acquired_) {
      Seen seen = {when, {}};
      for (int scope = 0; scope < 2; scope++)
        if (fences_[scope].released.count(who.second)) seen.released[scope] = fences_[scope].released[who.second];
      seen_.push_back(std::move(seen));
    }
    acquired_.clear();
  }
  memcpy(b.now, now, sizeof now);
  memcpy(b.clock, clock_, sizeof clock_);
  if (!b.know && !(b.know = (uint32_t*)reserve(sizeof(uint32_t) * kMaxThreads * kMaxThreads))) abort();
  std::swap(b.know, know_);
  madvise(know_, sizeof(uint32_t) * kMaxThreads * kMaxThreads, MADV_DONTNEED);
  b.phase = phase_, b.block = block_, b.block_first = block_first_, b.threads = threads_, b.wide = wide_, b.met = met_;
  b.arrived.swap(arrived_), b.acquired.swap(acquired_), b.seen.swap(seen_);
  for (int scope = 0; scope < 2; scope++)
    b.last[scope].swap(fences_[scope].last), b.last_seen[scope].swap(last_seen_[scope]);
}

inline void Order::enter(Block& b) {
  memcpy(now, b.now, sizeof now);
  memcpy(clock_, b.clock, sizeof clock_);
  std::swap(b.know, know_);
  phase_ = b.phase, block_ = b.block, block_first_ = b.block_first, threads_ = b.threads, wide_ = b.wide, met_ = b.met;
  b.arrived.swap(arrived_), b.acquired.swap(acquired_), b.seen.swap(seen_);
  for (int scope = 0; scope < 2; scope++)
    b.last[scope].swap(fences_[scope].last), b.last_seen[scope].swap(last_seen_[scope]);
}

inline Order order;

}  // namespace gpunet_sim
