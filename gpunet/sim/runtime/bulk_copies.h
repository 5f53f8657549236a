// Bulk copies between global and shared memory (TMA): loads that an mbarrier counts, stores that belong to groups of
// the thread that started them. One-dimensional copies are boxes of one row.
#pragma once

namespace gpunet_sim {

constexpr size_t kBulkUnit = 16;

// 16-byte columns are mixed with the row: 32, 64 and 128 bytes wide. 0: not at all.
inline size_t swizzled(size_t address, unsigned swizzle) {
  return address ^ ((address >> 7 & (swizzle >> 4) - 1 & 7) << 4 & -(size_t)(swizzle != 0));
}

inline size_t row_bytes(const TensorMap& map) { return size_t(map.box_columns) * map.item_bytes; }
inline size_t bytes_of(const TensorCopy& copy) { return copy.map.box_rows * row_bytes(copy.map); }

// Calls act(address in global memory or null where the box is outside, address in shared memory, bytes), 16 bytes or
// an item at a time.
template <class F>
inline void for_each_piece(const TensorCopy& copy, char* shared_base, F act) {
  const TensorMap& map = copy.map;
  size_t start = size_t(copy.shared - shared_base);
  for (unsigned row = 0; row < map.box_rows; row++)
    for (unsigned column = 0; column < map.box_columns; column++) {
      int64_t x = (int64_t)copy.x + column, y = (int64_t)copy.y + row;
      bool inside = x >= 0 && x < map.columns && y >= 0 && y < map.rows;
      const char* global = inside ? map.base + y * map.row_bytes + x * map.item_bytes : nullptr;
      size_t address = start + row * row_bytes(map) + size_t(column) * map.item_bytes;
      act((char*)global, shared_base + swizzled(address, map.swizzle), map.item_bytes);
    }
}

inline TensorMap line_of(const void* global, unsigned bytes) {
  unsigned units = bytes / kBulkUnit;
  return {(const char*)global, units, 1, bytes, units, 1, kBulkUnit, 0, {1, 1}, 2, 0, {0, 0}};
}

inline TensorCopy new_copy(void* shared, const TensorMap& map, void* barrier, int x, int y, Site site) {
  TensorCopy copy{(char*)shared, map, barrier, x, y, site, current->linear};
  size_t address = size_t(copy.shared - worker->shared), alignment = map.swizzle ? map.swizzle * 8 : 128;
  if (map.item_bytes == kBulkUnit && !map.swizzle) alignment = 16;
  if (address & (alignment - 1)) fail(Kind::Misaligned, site, "TMA: the shared address is no multiple of %zu", alignment);
  return copy;
}

inline TensorMap tensor_map(const void* opaque, unsigned dimensions, Site site) {
  TensorMap map;
  memcpy(&map, opaque, sizeof map);
  if (map.dimensions != dimensions)
    fail(site, "TMA: a copy of %u dimensions by the descriptor of an array of %u", dimensions, map.dimensions);
  return map;
}

inline TensorMap checked_line(const void* global, unsigned bytes, Site site) {
  if ((size_t)global % kBulkUnit || bytes % kBulkUnit)
    fail(Kind::Misaligned, site, "cp.async.bulk of %u bytes: the size and both addresses must be multiples of 16", bytes);
  return line_of(global, bytes);
}

// ---- loads -------------------------------------------------------------------------------------------------------
inline void start_load(const TensorCopy& copy) {
  check_atomic(copy.barrier, 8, Scope::Block, copy.site);
  find_mbarrier(copy.barrier, copy.site);
  check_tensor_copy_started(copy);
  worker->tensor_copies.push_back(copy);
}
void bulk_load(void* shared, const void* global, unsigned bytes, void* barrier, Site site) {
  start_load(new_copy(shared, checked_line(global, bytes, site), barrier, 0, 0, site));
}
void tensor_load_2d(void* shared, const void* map, void* barrier, int x, int y, Site site) {
  start_load(new_copy(shared, tensor_map(map, 2, site), barrier, x, y, site));
}
void tensor_load_4d(void* shared, const void* map, void* barrier, int x, int y, int z, int w, Site site) {
  TensorMap matrix = tensor_map(map, 4, site);
  if (z < 0 || w < 0 || unsigned(z) >= matrix.matrices[0] || unsigned(w) >= matrix.matrices[1])
    matrix.rows = 0;  // all of the box is outside
  else
    matrix.base += z * matrix.steps[0] + w * matrix.steps[1];
  start_load(new_copy(shared, matrix, barrier, x, y, site));
}

// The nearest number with 10 bits of fraction, in the middle the even one; infinities and NaN stay.
inline uint32_t rounded_to_tf32(uint32_t bits) {
  return (bits & 0x7f800000u) == 0x7f800000u ? bits : (bits + 0xfffu + (bits >> 13 & 1)) & ~0x1fffu;
}

// Called when no thread can run: gives the oldest load's data, and wakes who waits for it.
bool finish_one_bulk_load(Worker* w) {
  if (w->tensor_copies.empty()) return false;
  TensorCopy copy = w->tensor_copies.front();
  w->tensor_copies.erase(w->tensor_copies.begin());
  for_each_piece(copy, w->shared, [&](const char* global, char* shared, size_t size) {
    if (global)
      memcpy(shared, global, size);
    else
      memset(shared, 0, size);
    if (copy.map.tf32) {
      uint32_t bits;
      memcpy(&bits, shared, 4);
      bits = rounded_to_tf32(bits);
      memcpy(shared, &bits, 4);
    }
  });
  MBarrier& barrier = find_mbarrier(copy.barrier, copy.site);
  check_tensor_copy_finished(copy, barrier.generation);
  barrier.bytes -= int64_t(bytes_of(copy));
  end_phase_if_complete(barrier);
  return true;
}

// ---- stores ------------------------------------------------------------------------------------------------------
inline void start_store(const TensorCopy& copy) {
  check_bulk_store_started(copy);
  worker->bulk_stores.push_back({copy, running()->bulk_group, {}});
}
void bulk_store(void* global, const void* shared, unsigned bytes, Site site) {
  start_store(new_copy((void*)shared, checked_line(global, bytes, site), nullptr, 0, 0, site));
}
void tensor_store_2d(const void* map, const void* shared, int x, int y, Site site) {
  start_store(new_copy((void*)shared, tensor_map(map, 2, site), nullptr, x, y, site));
}
void bulk_commit() { running()->bulk_group++; }

// Shared memory is read as late as a wait allows; what was read reaches global memory at the wait for that.
inline void read_source(Worker* w, BulkStore& store) {
  if (!store.data.empty()) return;
  for_each_piece(store.copy, w->shared, [&](const char*, const char* shared, size_t size) {
    store.data.insert(store.data.end(), shared, shared + size);
  });
  check_bulk_store_read(store.copy);
}
inline void write_destination(Worker* w, BulkStore& store) {
  const char* next = store.data.data();
  for_each_piece(store.copy, w->shared, [&](char* global, const char*, size_t size) {
    if (global) memcpy(global, next, size);
    next += size;
  });
  check_bulk_store_finished(store.copy);
}

void bulk_wait(unsigned groups_left, bool only_read) {
  Worker* w = worker;
  std::vector<BulkStore> left;
  for (BulkStore& store : w->bulk_stores) {
    bool due = store.copy.thread == current->linear && store.group + groups_left < running()->bulk_group;
    if (due) read_source(w, store);
    if (due && !only_read)
      write_destination(w, store);
    else
      left.push_back(std::move(store));
  }
  w->bulk_stores = std::move(left);
}

// Also the stores that nothing waited for happen at last.
void finish_bulk_stores(Worker* w) {
  for (BulkStore& store : w->bulk_stores) {
    current = &w->fibers[store.copy.thread];
    read_source(w, store);
    write_destination(w, store);
  }
  w->bulk_stores.clear();
}

}  // namespace gpunet_sim
