// Stopping, waiting and telling the time.
#pragma once
#include <time.h>

inline void __trap(gpunet_sim::Site site = gpunet_sim::Site::here()) { gpunet_sim::fail(gpunet_sim::Kind::Assertion, site, "__trap()"); }
inline void __brkpt(gpunet_sim::Site site = gpunet_sim::Site::here()) { gpunet_sim::fail(gpunet_sim::Kind::Assertion, site, "__brkpt()"); }
inline void __nanosleep(unsigned, gpunet_sim::Site site = gpunet_sim::Site::here()) { gpunet_sim::yield(site); }
inline void __prof_trigger(int) {}
// A launch begins when the one before it has ended, so there is nothing to wait for.
inline void cudaGridDependencySynchronize() {}
inline void cudaTriggerProgrammaticLaunchCompletion() {}
[[noreturn]] inline void __nv_unreachable() { __builtin_unreachable(); }

// A loop that reads the clock waits for time to pass, or for another thread: let others run.
inline unsigned long long __globaltimer(gpunet_sim::Site site = gpunet_sim::Site::here()) {
  gpunet_sim::yield(site, true);
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000000ull + (unsigned long long)now.tv_nsec;
}
inline long long clock64(gpunet_sim::Site site = gpunet_sim::Site::here()) { return (long long)__globaltimer(site); }
// As in CUDA of this name, not the host's: the low 32 bits of clock64().
inline int gpunet_sim_clock(gpunet_sim::Site site = gpunet_sim::Site::here()) { return (int)clock64(site); }
#define clock gpunet_sim_clock
