// What compiled kernels call: the compiler's hooks for -fsanitize=thread and -fsanitize=alignment, with our own meaning.
#pragma once

#define GPUNET_SIM_HOOK extern "C" __attribute__((visibility("default")))
#define GPUNET_SIM_CODE __builtin_return_address(0)

// ---- plain accesses
namespace gpunet_sim {
template <bool Write, unsigned Size>
__attribute__((noinline)) void check_shared_access(const char* p, const void* code) { check_access<Write, Size>(p, code); }

// As in PTX, a volatile access is a relaxed atomic one. A loop of them may wait for another thread, which must run. In
// shared memory that holds between warps, where volatile variables are flags: within a warp volatile is what old code
// has in place of __syncwarp(), which it is not.
__attribute__((noinline)) void check_volatile(const char* p, unsigned size, bool write, const void* code) {
  if (!shadow.contains(p)) return check_outside(p, size, write, places.of_code(code));
  if (!current) return;
  if (!write && ++current->spins >= kVolatilesBeforeYield) {
    last_atomic = places.of_code(code);
    yield(Site{nullptr, 0});
  }
  bool flag = is_shared(p);
  note_volatile(places.of_code(code));
  check_atomic_at(p, size, write, !write, flag ? kAtomic | kBlockScope : kAtomic, places.of_code(code), flag);
}
}  // namespace gpunet_sim

// An access that need not be aligned has the same hook as one that must be: check_access looks for itself.
#define GPUNET_SIM_ACCESS(size)                                                                                       \
  GPUNET_SIM_HOOK void __tsan_read##size(const char* p) { gpunet_sim::check_access<false, size>(p, GPUNET_SIM_CODE); } \
  GPUNET_SIM_HOOK void __tsan_write##size(const char* p) { gpunet_sim::check_access<true, size>(p, GPUNET_SIM_CODE); } \
  GPUNET_SIM_HOOK void __tsan_unaligned_read##size(const char* p) __attribute__((alias("__tsan_read" #size)));        \
  GPUNET_SIM_HOOK void __tsan_unaligned_write##size(const char* p) __attribute__((alias("__tsan_write" #size)));      \
  GPUNET_SIM_HOOK void __tsan_read_write##size(const char* p) {                                                       \
    gpunet_sim::check_shared_access<false, size>(p, GPUNET_SIM_CODE);                                                 \
    gpunet_sim::check_shared_access<true, size>(p, GPUNET_SIM_CODE);                                                  \
  }                                                                                                                   \
  GPUNET_SIM_HOOK void __tsan_volatile_read##size(const char* p) {                                                    \
    gpunet_sim::check_volatile(p, size, false, GPUNET_SIM_CODE);                                                      \
  }                                                                                                                   \
  GPUNET_SIM_HOOK void __tsan_volatile_write##size(const char* p) {                                                   \
    gpunet_sim::check_volatile(p, size, true, GPUNET_SIM_CODE);                                                       \
  }                                                                                                                   \
  GPUNET_SIM_HOOK void __tsan_unaligned_volatile_read##size(const char* p)                                            \
      __attribute__((alias("__tsan_volatile_read" #size)));                                                           \
  GPUNET_SIM_HOOK void __tsan_unaligned_volatile_write##size(const char* p)                                           \
      __attribute__((alias("__tsan_volatile_write" #size)));

GPUNET_SIM_ACCESS(1)
GPUNET_SIM_ACCESS(2)
GPUNET_SIM_ACCESS(4)
GPUNET_SIM_ACCESS(8)
GPUNET_SIM_ACCESS(16)
#undef GPUNET_SIM_ACCESS

template <bool Write>
inline void gpunet_sim_range(const void* p, size_t size, const void* code) {
  gpunet_sim::check_range<Write>((const char*)p, size, gpunet_sim::places.of_code(code));
}
GPUNET_SIM_HOOK void __tsan_read_range(const void* p, size_t n) { gpunet_sim_range<false>(p, n, GPUNET_SIM_CODE); }
GPUNET_SIM_HOOK void __tsan_write_range(const void* p, size_t n) { gpunet_sim_range<true>(p, n, GPUNET_SIM_CODE); }

// ---- the C library's functions: g++ calls them by their names (kernels are linked with --wrap), clang by its own
#define GPUNET_SIM_COPY(name, real)                                                \
  GPUNET_SIM_HOOK void* name(void* to, const void* from, size_t n) {              \
    gpunet_sim_range<false>(from, n, GPUNET_SIM_CODE);                             \
    gpunet_sim_range<true>(to, n, GPUNET_SIM_CODE);                                \
    return real(to, from, n);                                                      \
  }
#define GPUNET_SIM_SET(name)                                  \
  GPUNET_SIM_HOOK void* name(void* to, int value, size_t n) { \
    gpunet_sim_range<true>(to, n, GPUNET_SIM_CODE);           \
    return memset(to, value, n);                              \
  }
GPUNET_SIM_COPY(__tsan_memcpy, memcpy)
GPUNET_SIM_COPY(__tsan_memmove, memmove)
GPUNET_SIM_COPY(__wrap_memcpy, memcpy)
GPUNET_SIM_COPY(__wrap_memmove, memmove)
GPUNET_SIM_SET(__tsan_memset)
GPUNET_SIM_SET(__wrap_memset)

// ---- atomic operations: check_atomic() has told of them before; see include/gpunet_sim/atomics.h
#define GPUNET_SIM_ATOMICS(bits, T)                                                                                  \
  GPUNET_SIM_HOOK T __tsan_atomic##bits##_load(const volatile T* p, int) {                                           \
    return __atomic_load_n(p, __ATOMIC_SEQ_CST);                                                                     \
  }                                                                                                                  \
  GPUNET_SIM_HOOK void __tsan_atomic##bits##_store(volatile T* p, T value, int) {                                    \
    __atomic_store_n(p, value, __ATOMIC_SEQ_CST);                                                                    \
  }                                                                                                                  \
  GPUNET_SIM_HOOK int __tsan_atomic##bits##_compare_exchange_strong(volatile T* p, T* expected, T value, int, int) { \
    return __atomic_compare_exchange_n(p, expected, value, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);               \
  }                                                                                                                  \
  GPUNET_SIM_HOOK T __tsan_atomic##bits##_compare_exchange_val(volatile T* p, T expected, T value, int, int) {       \
    __atomic_compare_exchange_n(p, &expected, value, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);                     \
    return expected;                                                                                                 \
  }
GPUNET_SIM_ATOMICS(16, uint16_t)
GPUNET_SIM_ATOMICS(32, uint32_t)
GPUNET_SIM_ATOMICS(64, uint64_t)
#undef GPUNET_SIM_ATOMICS

// __threadfence() is the first of these, __threadfence_block() the second: see synchronization.h.
GPUNET_SIM_HOOK void __tsan_atomic_thread_fence(int) {
  if (gpunet_sim::current) gpunet_sim::order.fence(gpunet_sim::current->linear, true);
}
GPUNET_SIM_HOOK void __tsan_atomic_signal_fence(int) {
  if (gpunet_sim::current) gpunet_sim::order.fence(gpunet_sim::current->linear, false);
}

// ---- alignment: the type says what the pointer must be a multiple of
struct AlignmentData {
  struct { const char* file; uint32_t line, column; } location;
  const void* type;
  unsigned char log_alignment, kind;
};
GPUNET_SIM_HOOK void __ubsan_handle_type_mismatch_v1(const AlignmentData* data, const char* p) {
  gpunet_sim::report_misaligned(p, 1u << data->log_alignment, GPUNET_SIM_CODE);
}

// ---- indices: arrays whose length is in their type, also local ones and those within a larger array
struct BoundsData {
  struct { const char* file; uint32_t line, column; } location;
  const struct { uint16_t kind, info; char name[1]; } *array, *index;
};
GPUNET_SIM_HOOK void __ubsan_handle_out_of_bounds(const BoundsData* data, size_t index) {
  bool is_signed = data->index->kind == 0 && data->index->info & 1;
  unsigned bits = data->index->kind == 0 ? 1u << (data->index->info >> 1) : 64;
  long value = bits < 64 && is_signed ? (long)(index << (64 - bits)) >> (64 - bits) : (long)index;
  gpunet_sim::report_index(value, data->array->name, GPUNET_SIM_CODE);
  gpunet_sim::leave_block();  // a local variable may be what comes next
}

// ---- signed integers that overflow. What is in a header, of CUDA's functions, is defined; headers have whole paths.
struct OverflowData {
  struct { const char* file; uint32_t line, column; } location;
  const struct { uint16_t kind, info; char name[1]; }* type;
};
namespace gpunet_sim {
inline long overflowing(const OverflowData* data, size_t bits) {
  return data->type->info >> 1 > 5 ? (long)bits : (long)(int)bits;
}
__attribute__((noinline)) inline void overflow(const OverflowData* data, size_t left, const char* operation,
                                               size_t right, const void* code) {
  if (data->location.file && data->location.file[0] == '/') return;
  report_overflow(format("%ld%s%ld is more than %s holds", overflowing(data, left), operation, overflowing(data, right),
                         data->type->name), code);
}
}  // namespace gpunet_sim
#define GPUNET_SIM_OVERFLOW(name, operation)                                                             \
  GPUNET_SIM_HOOK void __ubsan_handle_##name##_overflow(const OverflowData* data, size_t a, size_t b) {  \
    gpunet_sim::overflow(data, a, operation, b, GPUNET_SIM_CODE);                                        \
  }
GPUNET_SIM_OVERFLOW(add, " + ")
GPUNET_SIM_OVERFLOW(sub, " - ")
GPUNET_SIM_OVERFLOW(mul, " * ")
GPUNET_SIM_OVERFLOW(divrem, " / ")
#undef GPUNET_SIM_OVERFLOW
GPUNET_SIM_HOOK void __ubsan_handle_negate_overflow(const OverflowData* data, size_t a) {
  gpunet_sim::overflow(data, 0, " - ", a, GPUNET_SIM_CODE);
}

// ---- of no interest
GPUNET_SIM_HOOK void __tsan_init() {}
GPUNET_SIM_HOOK void __tsan_func_entry(void*) {}
GPUNET_SIM_HOOK void __tsan_func_exit() {}
GPUNET_SIM_HOOK void __tsan_vptr_update(void**, void*) {}
GPUNET_SIM_HOOK void __tsan_vptr_read(void**) {}
