// Copies that run beside the threads: cp.async by one thread, and bulk tensor copies (TMA) with mbarriers.
// They complete as late as is legal, so that a wait which is missing or in the wrong place is noticed.
#pragma once

namespace gpunet_sim {

// ---- cp.async --------------------------------------------------------------------------------------------------
void make_room_for_copies() {
  ThreadInfo* self = current;
  if (self->copies_done >= 16) {
    self->copies_started -= self->copies_done;
    memmove(self->copies, self->copies + self->copies_done, self->copies_started * sizeof(AsyncCopy));
    self->copies_done = 0;
    return;
  }
  self->copies_room = self->copies_room ? self->copies_room * 2 : 32;
  self->copies = (AsyncCopy*)realloc(self->copies, self->copies_room * sizeof(AsyncCopy));
  if (!self->copies) abort();
}

inline void finish(const AsyncCopy& copy) {
  check_copy_finished(copy);
  if (!copy.valid)
    memset(copy.shared, 0, copy.size);
  else if (copy.size == 16)
    memcpy(copy.shared, copy.global, 16);
  else
    memcpy(copy.shared, copy.global, copy.size);
}

void finish_copies(unsigned groups_left) {
  ThreadInfo* self = current;
  unsigned next = self->copies_done, end = self->copies_started;
  while (next < end && self->copies[next].group + groups_left < self->copy_group) finish(self->copies[next++]);
  if (next == end) next = self->copies_started = 0;
  self->copies_done = next;
}

// ---- mbarrier --------------------------------------------------------------------------------------------------
inline MBarrier& find_mbarrier(void* address, Site site) {
  auto found = worker->mbarriers.find(address);
  if (found == worker->mbarriers.end()) fail(site, "an mbarrier is used before mbarrier.init");
  return found->second;
}

inline void end_phase_if_complete(MBarrier& barrier) {
  if (barrier.pending || barrier.bytes) return;
  barrier.generation++;
  barrier.pending = barrier.expected;
}

void mbarrier_init(void* address, unsigned count, Site site) {
  if ((size_t)address & 7) fail(Kind::Misaligned, site, "mbarrier.init: the address is no multiple of 8");
  check_write(address, 8, site);
  worker->mbarriers[address] = {0, count, count, 0};
}

void mbarrier_arrive(void* address, unsigned expected_bytes, Site site) {
  MBarrier& barrier = find_mbarrier(address, site);
  check_atomic(address, 8, site);
  check_release(address, barrier.generation);
  if (barrier.pending == 0) fail(site, "more arrivals at an mbarrier than its count of %u", barrier.expected);
  barrier.bytes += expected_bytes;
  barrier.pending--;
  end_phase_if_complete(barrier);
}

bool mbarrier_test(void* address, unsigned parity, Site site) {
  MBarrier& barrier = find_mbarrier(address, site);
  check_atomic(address, 8, site);
  if ((barrier.generation & 1) == parity) return false;
  check_acquire(address, barrier.generation - 1);
  return true;
}

void mbarrier_wait(void* address, unsigned parity, Site site) {
  MBarrier& barrier = find_mbarrier(address, site);
  check_atomic(address, 8, site);
  while ((barrier.generation & 1) == parity)
    wait_change(&barrier.generation, barrier.generation, "an mbarrier wait", site);
  check_acquire(address, barrier.generation - 1);
}

// ---- tensor copies ---------------------------------------------------------------------------------------------
// The 128-byte swizzle: within 1024 bytes, the 16-byte column is mixed with the row.
inline size_t swizzled_128(size_t address) { return address ^ ((address >> 7 & 7) << 4); }

void tensor_copy_2d(void* shared, const void* map, void* barrier, int x, int y, Site site) {
  TensorCopy copy{(char*)shared, {}, barrier, x, y, site, current->linear};
  memcpy(&copy.map, map, sizeof copy.map);
  size_t alignment = copy.map.swizzle_128 ? 1024 : 128, address = size_t(copy.shared - worker->shared);
  if (address & (alignment - 1)) fail(Kind::Misaligned, site, "TMA: the shared address is no multiple of %zu", alignment);
  find_mbarrier(barrier, site);
  check_tensor_copy_started(copy);
  worker->tensor_copies.push_back(copy);
}

inline void copy_item(const TensorCopy& copy, char* to, unsigned column, unsigned row) {
  const TensorMap& map = copy.map;
  int64_t x = (int64_t)copy.x + column, y = (int64_t)copy.y + row;
  bool inside = x >= 0 && x < map.columns && y >= 0 && y < map.rows;
  if (inside)
    memcpy(to, map.base + y * map.row_bytes + x * map.item_bytes, map.item_bytes);
  else
    memset(to, 0, map.item_bytes);
}

// Called when no thread can run: gives the oldest copy's data, and wakes who waits for it.
bool finish_one_tensor_copy(Worker* w) {
  if (w->tensor_copies.empty()) return false;
  TensorCopy copy = w->tensor_copies.front();
  w->tensor_copies.erase(w->tensor_copies.begin());
  const TensorMap& map = copy.map;
  size_t start = size_t(copy.shared - w->shared), row_bytes = size_t(map.box_columns) * map.item_bytes;
  for (unsigned row = 0; row < map.box_rows; row++)
    for (unsigned column = 0; column < map.box_columns; column++) {
      size_t address = start + row * row_bytes + size_t(column) * map.item_bytes;
      copy_item(copy, w->shared + (map.swizzle_128 ? swizzled_128(address) : address), column, row);
    }
  MBarrier& barrier = find_mbarrier(copy.barrier, copy.site);
  check_tensor_copy_finished(copy, barrier.generation);
  barrier.bytes -= int64_t(row_bytes * map.box_rows);
  end_phase_if_complete(barrier);
  return true;
}

}  // namespace gpunet_sim
