// Running the fibers of a block: which is next, waiting, and the end of a thread.
//
// Fibers are lazy. A stack is used for one thread after another until a thread waits, and only then does the next
// thread get a stack of its own: a kernel without barriers runs as a plain loop.
#pragma once
#include <errno.h>
#include <stdarg.h>
#include <time.h>

#include <map>
#include <string>

namespace gpunet_sim {

thread_local ThreadInfo* current __attribute__((tls_model("initial-exec"))) = nullptr;
thread_local Worker* worker __attribute__((tls_model("initial-exec"))) = nullptr;

Worker::Worker() {
  fibers = new Fiber[kMaxThreads + 1]();
  warp = (Warp*)reserve(sizeof(Warp) * kMaxWarps);
  stacks = reserve(kStackSize * kMaxThreads);
  shared = nullptr;
  if (!warp || !stacks) {
    fputs("gpunet.sim: no address space left for another worker\n", stderr);
    abort();
  }
}

inline ThreadName name_of(const Worker* w, const ThreadInfo* t) { return {true, false, w->index, t->index}; }

// ---- ending a block early -----------------------------------------------------------------------------------
[[noreturn]] inline void leave_block() {
  void* abandoned;
  gpunet_sim_switch(&abandoned, worker->launcher_context);
  __builtin_unreachable();
}

__attribute__((noinline)) inline void report_failure(Kind kind, Site site, const char* format, va_list arguments) {
  char message[600];
  vsnprintf(message, sizeof message, format, arguments);
  worker->launch->report->add({kind, message, {site}, name_of(worker, current), {}, {}});
  worker->launch->failed = true;
}

// What the report holds is built in a function that has returned: this stack is abandoned.
#define GPUNET_SIM_FAIL(kind)                      \
  va_list arguments;                               \
  va_start(arguments, format);                     \
  report_failure(kind, site, format, arguments);   \
  va_end(arguments);                               \
  leave_block();
void fail(Kind kind, Site site, const char* format, ...) { GPUNET_SIM_FAIL(kind) }
void fail(Site site, const char* format, ...) { GPUNET_SIM_FAIL(Kind::Misuse) }
#undef GPUNET_SIM_FAIL

inline const Fiber* first_waiting(const Worker* w) {
  const Fiber* fiber = w->fibers;
  while (fiber->state == FiberState::Done) fiber++;
  return fiber;
}

inline const char* file_of(const Fiber& fiber) { return fiber.wait_site.file ? fiber.wait_site.file : ""; }
inline bool waits_with(const Fiber& a, const Fiber& b) {
  return a.wait_site.line == b.wait_site.line && !strcmp(a.waits_for, b.waits_for) && !strcmp(file_of(a), file_of(b));
}

inline void describe_deadlock(const Worker* w, char* text, size_t size) {
  std::vector<std::pair<const Fiber*, unsigned>> waiting;  // a thread of each place, and how many wait there
  unsigned exited = 0;
  for (unsigned i = 0; i < w->threads; i++) {
    const Fiber& fiber = w->fibers[i];
    if (fiber.state == FiberState::Done) exited++;
    if (fiber.state != FiberState::Started) continue;
    size_t known = 0;
    while (known < waiting.size() && !waits_with(*waiting[known].first, fiber)) known++;
    if (known == waiting.size()) waiting.emplace_back(&fiber, 0);
    waiting[known].second++;
  }
  std::string message;
  for (auto& [fiber, count] : waiting)
    message += format("%u threads wait in %s at %s:%d, ", count, fiber->waits_for, file_of(*fiber), fiber->wait_site.line);
  snprintf(text, size, "%s%u have exited", message.c_str(), exited);
}

[[noreturn]] inline void report_deadlock() {
  char text[500];
  describe_deadlock(worker, text, sizeof text);
  current = (ThreadInfo*)first_waiting(worker);
  fail(Kind::Deadlock, running()->wait_site, "deadlock: %s", text);
}

// ---- choosing and switching ------------------------------------------------------------------------------------
inline bool runnable(const Fiber& fiber) {
  return fiber.state == FiberState::Fresh ||
         (fiber.state == FiberState::Started && *fiber.wait_word != fiber.wait_value);
}

// The own warp first, so that its collectives complete while their data is in the nearest cache.
__attribute__((noinline)) inline Fiber* search_next(Worker* w, const Fiber* self) {
  unsigned warp = self->warp;
  for (unsigned n = 0; n < w->warps; n++) {
    unsigned first = warp * 32, end = first + 32 < w->threads ? first + 32 : w->threads;
    unsigned start = n == 0 ? self->linear + 1 : first;
    for (unsigned i = start; i < end; i++)
      if (runnable(w->fibers[i])) return &w->fibers[i];
    for (unsigned i = first; n == 0 && i < self->linear; i++)
      if (runnable(w->fibers[i])) return &w->fibers[i];
    if (++warp == w->warps) warp = 0;
  }
  return nullptr;
}

inline Fiber* next_fiber(Worker* w, Fiber* self) {
  Fiber* next = self + 1;
  if (__builtin_expect(next->lane != 0 && next->linear < w->threads && runnable(*next), 1)) return next;
  return search_next(w, self);
}

bool finish_one_bulk_load(Worker*);

// The next fiber that can run. When all wait, what is still to come may wake one: copies that nobody has seen yet.
inline Fiber* next_or_deadlock(Worker* w, Fiber* self) {
  Fiber* next = next_fiber(w, self);
  while (__builtin_expect(!next, 0)) {
    if (!finish_one_bulk_load(w)) report_deadlock();
    if (runnable(*self)) return self;
    next = next_fiber(w, self);
  }
  return next;
}

void fiber_main();

inline void* take_stack(Worker* w, Fiber* fiber) {
  int number;
  if (!w->free_stacks.empty()) {
    number = w->free_stacks.back();
    w->free_stacks.pop_back();
  } else {
    number = w->stacks_taken++;
  }
  char* bottom = w->stacks + size_t(number) * kStackSize;
  if (number >= w->stacks_made) {
    mprotect(bottom, 4096, PROT_NONE);  // a stack that overflows stops here, not in another thread's variables
    w->stacks_made = number + 1;
  }
  fiber->stack = number;
  // Stacks a power of two apart would put all hot frames into the same few sets of the cache.
  size_t colour = size_t(number) * 15 % 61 * 256;
  return new_context(bottom + kStackSize - 64 - colour, fiber_main);
}

inline void switch_to(Worker* w, Fiber* self, Fiber* next) {
  current = next;
  if (next->state == FiberState::Fresh) {
    next->state = FiberState::Started;
    next->stack_pointer = take_stack(w, next);
  }
  gpunet_sim_switch(&self->stack_pointer, next->stack_pointer);
}

// A fiber that can always run, but only asks whether something has changed, waits for this.
inline const uint32_t kNeverWaits = 0;

// ---- waiting -----------------------------------------------------------------------------------------------------
// Run other threads until *word differs from value.
inline void wait_change(const uint32_t* word, uint32_t value, const char* what, Site site) {
  Worker* w = worker;
  Fiber* self = running();
  self->wait_word = word;
  self->wait_value = value;
  self->waits_for = what;
  self->wait_site = site;
  Fiber* next = next_or_deadlock(w, self);
  if (next != self) switch_to(w, self, next);
}

inline unsigned long long nanoseconds() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000000ull + now.tv_nsec;
}

inline bool overdue(const Worker*);
inline std::string overdue_message();
inline void look_up(Worker*);

inline Fiber* moving_fiber(Worker* w, const Fiber* self) {
  for (unsigned i = 0; i < w->threads; i++) {
    Fiber& fiber = w->fibers[(self->linear + 1 + i) % w->threads];
    if (&fiber != self && runnable(fiber) && fiber.wait_word != &kNeverWaits) return &fiber;
  }
  return nullptr;
}

// Of those that wait in loops the next, in a ring.
inline Fiber* waiting_fiber(Worker* w, const Fiber* self) {
  for (unsigned i = 0; i < w->threads; i++) {
    Fiber& fiber = w->fibers[(self->linear + 1 + i) % w->threads];
    if (runnable(fiber)) return &fiber;
  }
  return nullptr;
}

// To the launcher, which lets other blocks run and then comes back.
inline void let_other_blocks_run(Worker* w) {
  w->stalled = true;
  gpunet_sim_switch(&w->paused, w->launcher_context);
}

// The thread waits in a loop of its own. First come the threads of the block that have something to do; when all that can
// run wait so, something must come from another block.
__attribute__((noinline)) inline void yield_here(Site site) {
  Worker* w = worker;
  Fiber* self = running();
  self->spins = 0;
  self->wait_word = &kNeverWaits;
  self->wait_value = 1;
  self->waits_for = "a loop";
  self->wait_site = site;
  if (overdue(w)) fail(Kind::TimeOut, site, "%s", overdue_message().c_str());
  if (__builtin_expect(w->wanted, 0)) look_up(w);
  Fiber* next = moving_fiber(w, self);
  const char* frame = (const char*)__builtin_frame_address(0) + 2 * sizeof(void*);  // behind it, the caller's
  if (check_waits_for_ever(w, self, site, frame, !next)) leave_block();
  if (!next && w->launch->blocks > 1) let_other_blocks_run(w);
  if (!next) next = waiting_fiber(w, self);
  if (next != self) switch_to(w, self, next);
}

// Takes all registers that a call preserves, so that what the callers have in them is on this function's stack.
#if defined(__x86_64__)
#define GPUNET_SIM_TAKE_REGISTERS asm volatile("" ::: "memory", "rbx", "r12", "r13", "r14", "r15")
#else
#define GPUNET_SIM_TAKE_REGISTERS                                                                                   \
  asm volatile("" ::: "memory", "x19", "x20", "x21", "x22", "x23", "x24", "x25", "x26", "x27", "x28", "d8", "d9", \
               "d10", "d11", "d12", "d13", "d14", "d15")
#endif

void yield(Site site, bool for_time) {
  if (for_time) check_clock_read();
  yield_here(site);
  if (kChecking) GPUNET_SIM_TAKE_REGISTERS;  // it sees what changes while the thread waits
}
#undef GPUNET_SIM_TAKE_REGISTERS

// ---- the life of a fiber --------------------------------------------------------------------------------------
void check_barrier_after_exit(Worker*);
void release_warp_after_exit(Worker*, Fiber*);

inline void thread_ends(Worker* w, Fiber* self) {
  check_thread_ends(self);
  if (self->copies_started) {  // also the copies that nothing waited for happen at last
    self->copy_group++;
    finish_copies(0);
  }
  if (self->products) self->products->clear();
  self->state = FiberState::Done;
  w->alive--;
  release_warp_after_exit(w, self);
  check_barrier_after_exit(w);
}

// A fiber runs threads until one of them stands on another stack.
void fiber_main() {
  for (;;) {
    Worker* w = worker;
    int stack = running()->stack;
    w->launch->kernel(w->launch->arguments);
    Fiber* self = running();
    thread_ends(w, self);
    if (!w->alive) leave_block();
    Fiber* next = next_or_deadlock(w, self);
    current = next;
    if (next->state == FiberState::Fresh) {
      next->state = FiberState::Started;
      next->stack = stack;
      continue;
    }
    w->free_stacks.push_back(stack);
    void* finished;
    gpunet_sim_switch(&finished, next->stack_pointer);
  }
}

}  // namespace gpunet_sim
