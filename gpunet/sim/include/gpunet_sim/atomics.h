// Atomic operations on global and shared memory.
#pragma once

namespace gpunet_sim {

template <unsigned Size> struct AtomicWord;
template <> struct AtomicWord<2> { using type = uint16_t; };
template <> struct AtomicWord<4> { using type = uint32_t; };
template <> struct AtomicWord<8> { using type = uint64_t; };

// Keeps a function's parameter out of template deduction, so that atomicAdd(float*, 1) converts the 1.
template <class T> struct Exactly { using type = T; };

// Many atomics in a row may be a loop that waits for another thread of the block, which must then run.
constexpr unsigned kAtomicsBeforeYield = 1024;

template <class T, class F>
inline T atomic_update(T* address, F next, Site site) {
  using Word = typename AtomicWord<sizeof(T)>::type;
  if (__builtin_expect(++current->atomics >= kAtomicsBeforeYield, 0)) yield(site);
  Word old = __atomic_load_n((Word*)address, __ATOMIC_RELAXED), desired;
  T old_value;
  do {
    memcpy((void*)&old_value, &old, sizeof old);
    T new_value = next(old_value);
    memcpy(&desired, (const void*)&new_value, sizeof desired);
  } while (!__atomic_compare_exchange_n((Word*)address, &old, desired, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
  return old_value;
}

template <class T> constexpr bool kIsInteger = std::is_integral_v<T> && sizeof(T) >= 4;

}  // namespace gpunet_sim

#define GPUNET_SIM_ATOMIC(name, allowed, expression)                                                        \
  template <class T>                                                                                        \
  inline T name(T* address, typename gpunet_sim::Exactly<T>::type value,                                    \
                gpunet_sim::Site site = gpunet_sim::Site::here()) {                                         \
    static_assert(allowed, #name ": CUDA has no such operation for this type");                             \
    return gpunet_sim::atomic_update(address, [=](T old) { return T(expression); }, site);                  \
  }                                                                                                         \
  template <class T>                                                                                        \
  inline T name##_block(T* address, typename gpunet_sim::Exactly<T>::type value,                            \
                        gpunet_sim::Site site = gpunet_sim::Site::here()) {                                 \
    return name(address, value, site);                                                                      \
  }
GPUNET_SIM_ATOMIC(atomicAdd, (gpunet_sim::kIsInteger<T> || std::is_floating_point_v<T> ||
                              gpunet_sim::IsHalf<T>::value || gpunet_sim::IsHalfPair<T>::value), old + value)
GPUNET_SIM_ATOMIC(atomicSub, (std::is_same_v<T, int> || std::is_same_v<T, unsigned>), old - value)
GPUNET_SIM_ATOMIC(atomicMin, gpunet_sim::kIsInteger<T>, old < value ? old : value)
GPUNET_SIM_ATOMIC(atomicMax, gpunet_sim::kIsInteger<T>, old > value ? old : value)
GPUNET_SIM_ATOMIC(atomicExch, (gpunet_sim::kIsInteger<T> || std::is_same_v<T, float>), value)
GPUNET_SIM_ATOMIC(atomicAnd, gpunet_sim::kIsInteger<T>, old & value)
GPUNET_SIM_ATOMIC(atomicOr, gpunet_sim::kIsInteger<T>, old | value)
GPUNET_SIM_ATOMIC(atomicXor, gpunet_sim::kIsInteger<T>, old ^ value)
GPUNET_SIM_ATOMIC(atomicInc, (std::is_same_v<T, unsigned>), old >= value ? 0 : old + 1)
GPUNET_SIM_ATOMIC(atomicDec, (std::is_same_v<T, unsigned>), old == 0 || old > value ? value : old - 1)
#undef GPUNET_SIM_ATOMIC

template <class T>
inline T atomicCAS(T* address, typename gpunet_sim::Exactly<T>::type compare,
                   typename gpunet_sim::Exactly<T>::type value,
                   gpunet_sim::Site site = gpunet_sim::Site::here()) {
  static_assert(gpunet_sim::kIsInteger<T> || std::is_same_v<T, unsigned short>,
                "atomicCAS: CUDA has no such operation for this type");
  return gpunet_sim::atomic_update(address, [=](T old) { return old == compare ? value : old; }, site);
}
