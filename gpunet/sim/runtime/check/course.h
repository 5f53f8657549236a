// What the runtime tells the checker of the course of a launch; no_check.h has the same functions for other builds.
#pragma once

namespace gpunet_sim {

// ---- memory
bool check_reserve(char* begin, size_t size) { return shadow.reserve_for(begin, size); }
// Where nothing else is said, what the host has put into an array counts as written.
void check_allocated(const char* data, size_t size) { shadow.reset(data, size, kAllocated | kInitialised); }
void check_freed(const char* data, size_t size) { shadow.reset(data, size, 0); }
// What the block before has used is all that can differ; before the first one all counts as an array.
void check_shared_begins(const Worker* w) {
  size_t used = w->shared_used ? std::min(kSharedReserved, w->shared_used + Canary::kSize) : kSharedReserved;
  shadow.reset(w->shared, used, 0);
}
void check_shared_variable(const SharedVariable& v) {
  shadow.reset(v.data, v.size, kAllocated);
  // Copies of structures take their padding along, which is no reading of what was not written.
  for (size_t i = 0; v.type.padding && i < v.size; i++)
    if (v.type.padding >> i % v.type.element & 1) shadow.state(v.data + i) |= kInitialised;
}

// ---- the course of a launch
void check_launch_begins(const Launch* launch, const std::vector<ArrayArgument>& arrays) {
  order.begin_launch();
  hopeless.begin_launch();
  places.begin_launch((const void*)launch->kernel);
  launch_arrays = arrays;
  dynamic_name = nullptr;
  astray.clear();
  guesses.clear();
  variables_before.clear();
  for (const SharedVariable& v : device_variables) variables_before.emplace_back(v.data, v.data + v.size);
}
// A launch that was cut short leaves locks taken and counters half way: the next one finds what this one found.
void check_launch_ends(const Launch* launch) {
  compare_written();
  if (!launch->failed && !launch->report->grave()) report_unwritten(*launch->report);
  wild_memory.take_back();
  for (size_t i = 0; launch->failed && i < variables_before.size(); i++)
    memcpy(device_variables[i].data, variables_before[i].data(), device_variables[i].size);
}
void check_block_begins(const Worker* w) { order.begin_block(w->threads); }

// ---- order between threads
void check_block_barrier() {
  compare_written();
  order.block_barrier();
}
void check_grid_barrier() { order.grid_barrier(); }
void check_block_left(Worker* w) {
  compare_written();
  hopeless.leave(w);
  if (!w->order) w->order = new Order::Block;
  order.leave(*(Order::Block*)w->order);
}
void check_block_entered(Worker* w) {
  hopeless.enter(w);
  order.enter(*(Order::Block*)w->order);
}
void check_warp_joined(unsigned warp, unsigned participants) {
  compare_written();
  order.join_warp(warp, participants);
}
void check_release(const void* object, uint32_t generation) {
  compare_written();
  order.release(current->linear, object, generation);
}
void check_acquire(const void* object, uint32_t generation) { order.acquire(current->linear, object, generation); }

}  // namespace gpunet_sim
