// What the runtime tells the checker, in builds that do not check: nothing. The check builds' versions are in check/.
#pragma once

namespace gpunet_sim {

// ---- memory
inline bool check_reserve(char*, size_t) { return true; }
inline void check_allocated(const char*, size_t) {}
inline void check_freed(const char*, size_t) {}
inline void check_shared_begins(const Worker*) {}
inline void check_shared_variable(const SharedVariable&) {}

// ---- the course of a launch
inline void check_launch_begins(const Launch*, const std::vector<ArrayArgument>&) {}
inline void check_launch_ends(const Launch*) {}
inline void check_block_begins(const Worker*) {}
inline void check_block_ends(const Worker*) {}
inline void check_thread_ends(const Fiber*) {}
inline bool check_waits_for_ever(Worker*, Fiber*, Site, const char*, bool) { return false; }
inline void check_clock_read() {}

// ---- order between threads
inline void check_block_barrier() {}
inline void check_grid_barrier() {}
inline void check_block_left(Worker*) {}
inline void check_block_entered(Worker*) {}
inline void check_warp_joined(unsigned, unsigned) {}
// Of the running thread, at a barrier object in one of its generations.
inline void check_release(const void*, uint32_t) {}
inline void check_acquire(const void*, uint32_t) {}

// ---- accesses that the runtime makes for a kernel
inline void check_read(const void*, size_t, Site) {}
inline void check_write(void*, size_t, Site) {}
inline void check_atomic(const void*, size_t, Site) {}
inline void check_copy_finished(const AsyncCopy&) {}
inline void check_tensor_copy_started(const TensorCopy&) {}
inline void check_tensor_copy_finished(const TensorCopy&, uint32_t) {}
inline void check_bulk_store_started(const TensorCopy&) {}
inline void check_bulk_store_read(const TensorCopy&) {}
inline void check_bulk_store_finished(const TensorCopy&) {}
inline void check_operand_begins(const void*, size_t, Site) {}
inline void check_operand_ends(const void*, size_t, Site) {}

}  // namespace gpunet_sim
