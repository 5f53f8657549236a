// The state of one thread block while it runs. A block stays on one host thread, its worker; each of its CUDA
// threads is a fiber, so nothing here needs a lock.
#pragma once
#include <sys/types.h>

#include <atomic>
#include <map>
#include <vector>

#include "../include/gpunet_sim/interface.h"

namespace gpunet_sim {

constexpr unsigned kMaxThreads = 1024, kMaxWarps = 32;
constexpr size_t kStackSize = 128 << 10;

enum class FiberState : uint8_t { Fresh, Started, Done };

struct WgmmaProduct {
  float* d;
  WgmmaOperand a, b;
  bool accumulate, has_left;
  float left[2][8];  // of the left operand, where it was in registers, the lane's two rows
  WgmmaKind kind;
  unsigned n, group;
  Site site;
};

// Two cache lines: a block has up to 1024 of these, and a barrier goes through all of them.
struct alignas(64) Fiber : ThreadInfo {
  // It waits until *wait_word differs from wait_value: releasing any number of fibers is one store.
  const uint32_t* wait_word;
  uint32_t wait_value;
  FiberState state;
  void* stack_pointer;
  const char* waits_for;
  Site wait_site;
  int stack;
  uint16_t wgmma_group, bulk_group;  // number of groups committed
  std::vector<WgmmaProduct>* products;  // null until the thread's first wgmma
};
static_assert(sizeof(Fiber) == 128);

struct Barrier {
  uint32_t generation;
  unsigned arrived, expected, first_thread;
  int reduced[2];  // of the even and of the odd generations: late readers still find theirs
  Site site;
};

struct WarpSlot {
  unsigned mask, arrived;
  uint32_t generation;
  unsigned used;  // for choosing which slot to give to a new mask
  const char* operation;
  Site site;
  WarpFinisher finisher;
  const void* argument;
  bool orders_memory;
  WarpExchange exchange[2];  // by generation, as in Barrier
};

// Lanes that ask at one site which of them are there (convergence.h).
struct Gathering {
  uint32_t generation;
  unsigned lanes, result;
  unsigned long long block;  // block_started of the block that has opened it
  Site site;
};

struct Warp {
  static constexpr unsigned kSlots = 17;  // a full mask, and pairs of lanes
  unsigned slots, exited, present, uses;
  WarpSlot slot[kSlots];
  Gathering gathering[32];
};

struct MBarrier {
  uint32_t generation;
  unsigned expected, pending;
  int64_t bytes;  // still to come
};

// Our own contents of the 128 opaque bytes of a CUtensorMap; gpunet.sim.tensor_map writes them. The third and fourth
// dimensions number matrices, `steps` bytes apart. tf32: what is loaded is rounded to TF32.
struct TensorMap {
  const char* base;
  uint32_t columns, rows;
  uint64_t row_bytes;
  uint32_t box_columns, box_rows, item_bytes, swizzle;  // swizzle: 0, 32, 64 or 128 bytes
  uint32_t matrices[2], dimensions, tf32;
  uint64_t steps[2];
};

struct TensorCopy {
  char* shared;
  TensorMap map;
  void* barrier;
  int x, y;
  Site site;
  unsigned thread;  // that started it
};

// A copy to global memory; `data` is what has been read of shared memory, when it has.
struct BulkStore {
  TensorCopy copy;
  unsigned group;
  std::vector<char> data;
};

struct SharedVariable {
  const void* tag;  // null for the dynamic part
  char* data;
  size_t size;
  SharedType type;
  const char* name;
  Site site;
};

// An argument that points to an array.
struct ArrayArgument {
  unsigned argument;
  const char* pointer;
  Allocation allocation;
  int place = -1;  // of the pointer in the argument, where that is a structure
};

struct Launch {
  void (*kernel)(const char* arguments);
  const char* arguments;
  size_t argument_bytes;
  dim3 grid, block;
  size_t dynamic_shared;
  unsigned blocks;
  std::atomic<unsigned> next_block{0};
  // Blocks that have begun and not ended; those of them that wait for a barrier of the grid, and how often it has opened.
  std::atomic<unsigned> resident{0}, at_grid{0}, grid_generation{0};
  unsigned most_resident = 1;
  std::atomic<bool> failed{false};  // no block shall begin, nor one that takes long go on
  Report* report;
  const char *code_begin, *code_end;  // of the kernel's library
  std::atomic<bool> held{false};      // that code has been made unexecutable
  void* python_thread = nullptr;  // the launching thread's, while it is outside of Python
};

struct Worker : BlockInfo {
  Launch* launch = nullptr;
  unsigned threads = 0, warps = 0, alive = 0;
  Fiber* fibers;  // one more than there can be: looking at the next needs no test for the end
  Warp* warp;
  Barrier barrier[16] = {};
  char* stacks;
  int stacks_made = 0;   // their guard pages are set
  int stacks_taken = 0;  // by this block
  std::vector<int> free_stacks;
  void* launcher_context = nullptr;
  size_t shared_used = 0, shared_static = 0;  // up to where; bytes of variables
  std::vector<SharedVariable> variables;
  std::map<void*, MBarrier> mbarriers;
  std::vector<TensorCopy> tensor_copies;  // loads under way
  std::vector<BulkStore> bulk_stores;
  unsigned fruitless_polls = 0;  // of mbarriers
  unsigned long long block_started = 0;  // nanoseconds
  // For the watcher (interrupt.h):
  std::atomic<unsigned long long> since{0};  // block_started, while a block runs
  std::atomic<unsigned long long> looked{0};  // when it has last looked up
  std::atomic<pid_t> thread{0};
  std::atomic<bool> wanted{false};  // it shall look up
  bool launches = false;            // its thread is the one that has launched
  void* paused = nullptr;           // where the kernel was left
  // A block that only waits for other blocks is left, and comes back to in turn:
  bool stalled = false;
  void* resume = nullptr;
  ThreadInfo* resumes = nullptr;    // the thread that was running
  bool waits_for_grid = false;
  unsigned grid_generation = 0;     // that it waits to end
  void* order = nullptr;            // the checker's

  Worker();
};

extern thread_local Worker* worker __attribute__((tls_model("initial-exec")));
inline Fiber* running() { return (Fiber*)current; }

}  // namespace gpunet_sim
