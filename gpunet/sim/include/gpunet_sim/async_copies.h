// cp.async: copies of 4, 8 or 16 bytes from global to shared memory that run beside the thread.
#pragma once

namespace gpunet_sim {

// Only noted here: the copy happens as late as is legal, at the wait. With valid false, shared memory gets zeros.
inline void copy_async(unsigned shared, const void* global, unsigned size, bool valid, Site site) {
  if ((shared | (size_t)global) & (size - 1))
    fail(Kind::Misaligned, site, "cp.async of %u bytes: an address is no multiple of %u", size, size);
  ThreadInfo* self = current;
  if (__builtin_expect(self->copies_started == self->copies_room, 0)) make_room_for_copies();
  AsyncCopy& copy = self->copies[self->copies_started++];
  copy = {__cvta_shared_to_generic(shared), global, (unsigned short)size, valid, self->copy_group};
#ifdef GPUNET_SIM_CHECK
  copy.site = site;
#endif
  check_copy_started(copy);
}
inline void commit_copies() { current->copy_group++; }

}  // namespace gpunet_sim
