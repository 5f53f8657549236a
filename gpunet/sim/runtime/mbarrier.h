// mbarriers: barriers in shared memory that count arrivals of threads and bytes of bulk copies.
#pragma once

namespace gpunet_sim {

bool finish_one_bulk_load(Worker*);

inline MBarrier& find_mbarrier(void* address, Site site) {
  auto found = worker->mbarriers.find(address);
  if (found == worker->mbarriers.end()) fail(site, "an mbarrier is used before mbarrier.init");
  return found->second;
}

inline void end_phase_if_complete(MBarrier& barrier) {
  if (barrier.pending || barrier.bytes) return;
  barrier.generation++;
  barrier.pending = barrier.expected;
  worker->fruitless_polls = 0;
}

inline bool complete(const MBarrier& barrier, unsigned parity) { return (barrier.generation & 1) != parity; }

void mbarrier_init(void* address, unsigned count, Site site) {
  if ((size_t)address & 7) fail(Kind::Misaligned, site, "mbarrier.init: the address is no multiple of 8");
  if (count == 0 || count >= 1u << 20) fail(site, "mbarrier.init: a count of %u; it goes from 1 to 2^20 - 1", count);
  check_write(address, 8, site);
  worker->mbarriers[address] = {0, count, count, 0};
}

void mbarrier_invalidate(void* address, Site site) {
  find_mbarrier(address, site);
  check_write(address, 8, site);
  worker->mbarriers.erase(address);
}

// Bytes that are still to come keep the phase open; a copy that comes before they are expected makes them negative.
void mbarrier_expect(void* address, unsigned bytes, Site site) {
  MBarrier& barrier = find_mbarrier(address, site);
  check_atomic(address, 8, Scope::Block, site);
  barrier.bytes += bytes;
}

void mbarrier_arrive(void* address, unsigned expected_bytes, Site site) {
  MBarrier& barrier = find_mbarrier(address, site);
  check_atomic(address, 8, Scope::Block, site);
  check_release(address, barrier.generation);
  if (barrier.pending == 0) fail(site, "more arrivals at an mbarrier than its count of %u", barrier.expected);
  barrier.bytes += expected_bytes;
  barrier.pending--;
  end_phase_if_complete(barrier);
}

void mbarrier_wait(void* address, unsigned parity, Site site) {
  MBarrier& barrier = find_mbarrier(address, site);
  check_atomic(address, 8, Scope::Block, site);
  while (!complete(barrier, parity))
    wait_change(&barrier.generation, barrier.generation, "an mbarrier wait", site);
  check_acquire(address, barrier.generation - 1);
}

// When all other threads wait, or ask again and again as this one does, only a copy can be what they wait for.
inline bool nobody_moves(const Worker* w) {
  for (unsigned i = 0; i < w->threads; i++)
    if (&w->fibers[i] != current && moves_by_itself(w->fibers[i])) return false;
  return true;
}

bool mbarrier_test(void* address, unsigned parity, Site site) {
  constexpr unsigned kPatience = 20000;
  MBarrier& barrier = find_mbarrier(address, site);
  check_atomic(address, 8, Scope::Block, site);
  if (!complete(barrier, parity)) {
    yield(site);
    Worker* w = worker;
    if (!complete(barrier, parity) && nobody_moves(w) && !finish_one_bulk_load(w) && ++w->fruitless_polls > kPatience)
      fail(Kind::Deadlock, site, "deadlock: an mbarrier is asked for a phase that nothing will complete");
    if (!complete(barrier, parity)) return false;
  }
  check_acquire(address, barrier.generation - 1);
  return true;
}

}  // namespace gpunet_sim
