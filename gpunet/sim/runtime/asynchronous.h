// cp.async: copies of a few bytes that run beside the thread which starts them. They complete as late as is legal, so
// that a wait which is missing or in the wrong place is noticed.
#pragma once

namespace gpunet_sim {

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

}  // namespace gpunet_sim
