// What the runtime tells the checker. Other builds have functions that do nothing, in no_check.h.
#pragma once

namespace gpunet_sim {

// ---- memory: also check_reserve, check_allocated, check_freed in arena.h
void check_shared_begins(const Worker*);
void check_shared_variable(const SharedVariable&);

// ---- the course of a launch
void check_launch_begins(const Launch*, const std::vector<ArrayArgument>&);
void check_launch_ends(const Launch*);
void check_block_begins(const Worker*);
void check_block_ends(const Worker*);
void check_thread_ends(const Fiber*);
// A thread waits in a loop; `frame`: from where on its stack is the kernel's; whether all that can run wait so. True
// when nothing will ever change, which has been told.
bool check_waits_for_ever(Worker*, Fiber*, Site, const char* frame, bool all_wait);
void check_clock_read();

// ---- order between threads
void check_block_barrier();
void check_grid_barrier();
void check_block_left(Worker*);
void check_block_entered(Worker*);
void check_warp_joined(unsigned warp, unsigned participants);
// Of the running thread, at a barrier object in one of its generations.
void check_release(const void* object, uint32_t generation);
void check_acquire(const void* object, uint32_t generation);

// ---- accesses that the runtime makes for a kernel
void check_read(const void*, size_t, Site);
void check_write(const void*, size_t, Site);
inline void check_atomic(const void* p, size_t size, Site site) {
  check_atomic(p, size, Scope::Device, site, Atomic::Update);
}
void check_copy_finished(const AsyncCopy&);
void check_tensor_copy_started(const TensorCopy&);
void check_tensor_copy_finished(const TensorCopy&, uint32_t generation);
void check_bulk_store_started(const TensorCopy&);
void check_bulk_store_read(const TensorCopy&);
void check_bulk_store_finished(const TensorCopy&);
// Shared memory that an asynchronous matrix product may read between these.
void check_operand_begins(const void*, size_t, Site);
void check_operand_ends(const void*, size_t, Site);

}  // namespace gpunet_sim
