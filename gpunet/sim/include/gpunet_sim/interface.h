// What compiled kernels and the runtime library know of each other.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "vector_types.h"

#pragma GCC visibility push(default)
#ifdef GPUNET_SIM_CHECK  // what kernels call for memcpy and the like
extern "C" void* __wrap_memcpy(void*, const void*, size_t);
extern "C" void* __wrap_memmove(void*, const void*, size_t);
extern "C" void* __wrap_memset(void*, int, size_t);
#endif
namespace gpunet_sim {

// Where a call stands in the .cu file. Taken as a default argument it is the caller's line, so reports name that.
struct Site {
  const char* file;
  int line;
  static constexpr Site here(const char* file = __builtin_FILE(), int line = __builtin_LINE()) { return {file, line}; }
};

struct BlockInfo {
  uint3 index;
  dim3 block_size, grid_size;
  char* shared;   // the block's shared memory; its start is shared address 0
  char* dynamic;  // the dynamic part (extern __shared__)
};

// A copy by cp.async that has been started; where it is not valid, shared memory gets zeros.
struct AsyncCopy {
  void* shared;
  const void* global;
  unsigned short size;
  bool valid;
  unsigned group;
#ifdef GPUNET_SIM_CHECK
  Site site;
#endif
};

struct ThreadInfo {
  uint3 index;
  unsigned linear, lane, warp;
  unsigned spins;  // atomic operations in a row that changed nothing: it may wait for another thread
  BlockInfo* block;
  AsyncCopy* copies;  // in the order in which they were started; those before copies_done have happened
  unsigned copies_done, copies_started, copies_room, copy_group;
};

// The CUDA thread that runs now. initial-exec: one load instead of a call each time threadIdx is read.
extern thread_local ThreadInfo* current __attribute__((tls_model("initial-exec")));

// One warp collective: what each lane brought, which the lanes read when all have arrived.
constexpr unsigned kLaneBytes = 64;
struct alignas(16) LaneData { unsigned char bytes[kLaneBytes]; };
struct WarpExchange {
  LaneData lane[32];
  unsigned participants;
};
// Run once by the last lane to arrive, before any lane goes on.
using WarpFinisher = void (*)(WarpExchange*, const void* argument);

// An exchange waits for every lane of `mask` that has not exited. Lanes must call it at one site together.
WarpExchange* warp_exchange(unsigned mask, const void* value, unsigned size, const char* operation, Site site,
                            WarpFinisher finisher = nullptr, const void* argument = nullptr);
WarpExchange* warp_exchange16(unsigned mask, uint64_t low, uint64_t high, const char* operation, Site site);
// The lanes of the warp that stand at this site together, when all of them have come as far as they can by themselves.
// `for_group`: they are to be the members of a group, which knows how many they are.
unsigned converged_lanes(Site site, bool for_group = false);

enum class Reduce { Count, And, Or };
void sync_threads(Site site);
int sync_threads_reduce(int predicate, Reduce reduce, Site site);
void named_barrier(unsigned id, unsigned threads, bool wait, Site site);

// What a __shared__ variable is; element size and extents (the outermost first, 0 ends them) are for reports.
struct SharedType {
  size_t size, align;
  unsigned element, extent[4];
#ifdef GPUNET_SIM_CHECK
  unsigned long long padding;  // which bytes of an element nobody ever writes; of small structures only
#endif
};
// The block's copy of one __shared__ variable, found by `tag`; made and poisoned on first use.
void* shared_variable(const void* tag, const SharedType& type, const char* name, Site site);

// Let the block's other threads run, and other blocks: a loop that waits for another thread must call this to end.
// `for_time`: and the loop may end by itself, since time passes.
void yield(Site site, bool for_time = false);
// All threads of all blocks wait for one another.
void sync_grid(Site site);

// The kinds of mistakes, in the order of KINDS in finding.py.
enum class Kind : uint8_t {
  Race, OutOfBounds, Uninitialised, DivergentBarrier, Deadlock, Mask, Misaligned, Argument, AsyncCopy, Assertion, Crash,
  TimeOut, Limit, Misuse, Overflow, Unwritten
};
// Report a mistake and end the launch. Without a kind it is Misuse.
[[noreturn]] void fail(Kind kind, Site site, const char* format, ...) __attribute__((format(printf, 3, 4)));
[[noreturn]] void fail(Site site, const char* format, ...) __attribute__((format(printf, 2, 3)));

// Check builds only. The compiler reports each access and each fence of a kernel and of these headers to the checker
// (-fsanitize=thread), so that wrappers need not; what it cannot see is told here.
enum class Scope { Block, Device };
#ifdef GPUNET_SIM_CHECK
enum class Atomic { Load, Store, Update };
void check_atomic(const void* address, size_t size, Scope scope, Site site, Atomic kind = Atomic::Update);
void check_compared(const void* address, const void* value, size_t size);  // comes before a compare-and-swap
void check_absent_lane(unsigned lane, unsigned participants, const char* operation, Site site);  // a shuffle reads it
void index_overflows(long long index, Site site);
void check_copy_started(const AsyncCopy& copy);
void check_dynamic_shared(const char* name, unsigned element);
// Device memory for a `__device__` variable, with this content.
void* device_variable(const void* initial, const SharedType& type, const char* name);
#else
enum class Atomic { Load, Store, Update };
inline void check_atomic(const void*, size_t, Scope, Site, Atomic = Atomic::Update) {}
inline void check_compared(const void*, const void*, size_t) {}
inline void check_absent_lane(unsigned, unsigned, const char*, Site) {}
inline void check_copy_started(const AsyncCopy&) {}
inline void check_dynamic_shared(const char*, unsigned) {}
#endif

// Finish this thread's asynchronous copies, all but those of its `groups_left` newest groups.
void finish_copies(unsigned groups_left);
void make_room_for_copies();

// Hopper: barriers in shared memory, bulk copies (stores belong to groups of their thread) and warpgroup products.
void mbarrier_init(void* barrier, unsigned count, Site site);
void mbarrier_invalidate(void* barrier, Site site);
void mbarrier_expect(void* barrier, unsigned bytes, Site site);
void mbarrier_arrive(void* barrier, unsigned expected_bytes, Site site);
bool mbarrier_test(void* barrier, unsigned parity, Site site);
void mbarrier_wait(void* barrier, unsigned parity, Site site);
void bulk_load(void* shared, const void* global, unsigned bytes, void* barrier, Site site);
void bulk_store(void* global, const void* shared, unsigned bytes, Site site);
void tensor_load_2d(void* shared, const void* map, void* barrier, int x, int y, Site site);
void tensor_load_4d(void* shared, const void* map, void* barrier, int x, int y, int z, int w, Site site);
void tensor_store_2d(const void* map, const void* shared, int x, int y, Site site);
void bulk_commit();
void bulk_wait(unsigned groups_left, bool only_read);
struct WgmmaOperand {
  uint64_t descriptor;
  bool turned;  // its rows lie side by side, else k
};
enum class WgmmaKind { F16, Bf16, Tf32 };
void wgmma_issue(float* d, WgmmaOperand a, WgmmaOperand b, bool accumulate, unsigned n, WgmmaKind kind, Site site);
void wgmma_issue_left(float* d, const float (&left)[2][8], WgmmaOperand b, unsigned n, Site site);
void wgmma_commit();
void wgmma_wait(unsigned groups_left);

// Finishers for tensor-core products of one warp; each lane brings its fragments and finds its result in them.
void mma_m16n8k16_bf16(WarpExchange*, const void*);
void mma_m16n8k16_f16(WarpExchange*, const void*);
void mma_m16n8k8_bf16(WarpExchange*, const void*);
void mma_m16n8k8_f16(WarpExchange*, const void*);
void mma_m16n8k8_tf32(WarpExchange*, const void*);
void mma_m16n8k4_tf32(WarpExchange*, const void*);

// What the launcher must know of a kernel's parameter.
struct Parameter {
  unsigned size, align;
  char kind;          // p pointer, i integer, f floating point, h 16-bit floating point, s structure; 0 ends the list
  char element_kind;  // of what a pointer points to, also v: void
  unsigned element_size;
  const char* type;   // of the parameter, or of what it points to: a text that ends with "T = type]"
};

}  // namespace gpunet_sim
#pragma GCC visibility pop
