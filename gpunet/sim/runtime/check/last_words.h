// What a dying process can still say: where the kernel crashed, or where it was when its time was up.
//
// The checker runs kernels in a process of their own (gpunet/sim/worker.py), which is told here where to write and how
// long a launch may take.
#pragma once
#include <signal.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

GPUNET_SIM_API void gpunet_sim_set_deadline(double seconds);

namespace gpunet_sim {

inline int last_words_to = -1;

// Whether something of a thread's is there; below each stack lies a page that nobody may touch.
inline bool on_a_stack(const char* p) {
  size_t distance = worker ? size_t(p - worker->stacks) : ~size_t(0);
  return distance < kStackSize * kMaxThreads && distance % kStackSize >= 4096;
}

// Program counter, frame pointer, and where to return to from a function that has no frame yet (a stub of the linker).
inline const void* interrupted_at(const ucontext_t* context, const void** frame, const void** link) {
#if defined(__x86_64__)
  const char* top = (const char*)context->uc_mcontext.gregs[REG_RSP];
  *link = on_a_stack(top) ? *(const void* const*)top : nullptr;
  *frame = (const void*)context->uc_mcontext.gregs[REG_RBP];
  return (const void*)context->uc_mcontext.gregs[REG_RIP];
#else
  *link = (const void*)context->uc_mcontext.regs[30];
  *frame = (const void*)context->uc_mcontext.regs[29];
  return (const void*)context->uc_mcontext.pc;
#endif
}

// Whether a thread's stack is used up: it has come to the page below it, or has jumped over it.
inline bool beyond_stack(const char* address, const ucontext_t* context) {
  if (!worker || !current) return false;
  const char* bottom = worker->stacks + size_t(running()->stack) * kStackSize;
#if defined(__x86_64__)
  const char* top = (const char*)context->uc_mcontext.gregs[REG_RSP];
#else
  const char* top = (const char*)context->uc_mcontext.sp;
#endif
  return (size_t)(address - bottom) < 4096 || (top < bottom && address < bottom);
}

// The kernel's own code that was running, and its callers: kernels keep frame pointers, so that its place is also found
// from within what they call.
inline Place place_in_kernel(const ucontext_t* context) {
  const void *frame, *link;
  const void* code = interrupted_at(context, &frame, &link);
  Place place;
  Dl_info kernel, here;
  if (!worker || !worker->launch || !dladdr((const void*)worker->launch->kernel, &kernel)) return place;
  unsigned callers = 0;
  auto note = [&](const void* address) {
    if (dladdr(address, &here) && here.dli_fbase == kernel.dli_fbase)
      (place.code ? place.callers[callers++] : place.code) = address;
  };
  for (int depth = 0; depth < 50 && callers + 1 < Place::kCallers; depth++) {
    // Places are where calls return to, behind the call: the interrupted instruction itself is not.
    note(depth == 0 ? (const char*)code + 1 : code);
    if (depth == 0) note(link);
    if (!on_a_stack((const char*)frame) || !on_a_stack((const char*)frame + 15) || (size_t)frame % 8) break;
    code = ((const void* const*)frame)[1];
    frame = ((const void* const*)frame)[0];
  }
  return place;
}

inline void say_last_words(int signal_number, siginfo_t* info, void* context) {
  if (signal_number == SIGTRAP && null_pointers.stepped((ucontext_t*)context)) return;
  if (signal_number == SIGSEGV && null_pointers.step_over((ucontext_t*)context, (const char*)info->si_addr)) return;
  if (signal_number != SIGALRM) signal(signal_number, SIG_DFL);  // should the words crash too
  bool late = signal_number == SIGALRM, overflow = false;
  char text[160];
  if (late)
    snprintf(text, sizeof text, "the kernel has not ended in the time that it was given");
  else if ((overflow = signal_number == SIGSEGV && beyond_stack((const char*)info->si_addr, (const ucontext_t*)context)))
    snprintf(text, sizeof text, "the stack of a thread, %zu KB here, is used up: a recursion is too deep, or local "
             "variables are too large", kStackSize >> 10);
  else if (signal_number == SIGFPE)
    snprintf(text, sizeof text, "an integer is divided by zero, or the least of its type by -1; a device goes on with "
             "some number");
  else
    snprintf(text, sizeof text, "the kernel crashed: %s", strsignal(signal_number));
  Place place = place_in_kernel((const ucontext_t*)context);
  static int tries = 0;  // between two instructions of a function's entry its caller cannot be told: look again soon
  if (late && !place.code && tries++ < 100) return gpunet_sim_set_deadline(1e-3);
  if (!place.code && last_atomic) place = places.place(last_atomic);  // between two threads that wait
  Report words;
  Mistake mistake = {late ? Kind::TimeOut : overflow ? Kind::Limit : Kind::Crash, text, place, {}, {}, {}};
  if (worker && worker->launch && current) mistake.thread = name_of(worker, current);
  // An address that is not aligned crashes where the compiler has counted on it: it has been told as what it is.
  bool told = !late && worker && worker->launch && worker->launch->report->has(Kind::Misaligned);
  if (!told) words.add(mistake);
  std::string record = words.records();
  if (write(last_words_to, record.data(), record.size()) < 0) _exit(4);
  // Then what was found before; if that crashes too, this is where it ends.
  if (worker && worker->launch && worker->launch->report) {
    record = worker->launch->report->records();
    if (write(last_words_to, record.data(), record.size()) < 0) _exit(4);
  }
  _exit(3);
}

}  // namespace gpunet_sim

GPUNET_SIM_API void gpunet_sim_say_last_words_to(int descriptor) {
  using namespace gpunet_sim;
  last_words_to = descriptor;
  static char stack[256 << 10];  // the kernel's own may be what overflowed
  stack_t alternative = {};
  alternative.ss_sp = stack;
  alternative.ss_size = sizeof stack;
  sigaltstack(&alternative, nullptr);
  struct sigaction action = {};
  action.sa_sigaction = say_last_words;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  for (int number : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGALRM}) sigaction(number, &action, nullptr);
}

// Seconds from now until a launch must have ended; 0: no limit.
GPUNET_SIM_API void gpunet_sim_set_deadline(double seconds) {
  itimerval limit = {};
  limit.it_value.tv_sec = (time_t)seconds;
  limit.it_value.tv_usec = suseconds_t((seconds - (double)(time_t)seconds) * 1e6);
  setitimer(ITIMER_REAL, &limit, nullptr);
}

// An array gets its content. Of elements of `poison` bytes (0: of none) those with all bits set count as not written
// yet; of an `output` with nothing else it is told what the launch does not write.
GPUNET_SIM_API void gpunet_sim_fill(char* data, const char* content, size_t size, unsigned poison, bool output) {
  using namespace gpunet_sim;
  memcpy(data, content, size);
  size_t count = poison ? size / poison : 0, unwritten = 0;
  for (size_t i = 0; i < count; i++) {
    const char* element = content + i * poison;
    unsigned byte = 0;
    while (byte < poison && element[byte] == (char)kPoison) byte++;
    if (byte < poison) continue;
    for (byte = 0; byte < poison; byte++) shadow.state(data + i * poison + byte) = kAllocated;
    unwritten++;
  }
  if (output && count && unwritten == count) outputs.push_back({data, count * poison, poison});
}
// Where the arrays of the next launch lie: see Arena::begin_layout.
GPUNET_SIM_API void gpunet_sim_begin_layout(uint64_t seed) {
  gpunet_sim::arena().begin_layout(seed);
  gpunet_sim::outputs.clear();
}
// Whether __activemask() finds each lane alone: see converged_lanes.
GPUNET_SIM_API void gpunet_sim_keep_lanes_apart(bool apart) { gpunet_sim::lanes_apart = apart; }
