// The worker threads. They sleep until a launch has more work than its own thread should do alone.
#pragma once
#include <pthread.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

namespace gpunet_sim {

class Blocks;
void run_blocks(Launch* launch, Blocks& blocks);
Blocks* blocks_of(Worker* first);

class Pool {
 public:
  // Make the launch known to `helpers` workers; those that come in time take blocks of it.
  void offer(Launch* launch, unsigned helpers) {
    std::lock_guard<std::mutex> guard(mutex_);
    while (threads_ < helpers) start_thread();
    launch_ = launch;
    wanted_ = helpers;
    wake_.notify_all();
  }
  // After this no worker knows the launch any more.
  void withdraw(Launch* launch) {
    std::unique_lock<std::mutex> guard(mutex_);
    launch_ = nullptr;
    wanted_ = 0;
    while (!idle_.wait_for(guard, std::chrono::nanoseconds(kPatience), [this] { return busy_ == 0; })) {
      guard.unlock();
      interrupted(launch);  // the watcher makes the others stop
      guard.lock();
    }
  }

 private:
  void start_thread() {
    threads_++;
    std::thread([this] { work(); }).detach();
  }
  void work() {
    Worker own;
    own.thread = (pid_t)syscall(SYS_gettid);
    watcher->add(&own);
    Blocks* blocks = blocks_of(&own);
    std::unique_lock<std::mutex> guard(mutex_);
    for (;;) {
      wake_.wait(guard, [this] { return wanted_ > 0; });
      Launch* launch = launch_;
      wanted_--;
      busy_++;
      guard.unlock();
      run_blocks(launch, *blocks);
      guard.lock();
      if (--busy_ == 0) idle_.notify_one();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_, idle_;
  Launch* launch_ = nullptr;
  unsigned threads_ = 0, wanted_ = 0, busy_ = 0;
};

}  // namespace gpunet_sim
