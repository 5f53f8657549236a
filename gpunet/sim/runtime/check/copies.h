// Asynchronous copies. Until its wait, a copy may write its destination and read its source at any moment: both are
// checked when it starts and once more when it is waited for, and in between nobody may touch them.
#pragma once

namespace gpunet_sim {

inline void mark(const void* p, size_t size, State bit, bool on) {
  for (const char* byte = (const char*)p; byte < (const char*)p + size; byte++) {
    if (!shadow.contains(byte)) return;
    uint8_t& state = shadow.state(byte);
    state = on ? state | bit : state & ~bit;
  }
}

inline bool overlap(const void* a, size_t a_size, const void* b, size_t b_size) {
  return (const char*)a < (const char*)b + b_size && (const char*)b < (const char*)a + a_size;
}

// ---- cp.async --------------------------------------------------------------------------------------------------
void check_copy_started(const AsyncCopy& copy) {
  if (copy.valid) {
    check_read(copy.global, copy.size, copy.site);
    mark(copy.global, copy.size, kSource, true);
  }
  check_write(copy.shared, copy.size, copy.site);
  mark(copy.shared, copy.size, kPending, true);
}

void check_copy_finished(const AsyncCopy& copy) {
  mark(copy.shared, copy.size, kPending, false);
  check_write(copy.shared, copy.size, copy.site);
}

void check_thread_ends(const Fiber* fiber) {
  compare_written();
  for (unsigned i = fiber->copies_done; i < fiber->copies_started; i++) {
    const AsyncCopy& copy = fiber->copies[i];
    if (!copy.valid) continue;  // zeros that nobody asks for do no harm
    worker->launch->report->add({Kind::AsyncCopy, "an asynchronous copy that its thread never waits for", {copy.site},
                                 name_of(worker, fiber), find_element((const char*)copy.shared), {}});
  }
  for (const BulkStore& store : worker->bulk_stores)
    if (store.copy.thread == fiber->linear && store.data.empty())
      worker->launch->report->add({Kind::AsyncCopy, "a bulk store that its thread never waits for", {store.copy.site},
                                   name_of(worker, fiber), find_element(store.copy.shared), {}});
}

// ---- bulk tensor copies ----------------------------------------------------------------------------------------
// Rows of the box in global memory, as far as they are inside the array.
template <class F>
inline void for_each_global_row(const TensorCopy& copy, F act) {
  const TensorMap& map = copy.map;
  int64_t first = std::max<int64_t>(copy.x, 0), end = std::min<int64_t>((int64_t)copy.x + map.box_columns, map.columns);
  for (int64_t y = std::max<int64_t>(copy.y, 0); y < std::min<int64_t>((int64_t)copy.y + map.box_rows, map.rows); y++)
    if (first < end) act(map.base + y * map.row_bytes + first * map.item_bytes, size_t(end - first) * map.item_bytes);
}

void check_tensor_copy_started(const TensorCopy& copy) {
  for_each_global_row(copy, [&](const char* row, size_t size) {
    check_read(row, size, copy.site);
    mark(row, size, kSource, true);
  });
  check_write(copy.shared, bytes_of(copy), copy.site);
  mark(copy.shared, bytes_of(copy), kPending, true);
}

// The write is the starting thread's, in time with the completion; who waits at the mbarrier is ordered after it.
void check_tensor_copy_finished(const TensorCopy& copy, uint32_t generation) {
  ThreadInfo* running_now = current;
  current = &worker->fibers[copy.thread];
  mark(copy.shared, bytes_of(copy), kPending, false);
  check_write(copy.shared, bytes_of(copy), copy.site);
  check_release(copy.barrier, generation);
  current = running_now;
}

void check_bulk_store_started(const TensorCopy& copy) {
  check_read(copy.shared, bytes_of(copy), copy.site);
  mark(copy.shared, bytes_of(copy), kSource, true);
  for_each_global_row(copy, [&](const char* row, size_t size) {
    check_write((void*)row, size, copy.site);
    mark(row, size, kPending, true);
  });
}
void check_bulk_store_read(const TensorCopy& copy) { mark(copy.shared, bytes_of(copy), kSource, false); }
void check_bulk_store_finished(const TensorCopy& copy) {
  for_each_global_row(copy, [&](const char* row, size_t size) {
    mark(row, size, kPending, false);
    check_write((void*)row, size, copy.site);
  });
}

// ---- operands of asynchronous matrix products ------------------------------------------------------------------
void check_operand_begins(const void* p, size_t size, Site site) {
  check_read(p, size, site);
  mark(p, size, kSource, true);
}
void check_operand_ends(const void* p, size_t size, Site) { mark(p, size, kSource, false); }

void check_block_ends(const Worker* w) {
  for (const TensorCopy& copy : w->tensor_copies)
    w->launch->report->add({Kind::AsyncCopy, "a bulk tensor copy that nothing has waited for when the block ends",
                            {copy.site}, name_of(w, &w->fibers[copy.thread]), find_element(copy.shared), {}});
}

// ---- who is in the way -----------------------------------------------------------------------------------------
// Calls act(site, thread) for each copy under way in the block whose destination or source holds the byte.
template <class F>
inline bool find_copy(const char* p, bool destination, F act) {
  Worker* w = worker;
  for (unsigned t = 0; t < w->threads; t++) {
    Fiber& fiber = w->fibers[t];
    for (unsigned i = fiber.copies_done; i < fiber.copies_started; i++) {
      const AsyncCopy& copy = fiber.copies[i];
      if (destination ? overlap(p, 1, copy.shared, copy.size) : copy.valid && overlap(p, 1, copy.global, copy.size))
        return act(copy.site, fiber), true;
    }
  }
  for (const TensorCopy& copy : w->tensor_copies) {
    bool hit = destination && overlap(p, 1, copy.shared, bytes_of(copy));
    if (!destination)
      for_each_global_row(copy, [&](const char* row, size_t size) { hit |= overlap(p, 1, row, size); });
    if (hit) return act(copy.site, w->fibers[copy.thread]), true;
  }
  for (const BulkStore& store : w->bulk_stores) {
    const TensorCopy& copy = store.copy;
    bool hit = !destination && store.data.empty() && overlap(p, 1, copy.shared, bytes_of(copy));
    if (destination)
      for_each_global_row(copy, [&](const char* row, size_t size) { hit |= overlap(p, 1, row, size); });
    if (hit) return act(copy.site, w->fibers[copy.thread]), true;
  }
  for (unsigned t = 0; !destination && t < w->threads; t++) {
    const Fiber& fiber = w->fibers[t];
    if (!fiber.products) continue;
    for (const WgmmaProduct& product : *fiber.products)
      if (reads_operand(fiber, product, p)) return act(product.site, fiber), true;
  }
  return false;
}

void report_copy_conflict(const Access& a, const char* p) {
  OtherParty other;
  find_copy(p, true, [&](Site site, const Fiber& fiber) {
    other = {"asynchronous copy", {site}, name_of(worker, &fiber)};
  });
  report_access(Kind::AsyncCopy, a, p,
                format("%s while an asynchronous copy to it is under way and not waited for", size_and_verb(a).c_str()),
                other);
}

// False when no copy is reading the byte any more.
bool report_source_conflict(const Access& a, const char* p) {
  return find_copy(p, false, [&](Site site, const Fiber& fiber) {
    report_access(Kind::AsyncCopy, a, p,
                  format("%s while an asynchronous copy from it is under way", size_and_verb(a).c_str()),
                  {"asynchronous copy", {site}, name_of(worker, &fiber)});
  });
}

}  // namespace gpunet_sim
