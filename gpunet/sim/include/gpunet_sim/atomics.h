// Atomic operations on global and shared memory, for the types that CUDA has them for.
#pragma once

namespace gpunet_sim {

template <unsigned Size> struct AtomicWord;
template <> struct AtomicWord<2> { using type = uint16_t; };
template <> struct AtomicWord<4> { using type = uint32_t; };
template <> struct AtomicWord<8> { using type = uint64_t; };

// Keeps a function's parameter out of template deduction, so that atomicAdd(float*, 1) converts the 1.
template <class T> struct Exactly { using type = T; };

template <class T, class... Allowed> constexpr bool kOneOf = (std::is_same_v<T, Allowed> || ...);
template <class T> constexpr bool kHalf = IsHalf<T>::value || IsHalfPair<T>::value;

// Many atomics in a row that change nothing may be a loop that waits for another thread, which must then run.
constexpr unsigned kSpinsBeforeYield = 256;

// In a loop without a body.
inline void spin(Site site = Site::here()) {
  if (++current->spins >= kSpinsBeforeYield) yield(site);
}

inline void before_atomic(const void* address, size_t size, Scope scope, Site site, Atomic kind) {
  if (__builtin_expect(current->spins >= kSpinsBeforeYield, 0)) yield(site);
  if (__builtin_expect((size_t)address & (size - 1), 0))
    fail(Kind::Misaligned, site, "misaligned atomic operation: the address is no multiple of %zu", size);
  check_atomic(address, size, scope, site, kind);
}

template <class T, class F>
inline T atomic_update(T* address, F next, Scope scope, Site site, Atomic kind = Atomic::Update) {
  using Word = typename AtomicWord<sizeof(T)>::type;
  before_atomic(address, sizeof(T), scope, site, kind);
  Word old = __atomic_load_n((Word*)address, __ATOMIC_RELAXED), desired;
  T old_value;
  do {
    memcpy((void*)&old_value, &old, sizeof old);
    T new_value = next(old_value);
    memcpy(&desired, (const void*)&new_value, sizeof desired);
  } while (!__atomic_compare_exchange_n((Word*)address, &old, desired, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
  current->spins = old == desired ? current->spins + 1 : 0;
  return old_value;
}

template <class T>
inline T compare_and_swap(T* address, T compare, T value, Scope scope, Site site) {
  check_compared(address, &compare, sizeof compare);
  return atomic_update(address, [=](T old) { return old == compare ? value : old; }, scope, site);
}

}  // namespace gpunet_sim

// Each as `name`, `name_block` and `name_system`: there is one memory here for all scopes, but the checker knows.
#define GPUNET_SIM_ATOMIC_SCOPE(name, scope, allowed, expression)                                                  \
  template <class T>                                                                                        \
  inline T name(T* address, typename gpunet_sim::Exactly<T>::type value,                                    \
                gpunet_sim::Site site = gpunet_sim::Site::here()) {                                         \
    static_assert(allowed, #name ": CUDA has no such operation for this type");                             \
    return gpunet_sim::atomic_update(address, [=](T old) { return T(expression); },                         \
                                     gpunet_sim::Scope::scope, site);                                       \
  }
#define GPUNET_SIM_ATOMIC(name, allowed, expression)                \
  GPUNET_SIM_ATOMIC_SCOPE(name, Device, allowed, expression)        \
  GPUNET_SIM_ATOMIC_SCOPE(name##_block, Block, allowed, expression) \
  GPUNET_SIM_ATOMIC_SCOPE(name##_system, Device, allowed, expression)
#define GPUNET_SIM_WORDS int, unsigned, unsigned long long
GPUNET_SIM_ATOMIC(atomicAdd, (gpunet_sim::kOneOf<T, GPUNET_SIM_WORDS, float, double> || gpunet_sim::kHalf<T>), old + value)
GPUNET_SIM_ATOMIC(atomicSub, (gpunet_sim::kOneOf<T, int, unsigned>), old - value)
GPUNET_SIM_ATOMIC(atomicMin, (gpunet_sim::kOneOf<T, GPUNET_SIM_WORDS, long long>), old < value ? old : value)
GPUNET_SIM_ATOMIC(atomicMax, (gpunet_sim::kOneOf<T, GPUNET_SIM_WORDS, long long>), old > value ? old : value)
GPUNET_SIM_ATOMIC(atomicExch, (gpunet_sim::kOneOf<T, GPUNET_SIM_WORDS, float>), value)
GPUNET_SIM_ATOMIC(atomicAnd, (gpunet_sim::kOneOf<T, GPUNET_SIM_WORDS, long long>), old & value)
GPUNET_SIM_ATOMIC(atomicOr, (gpunet_sim::kOneOf<T, GPUNET_SIM_WORDS, long long>), old | value)
GPUNET_SIM_ATOMIC(atomicXor, (gpunet_sim::kOneOf<T, GPUNET_SIM_WORDS, long long>), old ^ value)
GPUNET_SIM_ATOMIC(atomicInc, (gpunet_sim::kOneOf<T, unsigned>), old >= value ? 0 : old + 1)
GPUNET_SIM_ATOMIC(atomicDec, (gpunet_sim::kOneOf<T, unsigned>), old == 0 || old > value ? value : old - 1)

#define GPUNET_SIM_CAS(name, scope)                                                                                     \
  template <class T>                                                                                             \
  inline T name(T* address, typename gpunet_sim::Exactly<T>::type compare,                                       \
                typename gpunet_sim::Exactly<T>::type value, gpunet_sim::Site site = gpunet_sim::Site::here()) { \
    static_assert(gpunet_sim::kOneOf<T, GPUNET_SIM_WORDS, unsigned short>,                                       \
                  #name ": CUDA has no such operation for this type");                                           \
    return gpunet_sim::compare_and_swap(address, compare, value, gpunet_sim::Scope::scope, site);                \
  }
GPUNET_SIM_CAS(atomicCAS, Device)
GPUNET_SIM_CAS(atomicCAS_block, Block)
GPUNET_SIM_CAS(atomicCAS_system, Device)
#undef GPUNET_SIM_CAS
#undef GPUNET_SIM_WORDS
#undef GPUNET_SIM_ATOMIC
#undef GPUNET_SIM_ATOMIC_SCOPE

// Vectors (sm_90): each number by itself is added atomically.
inline float2 atomicAdd(float2* address, float2 value, gpunet_sim::Site site = gpunet_sim::Site::here()) {
  return {atomicAdd(&address->x, value.x, site), atomicAdd(&address->y, value.y, site)};
}
inline float4 atomicAdd(float4* address, float4 value, gpunet_sim::Site site = gpunet_sim::Site::here()) {
  return {atomicAdd(&address->x, value.x, site), atomicAdd(&address->y, value.y, site),
          atomicAdd(&address->z, value.z, site), atomicAdd(&address->w, value.w, site)};
}
