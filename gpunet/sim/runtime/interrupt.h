// Ending a launch from outside: by a signal whose handler in Python raises (Ctrl-C), and by the time-out of a block.
//
// A kernel may spin in code that calls nothing of ours. So a thread, the watcher, looks at the workers every now and
// then and sends SIGURG to one whose block takes long. (Nothing else uses that signal, and it is ignored by default.)
// Its handler leaves the kernel for the launcher, as the end of a block does. There, on the thread's own stack, Python
// may run; then the kernel goes on in the handler, or is abandoned. This happens only while an instruction of the
// kernel's own library is next: then no lock is held and no library function is half done. A kernel that is in another
// library when the signal comes is met where it returns: its code is made unexecutable until then.
//
// In check builds the process is ended from outside, and says where it was: see check/last_words.h.
#pragma once
#include <errno.h>
#include <link.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

namespace gpunet_sim {

constexpr unsigned long long kPatience = 100000000;  // ns; as long as nobody minds that nothing reacts

// ---- Python: its functions, by their addresses ---------------------------------------------------------------------
struct Python {
  void* (*leave)();           // PyEval_SaveThread
  void (*enter)(void*);       // PyEval_RestoreThread
  int (*handle_signals)();    // PyErr_CheckSignals: not 0 when a handler has raised
};
inline Python python = {};

// Runs Python's handlers of the signals that have come. If one raises, the launch is over; ctypes finds the exception.
inline bool interrupted(Launch* launch) {
  if (!python.leave || launch->failed) return launch->failed;
  python.enter(launch->python_thread);
  if (python.handle_signals()) launch->failed = true;
  launch->python_thread = python.leave();
  return launch->failed;
}

// ---- what a worker does when it is asked to look up -----------------------------------------------------------------
inline unsigned long long block_limit_ns = 60000000000ull;  // $GPUNET_SIM_TIMEOUT; 0: none

inline bool overdue(const Worker* w) { return block_limit_ns && nanoseconds() - w->block_started > block_limit_ns; }

inline std::string overdue_message() {
  return format("the block has not ended after %g s; does it wait for a block that cannot run before it ends? "
                "($GPUNET_SIM_TIMEOUT gives it more seconds)", block_limit_ns / 1e9);
}

// Out of the kernel, to the launcher, which may come back here.
inline void look_up(Worker* w) {
  w->looked = nanoseconds();
  w->wanted = false;
  gpunet_sim_switch(&w->paused, w->launcher_context);
}

// In the launcher: whether the block must not go on.
inline bool must_stop(Worker* w) {
  Launch* launch = w->launch;
  if (!launch->failed && overdue(w)) {
    launch->report->add({Kind::TimeOut, overdue_message(), {}, name_of(w, current), {}, {}});
    launch->failed = true;
  }
  return launch->failed || (w->launches && interrupted(launch));
}

inline const char* next_instruction(const void* context) {
#if defined(__x86_64__)
  return (const char*)((const ucontext_t*)context)->uc_mcontext.gregs[REG_RIP];
#else
  return (const char*)((const ucontext_t*)context)->uc_mcontext.pc;
#endif
}

inline bool in_kernel(const Worker* w, const char* instruction) {
  return instruction >= w->launch->code_begin && instruction < w->launch->code_end;
}

// The code that is, or was last, unexecutable. Launches come one at a time.
inline std::atomic<const char*> held_begin{nullptr}, held_end{nullptr};

inline void let_run(bool allowed) {
  mprotect((void*)held_begin.load(), held_end - held_begin, PROT_READ | (allowed ? PROT_EXEC : 0));
}

inline struct sigaction urgent_before = {}, fault_before = {};

inline void install(int number, void (*handler)(int, siginfo_t*, void*), int flags, struct sigaction* before) {
  struct sigaction action = {}, old;
  sigaction(number, nullptr, &old);
  if (old.sa_flags & SA_SIGINFO && old.sa_sigaction == handler) return;
  *before = old;
  action.sa_sigaction = handler;
  action.sa_flags = SA_SIGINFO | flags;
  if (!(flags & SA_NODEFER)) sigaddset(&action.sa_mask, SIGURG);
  sigaction(number, &action, nullptr);
}

void on_fault(int number, siginfo_t* info, void* context);

inline void on_sigurg(int number, siginfo_t* info, void* context) {
  Worker* w = worker;
  if (w && w->since) {
    int error = errno;
    if (w->wanted && current) {
      if (in_kernel(w, next_instruction(context))) {
        look_up(w);
      } else {
        install(SIGSEGV, on_fault, SA_ONSTACK, &fault_before);  // now: whoever has come since has it no more
        held_begin = w->launch->code_begin;
        held_end = w->launch->code_end;
        w->launch->held = true;
        let_run(false);
      }
    }
    errno = error;
  } else if (urgent_before.sa_flags & SA_SIGINFO) {
    urgent_before.sa_sigaction(number, info, context);
  } else if (urgent_before.sa_handler != SIG_DFL && urgent_before.sa_handler != SIG_IGN) {
    urgent_before.sa_handler(number);
  }
}

// Back in the kernel's code, which may not run: let it, and come again as SIGURG, which is not on a stack of its own.
// (A thread that only asks for a kernel's parameters comes here too.)
void on_fault(int number, siginfo_t* info, void* context) {
  Worker* w = worker;
  const char* next = next_instruction(context);
  if (info->si_addr == next && next >= held_begin && next < held_end) {
    int error = errno;
    let_run(true);
    if (w && w->since) syscall(SYS_tgkill, getpid(), w->thread.load(), SIGURG);
    errno = error;
  } else {
    sigaction(number, &fault_before, nullptr);  // somebody else's: it happens again, for whoever was here before
  }
}

// ---- the watcher ----------------------------------------------------------------------------------------------------
class Watcher {
 public:
  void add(Worker* w) {
    std::lock_guard<std::mutex> guard(mutex_);
    workers_.push_back(w);
  }
  void launch_begins() {
    launches_++;
    if (!started_) start();
    if (asleep_) {
      std::lock_guard<std::mutex> guard(mutex_);
      asleep_ = false;
      wake_.notify_all();
    }
  }
  // In a forked child, where its thread is missing and its lock may be held.
  static Watcher* reborn(const Watcher* parent) {
    auto* child = new Watcher;
    child->workers_ = parent->workers_;
    return child;
  }

 private:
  static constexpr int kIdleLooks = 20;

  void start() {
    started_ = true;
    install(SIGURG, on_sigurg, SA_RESTART | SA_NODEFER, &urgent_before);  // it may be left by a switch for good
    sigset_t all, mask;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &mask);  // the process's signals are for its other threads
    std::thread([this] { watch(); }).detach();
    pthread_sigmask(SIG_SETMASK, &mask, nullptr);
  }

  [[noreturn]] void watch() {
    int idle = 0;
    bool urgent = false;  // somebody has been asked and has not looked up: ask again soon
    for (;;) {
      timespec nap = {0, urgent ? 1000000 : (long)kPatience / 2};
      nanosleep(&nap, nullptr);
      std::unique_lock<std::mutex> guard(mutex_);
      unsigned seen = launches_;
      urgent = false;
      idle++;
      for (Worker* w : workers_) {
        unsigned long long since = w->since;
        if (!since) continue;
        idle = 0;
        unsigned long long looked = w->looked;
        if (nanoseconds() - (since > looked ? since : looked) < kPatience) continue;
        urgent = true;
        w->wanted = true;
        syscall(SYS_tgkill, getpid(), w->thread.load(), SIGURG);
      }
      if (idle < kIdleLooks) continue;
      asleep_ = true;
      if (launches_ == seen) wake_.wait(guard, [this] { return !asleep_; });
      asleep_ = false;
      idle = 0;
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Worker*> workers_;
  std::atomic<unsigned> launches_{0};
  std::atomic<bool> asleep_{false};
  bool started_ = false;  // launches come one at a time
};

inline Watcher* watcher = new Watcher;

// The segment of the kernel's library that has its code.
inline void find_code(const void* entry, const char** begin, const char** end) {
  struct Search {
    const char* entry;
    const char *begin, *end;
  } search = {(const char*)entry, nullptr, nullptr};
  dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void* data) {
        auto* s = (Search*)data;
        for (int i = 0; i < info->dlpi_phnum; i++) {
          const auto& part = info->dlpi_phdr[i];
          const char* start = (const char*)info->dlpi_addr + part.p_vaddr;
          if (part.p_type != PT_LOAD || !(part.p_flags & PF_X)) continue;
          if (s->entry < start || s->entry >= start + part.p_memsz) continue;
          size_t page = (size_t)sysconf(_SC_PAGESIZE);
          s->begin = (const char*)((size_t)start & ~(page - 1));
          s->end = (const char*)(((size_t)start + part.p_memsz + page - 1) & ~(page - 1));
          return 1;
        }
        return 0;
      },
      &search);
  *begin = search.begin, *end = search.end;
}

}  // namespace gpunet_sim
