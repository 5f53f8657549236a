// Which lanes of a warp stand at one place together: __activemask() and coalesced_threads().
//
// On a device that is what the hardware makes of it; here lanes run one after another, so the first to arrive lets the
// warp's other lanes run until each waits somewhere, has ended, or has come here too. That is the largest answer that a
// device can give, and the one that it gives in the code that people write.
#pragma once

namespace gpunet_sim {

inline bool moves_by_itself(const Fiber& fiber) { return runnable(fiber) && fiber.wait_word != &kNeverWaits; }

inline Fiber* another_lane(Worker* w, const Fiber* self) {
  unsigned first = self->warp * 32, end = first + 32 < w->threads ? first + 32 : w->threads;
  for (unsigned i = first; i < end; i++)
    if (&w->fibers[i] != self && moves_by_itself(w->fibers[i])) return &w->fibers[i];
  return nullptr;
}

// One that is open at this site, or a free one: a slot left by a block that ended early is free too.
inline Gathering& find_gathering(Worker* w, Warp& warp, Site site) {
  Gathering* free = nullptr;
  for (Gathering& g : warp.gathering) {
    bool open = g.lanes && g.block == w->block_started;
    if (open && g.site.line == site.line && g.site.file == site.file) return g;
    if (!open && !free) free = &g;
  }
  free->lanes = 0;
  free->site = site;
  free->block = w->block_started;
  return *free;
}

//
// Nothing forbids the smallest answer, though: that each lane is alone. Under the checker a launch runs with it too, which
// shows code that counts on more.
inline bool lanes_apart = false;
inline Site lanes_asked[kMaxThreads];  // where each thread has asked last

unsigned converged_lanes(Site site, bool for_group) {
  Worker* w = worker;
  Fiber* self = running();
  if (lanes_apart && !for_group) {
    lanes_asked[self->linear] = site;
    return 1u << self->lane;
  }
  Gathering& gathering = find_gathering(w, w->warp[self->warp], site);
  bool first = !gathering.lanes;
  gathering.lanes |= 1u << self->lane;
  if (!first) {
    wait_change(&gathering.generation, gathering.generation, "__activemask", site);
    return gathering.result;
  }
  while (Fiber* other = another_lane(w, self)) {
    self->wait_word = &kNeverWaits;
    self->wait_value = 1;
    switch_to(w, self, other);
  }
  gathering.result = gathering.lanes;
  gathering.lanes = 0;
  gathering.generation++;
  return gathering.result;
}

}  // namespace gpunet_sim
