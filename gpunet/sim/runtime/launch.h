// Launching a kernel, and the C functions that Python calls.
#pragma once

namespace gpunet_sim {

// ---- one block -------------------------------------------------------------------------------------------------
inline void prepare_threads(Worker* w, Launch* launch) {
  dim3 size = launch->block;
  w->launch = launch;
  w->grid_size = launch->grid;
  bool same = w->threads && size.x == w->block_size.x && size.y == w->block_size.y && size.z == w->block_size.z;
  if (same) return;  // the threads' own numbers are those of the launch before
  w->block_size = size;
  w->threads = size.x * size.y * size.z;
  w->warps = (w->threads + 31) / 32;
  for (unsigned i = 0; i <= kMaxThreads; i++) {
    Fiber& fiber = w->fibers[i];
    fiber.index = {i % size.x, i / size.x % size.y, i / size.x / size.y};
    fiber.linear = i;
    fiber.lane = i % 32;
    fiber.warp = i / 32;
    fiber.block = w;
  }
}

inline void prepare_block(Worker* w, unsigned number) {
  dim3 grid = w->grid_size;
  w->index = {number % grid.x, number / grid.x % grid.y, number / grid.x / grid.y};
  for (unsigned i = 0; i < w->threads; i++) {
    Fiber& fiber = w->fibers[i];
    fiber.state = FiberState::Fresh;
    fiber.spins = fiber.copy_group = fiber.wgmma_group = fiber.bulk_group = 0;
  }
  for (unsigned i = 0; i < w->warps; i++) {
    Warp& warp = w->warp[i];
    warp.slots = warp.exited = warp.uses = 0;
    warp.present = w->threads - i * 32 >= 32 ? ~0u : (1u << (w->threads - i * 32)) - 1;
  }
  for (Barrier& barrier : w->barrier) barrier.arrived = 0;
  w->alive = w->threads;
  w->stacks_taken = 0;
  w->free_stacks.clear();
  if (!w->mbarriers.empty()) w->mbarriers.clear();
  w->tensor_copies.clear();
  w->bulk_stores.clear();
  w->fruitless_polls = 0;
  begin_shared_memory(w, w->launch->dynamic_shared);
  check_block_begins(w);
}

inline void discard_block(Worker* w) {
  for (unsigned i = 0; i < w->threads; i++) {
    Fiber& fiber = w->fibers[i];
    fiber.copies_done = fiber.copies_started = 0;
    if (fiber.products) fiber.products->clear();
  }
}

// In the launcher: the kernel runs until the block has ended (true), or only waits for other blocks.
inline bool run_kernel(Worker* w, void* kernel) {
  gpunet_sim_switch(&w->launcher_context, kernel);
  while (w->paused) {
    kernel = std::exchange(w->paused, nullptr);
    if (std::exchange(w->stalled, false)) {
      w->resume = kernel;
      w->resumes = current;
      check_block_left(w);
      current = nullptr;
      return false;
    }
    if (must_stop(w)) break;
    gpunet_sim_switch(&w->launcher_context, kernel);
  }
  if (w->alive)
    discard_block(w);
  else
    check_block_ends(w), finish_bulk_stores(w), look_at_shared_canaries(w);
  current = nullptr;
  w->launch->resident--;
  return true;
}

inline bool begin_block(Worker* w, unsigned number) {
  worker = w;
  w->waits_for_grid = false;
  prepare_block(w, number);
  Fiber* first = &w->fibers[0];
  current = first;
  first->state = FiberState::Started;
  first->stack_pointer = take_stack(w, first);
  return run_kernel(w, first->stack_pointer);
}

inline bool go_on_with_block(Worker* w) {
  worker = w;
  check_block_entered(w);
  current = w->resumes;
  return run_kernel(w, w->resume);
}

// ---- one launch ------------------------------------------------------------------------------------------------
// The blocks that a host thread runs: one after another, while each comes to its end by itself. One that only waits for
// other blocks stays, and more begin beside it, as many as would be on a device at once.
class Blocks {
 public:
  explicit Blocks(Worker* first) : first_(first), free_{first} {}

  // Runs one block, or each of those that wait for a while. False when there is nothing more to run.
  bool run(Launch* launch) {
    if (!waiting_.empty()) return run_waiting(launch);
    return begin(launch);
  }
  Worker* first() const { return first_; }

 private:
  bool begin(Launch* launch) {
    if (launch->failed) return false;
    if (++launch->resident > launch->most_resident) return launch->resident--, false;
    unsigned number = launch->next_block++;
    if (number >= launch->blocks) return launch->resident--, false;
    if (free_.empty()) free_.push_back(another());
    Worker* w = free_.back();
    free_.pop_back();
    prepare_threads(w, launch);
    w->thread.store(first_->thread, std::memory_order_relaxed);
    w->launches = first_->launches;
    w->block_started = nanoseconds();
    done(w, in_time(w, [&] { return begin_block(w, number); }));
    return true;
  }
  bool run_waiting(Launch* launch) {
    bool begun = begin(launch), moved = false;
    std::vector<Worker*> turn;
    turn.swap(waiting_);
    for (Worker* w : turn) {
      if (launch->failed) {
        discard_block(w);
        launch->resident--;
        free_.push_back(w);
      } else if (w->waits_for_grid && launch->grid_generation == w->grid_generation) {
        waiting_.push_back(w);
      } else {
        moved = true;
        done(w, in_time(w, [&] { return go_on_with_block(w); }));
      }
    }
    if (!begun && !moved && !launch->failed) wait_for_others(launch);
    return true;
  }
  // All blocks of this thread wait for the grid.
  void wait_for_others(Launch* launch) {
    if (launch->at_grid == launch->resident) {
      Worker* w = waiting_.front();
      Site site = ((Fiber*)w->resumes)->wait_site;
      char text[200];
      snprintf(text, sizeof text, "deadlock: %u blocks wait in grid.sync(), %u have ended and %u cannot begin before them",
               (unsigned)launch->at_grid, std::min<unsigned>(launch->next_block, launch->blocks) - launch->resident,
               launch->blocks - std::min<unsigned>(launch->next_block, launch->blocks));
      launch->report->add({Kind::Deadlock, text, {site}, name_of(w, w->resumes), {}, {}});
      launch->failed = true;
    } else {
      std::this_thread::yield();
    }
  }
  template <class F>
  static bool in_time(Worker* w, F run) {
    w->since.store(w->block_started, std::memory_order_relaxed);
    bool ended = run();
    w->since.store(0, std::memory_order_relaxed);
    w->wanted.store(false, std::memory_order_relaxed);
    return ended;
  }
  void done(Worker* w, bool ended) { (ended ? free_ : waiting_).push_back(w); }
  Worker* another() {
    auto* w = new Worker;
    watcher->add(w);
    return w;
  }

  Worker* first_;
  std::vector<Worker*> free_, waiting_;
};

void run_blocks(Launch* launch, Blocks& blocks) {
  while (blocks.run(launch)) {
  }
}

Blocks* blocks_of(Worker* first) { return new Blocks(first); }

// Blocks that a device of 132 multiprocessors holds at once, and at most as many as have room here.
inline unsigned most_resident(const Launch& launch) {
  unsigned warps = (launch.block.x * launch.block.y * launch.block.z + 31) / 32;
  unsigned each = std::min(32u, 64 / std::max(1u, warps));
  if (launch.dynamic_shared) each = std::min<unsigned>(each, unsigned((228u << 10) / (launch.dynamic_shared + 1024)));
  return std::min(132 * std::max(1u, each), 512u);
}

struct Kernel {
  void (*entry)(const char*);
  const Parameter* parameters;
  unsigned count;
  std::vector<unsigned> offsets;
  const char *code_begin, *code_end;
};

// Device memory that is not the arena's: sim/region.py. There are no canaries in it.
struct Elsewhere {
  const char* begin = nullptr;
  size_t size = 0;
  bool contains(const char* address) const { return (size_t)(address - begin) < size; }
};
inline Elsewhere elsewhere;

inline thread_local pid_t this_thread = 0;
inline thread_local std::string last_report, last_findings;

class Launcher {
 public:
  unsigned workers = 1;

  // Empty when all went well.
  std::string run(Launch& launch, const Kernel& kernel) {
    static thread_local bool running = false;
    if (running) return "a handler of signals launched it while another kernel runs; launch it after that one's end";
    std::unique_lock<std::timed_mutex> guard(mutex, std::defer_lock);
    while (!guard.try_lock_for(std::chrono::nanoseconds(kPatience)))
      if (interrupted(&launch)) return "";
    running = true;
    Report report;
    launch.report = &report;
    std::vector<ArrayArgument> arrays;
    if (find_arrays(kernel, launch.arguments, arrays, report)) {
      check_launch_begins(&launch, arrays);
      run_on_workers(launch);
      check_launch_ends(&launch);
    }
    check_arrays(arrays, report);
    fflush(stdout);  // what the kernel printed
    last_findings = report.records();
    running = false;
    return report.text();
  }
  // In a forked child, where no other thread is.
  void forget_threads() {
    pool_ = new Pool;
    watcher = Watcher::reborn(watcher);
    this_thread = 0;
  }

  std::timed_mutex mutex;  // one launch at a time, as on one stream; public for fork()

 private:
  // Waking the pool costs more than a small launch. Its own thread begins, and asks for help when the blocks
  // that are left would take longer than that.
  void run_on_workers(Launch& launch) {
    constexpr unsigned long long kWorthHelp = 60000;  // ns
    if (!own_) {
      own_ = new Worker;
      own_->launches = true;
      watcher->add(own_);
      blocks_ = new Blocks(own_);
    }
    worker = own_;
    if (!this_thread) this_thread = (pid_t)syscall(SYS_gettid);
    own_->thread.store(this_thread, std::memory_order_relaxed);
    if (!kChecking) watcher->launch_begins();
    launch.most_resident = most_resident(launch);
    unsigned long long start = nanoseconds();
    if (kChecking) workers = 1;  // blocks run one after the other: see check/order.h
    bool offered = workers <= 1;
    unsigned long long asked = start;
    while (blocks_->run(&launch)) {
      if (own_->block_started > asked && own_->block_started - asked > kPatience) {  // short blocks, of which none is worth a signal
        asked = own_->block_started;
        interrupted(&launch);
      }
      if (offered) continue;
      unsigned done = std::min<unsigned>(launch.next_block, launch.blocks), left = launch.blocks - done;
      if ((nanoseconds() - start) / done * left < kWorthHelp) continue;
      pool_->offer(&launch, left < workers - 1 ? left : workers - 1);
      offered = true;
    }
    if (workers > 1) pool_->withdraw(&launch);
    if (launch.held) let_run(true);
  }

  static Mistake wrong_argument(unsigned number, const char* what) {
    Element element;
    element.argument = number;
    return {Kind::Argument, format("argument %u%s", number, what), {}, {}, element, {}};
  }

  // Pointers in a structure that is passed by value: what looks like an address on the device is one.
  static void find_arrays_in(unsigned argument, const char* structure, size_t size, std::vector<ArrayArgument>& arrays) {
    for (size_t place = 0; place + sizeof(char*) <= size; place += sizeof(char*)) {
      char* pointer;
      memcpy(&pointer, structure + place, sizeof pointer);
      Allocation allocation;
      if (arena().find(pointer, &allocation)) arrays.push_back({argument, pointer, allocation, (int)place});
    }
  }

  bool find_arrays(const Kernel& kernel, const char* arguments, std::vector<ArrayArgument>& arrays,
                   Report& report) {
    for (unsigned i = 0; i < kernel.count; i++) {
      if (kChecking && kernel.parameters[i].kind == 's')
        find_arrays_in(i, arguments + kernel.offsets[i], kernel.parameters[i].size, arrays);
      if (kernel.parameters[i].kind != 'p') continue;
      char* pointer;
      memcpy(&pointer, arguments + kernel.offsets[i], sizeof pointer);
      if (!pointer) continue;
      Allocation allocation;
      if (arena().find(pointer, &allocation)) {
        arrays.push_back({i, pointer, allocation});
      } else if (elsewhere.contains(pointer)) {
        continue;
      } else if (arena().contains(pointer) || pointer < (char*)65536) {
        report.add(wrong_argument(i, " points to no array on the simulated device"));
      } else {
        report.add(wrong_argument(i, " points to host memory"));
      }
    }
    return report.empty();
  }

  void check_arrays(const std::vector<ArrayArgument>& arrays, Report& report) {
    for (auto& [argument, pointer, a, place] : arrays) {
      long before = Canary::damage(a.canary_before()), after = Canary::damage(a.canary_after());
      if ((before < 0 && after < 0) || kChecking) continue;  // the checker has named the write itself
      long offset = before >= 0 ? before - (long)Canary::kSize : (long)a.size + after;
      Element element;
      element.argument = argument;
      element.offset = offset;
      report.add({Kind::OutOfBounds,
                  format("a write outside the array of argument %u (%zu bytes): byte %ld is damaged", argument, a.size,
                         offset),
                  {}, {}, element, {}});
      Canary::write(a.canary_before());
      Canary::write(a.canary_after());
    }
  }

  Worker* own_ = nullptr;
  Blocks* blocks_ = nullptr;
  Pool* pool_ = new Pool;
};

inline Launcher& launcher() {
  static Launcher* instance = new Launcher;
  return *instance;
}

// fork() copies memory but only the forking thread: take the locks first, so that the child finds all at rest.
struct ForkSafety {
  ForkSafety() {
    launcher();
    arena();
    pthread_atfork([] { launcher().mutex.lock(), arena().mutex.lock(); },
                   [] { arena().mutex.unlock(), launcher().mutex.unlock(); },
                   [] { launcher().forget_threads(), arena().mutex.unlock(), launcher().mutex.unlock(); });
  }
} fork_safety;

}  // namespace gpunet_sim

// ---- what Python calls -------------------------------------------------------------------------------------------
GPUNET_SIM_API void* gpunet_sim_allocate(size_t size) { return gpunet_sim::arena().allocate(size); }
GPUNET_SIM_API void gpunet_sim_free(void* data) { gpunet_sim::arena().release((char*)data); }
// Start and size of the array that an address lies in, or null.
GPUNET_SIM_API void* gpunet_sim_find_allocation(const void* address, size_t* size) {
  gpunet_sim::Allocation found;
  if (!gpunet_sim::arena().find((const char*)address, &found)) return nullptr;
  *size = found.size;
  return found.data;
}
GPUNET_SIM_API void gpunet_sim_know(const char* begin, size_t size) { gpunet_sim::elsewhere = {begin, size}; }
GPUNET_SIM_API void* gpunet_sim_arena_begin() { return gpunet_sim::arena().begin(); }
GPUNET_SIM_API size_t gpunet_sim_arena_size() { return gpunet_sim::arena().size(); }
GPUNET_SIM_API size_t gpunet_sim_bytes_in_use() { return gpunet_sim::arena().in_use(); }
GPUNET_SIM_API size_t gpunet_sim_bytes_held() { return gpunet_sim::arena().held(); }
GPUNET_SIM_API void gpunet_sim_set_workers(unsigned count) { gpunet_sim::launcher().workers = count; }
GPUNET_SIM_API void gpunet_sim_set_timeout(double seconds) {
  gpunet_sim::block_limit_ns = (unsigned long long)(seconds * 1e9);
}
// Addresses of PyEval_SaveThread, PyEval_RestoreThread and PyErr_CheckSignals; gpunet_sim_launch is then called with
// Python's lock, and returns with it, perhaps with an exception set.
GPUNET_SIM_API void gpunet_sim_use_python(void* leave, void* enter, void* handle_signals) {
  gpunet_sim::python = {(void* (*)())leave, (void (*)(void*))enter, (int (*)())handle_signals};
}
GPUNET_SIM_API const char* gpunet_sim_last_report() { return gpunet_sim::last_report.c_str(); }
GPUNET_SIM_API const char* gpunet_sim_last_findings() { return gpunet_sim::last_findings.c_str(); }

// Kernels live as long as the process, as the libraries do that hold them.
GPUNET_SIM_API void* gpunet_sim_new_kernel(void (*entry)(const char*), const gpunet_sim::Parameter* parameters) {
  auto* kernel = new gpunet_sim::Kernel{entry, parameters, 0, {}, nullptr, nullptr};
  gpunet_sim::find_code((const void*)entry, &kernel->code_begin, &kernel->code_end);
  unsigned offset = 0;
  for (const gpunet_sim::Parameter* p = parameters; p->kind; p++, kernel->count++) {
    offset = (offset + p->align - 1) / p->align * p->align;
    kernel->offsets.push_back(offset);
    offset += p->size;
  }
  return kernel;
}

// One block of bytes from Python: seven 4-byte numbers (grid, block, dynamic shared memory), 4 unused, the arguments.
// Returns the length of the report: 0 when all went well.
GPUNET_SIM_API size_t gpunet_sim_launch(const void* kernel, const char* packed, size_t size) {
  using namespace gpunet_sim;
  constexpr size_t kHeader = 32, kMostArguments = 32768;
  unsigned header[7];
  memcpy(header, packed, sizeof header);
  alignas(128) char arguments[4096];
  std::vector<char> many;
  char* place = arguments;
  if (size - kHeader > sizeof arguments) {
    many.resize(kMostArguments + 128);
    place = (char*)(((size_t)many.data() + 127) & ~size_t(127));
  }
  memcpy(place, packed + kHeader, size - kHeader);

  Launch launch;
  const Kernel& k = *(const Kernel*)kernel;
  launch.kernel = k.entry;
  launch.code_begin = k.code_begin;
  launch.code_end = k.code_end;
  launch.arguments = place;
  launch.argument_bytes = size - kHeader;
  launch.grid = {header[0], header[1], header[2]};
  launch.block = {header[3], header[4], header[5]};
  launch.dynamic_shared = header[6];
  launch.blocks = header[0] * header[1] * header[2];
  if (python.leave) launch.python_thread = python.leave();
  std::string report = launcher().run(launch, k);
  if (python.leave) python.enter(launch.python_thread);
  last_report = std::move(report);
  return last_report.size();
}
