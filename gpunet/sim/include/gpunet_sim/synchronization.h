// Barriers, fences and warp collectives.
#pragma once

inline void __syncthreads(gpunet_sim::Site site = gpunet_sim::Site::here()) { gpunet_sim::sync_threads(site); }
inline int __syncthreads_count(int predicate, gpunet_sim::Site site = gpunet_sim::Site::here()) {
  return gpunet_sim::sync_threads_reduce(predicate, gpunet_sim::Reduce::Count, site);
}
inline int __syncthreads_and(int predicate, gpunet_sim::Site site = gpunet_sim::Site::here()) {
  return gpunet_sim::sync_threads_reduce(predicate, gpunet_sim::Reduce::And, site);
}
inline int __syncthreads_or(int predicate, gpunet_sim::Site site = gpunet_sim::Site::here()) {
  return gpunet_sim::sync_threads_reduce(predicate, gpunet_sim::Reduce::Or, site);
}

// Blocks run on several host threads, so fences between them are real ones.
inline void __threadfence_block() { __atomic_signal_fence(__ATOMIC_SEQ_CST); }
inline void __threadfence() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
inline void __threadfence_system() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }

inline void __syncwarp(unsigned mask = 0xffffffffu, gpunet_sim::Site site = gpunet_sim::Site::here()) {
  gpunet_sim::warp_exchange(mask, nullptr, 0, "__syncwarp", site);
}
inline unsigned __activemask(gpunet_sim::Site site = gpunet_sim::Site::here()) {
  return gpunet_sim::converged_lanes(site);
}

namespace gpunet_sim {

// Specialised for the 16-bit floating-point types in cuda_fp16.h and cuda_bf16.h.
template <class T> struct IsHalf : std::false_type {};
template <class T> struct IsHalfPair : std::false_type {};

template <class T>
inline T shuffle(unsigned mask, T value, unsigned source, const char* operation, Site site) {
  static_assert(std::is_arithmetic_v<T> || IsHalf<T>::value || IsHalfPair<T>::value,
                "CUDA shuffles numbers, not structures");
  uint64_t bits[2] = {0, 0};
  memcpy(bits, (const void*)&value, sizeof(T));
  WarpExchange* exchange = warp_exchange16(mask, bits[0], bits[1], operation, site);
  T result;
  if (exchange->participants >> source & 1) {
    memcpy((void*)&result, exchange->lane[source].bytes, sizeof(T));
  } else {
    check_absent_lane(source, exchange->participants, operation, site);
    memset((void*)&result, 0xff, sizeof(T));  // undefined on the device: deliver what will be noticed
  }
  return result;
}

inline unsigned segment_start(int width, Site site) {
  if (width & (width - 1) || width < 1 || width > 32) fail(site, "shuffle width %d is no power of two up to 32", width);
  return current->lane & ~unsigned(width - 1);
}

template <class T>
inline T lane_value(const WarpExchange* exchange, unsigned lane) {
  T value;
  memcpy((void*)&value, exchange->lane[lane].bytes, sizeof(T));
  return value;
}

inline unsigned ballot(unsigned mask, bool predicate, const char* operation, Site site) {
  const WarpExchange* exchange = warp_exchange16(mask, predicate, 0, operation, site);
  unsigned result = 0;
  for (unsigned lane = 0; lane < 32; lane++)
    if (exchange->participants >> lane & 1) result |= unsigned(exchange->lane[lane].bytes[0]) << lane;
  return result;
}

template <class T, class F>
inline T reduce(unsigned mask, T value, F combine, const char* operation, Site site) {
  static_assert(std::is_same_v<T, int> || std::is_same_v<T, unsigned>, "__reduce_*_sync takes int or unsigned");
  const WarpExchange* exchange = warp_exchange16(mask, (uint64_t)(unsigned)value, 0, operation, site);
  T result{};
  bool first = true;
  for (unsigned lane = 0; lane < 32; lane++) {
    if (!(exchange->participants >> lane & 1)) continue;
    T next = lane_value<T>(exchange, lane);
    result = first ? next : combine(result, next);
    first = false;
  }
  return result;
}

}  // namespace gpunet_sim

template <class T>
inline T __shfl_sync(unsigned mask, T value, int source, int width = 32,
                     gpunet_sim::Site site = gpunet_sim::Site::here()) {
  unsigned lane = gpunet_sim::segment_start(width, site) + unsigned(source & (width - 1));
  return gpunet_sim::shuffle(mask, value, lane, "__shfl_sync", site);
}
template <class T>
inline T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32,
                        gpunet_sim::Site site = gpunet_sim::Site::here()) {
  unsigned own = gpunet_sim::current->lane;
  unsigned lane = own < gpunet_sim::segment_start(width, site) + delta ? own : own - delta;
  return gpunet_sim::shuffle(mask, value, lane, "__shfl_up_sync", site);
}
template <class T>
inline T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32,
                          gpunet_sim::Site site = gpunet_sim::Site::here()) {
  unsigned own = gpunet_sim::current->lane;
  unsigned lane = own + delta >= gpunet_sim::segment_start(width, site) + unsigned(width) ? own : own + delta;
  return gpunet_sim::shuffle(mask, value, lane, "__shfl_down_sync", site);
}
template <class T>
inline T __shfl_xor_sync(unsigned mask, T value, int lane_mask, int width = 32,
                         gpunet_sim::Site site = gpunet_sim::Site::here()) {
  unsigned own = gpunet_sim::current->lane, lane = own ^ unsigned(lane_mask);
  if (lane >= gpunet_sim::segment_start(width, site) + unsigned(width)) lane = own;
  return gpunet_sim::shuffle(mask, value, lane, "__shfl_xor_sync", site);
}

inline unsigned __ballot_sync(unsigned mask, int predicate, gpunet_sim::Site site = gpunet_sim::Site::here()) {
  return gpunet_sim::ballot(mask, predicate != 0, "__ballot_sync", site);
}
inline int __any_sync(unsigned mask, int predicate, gpunet_sim::Site site = gpunet_sim::Site::here()) {
  return gpunet_sim::ballot(mask, predicate != 0, "__any_sync", site) != 0;
}
inline int __all_sync(unsigned mask, int predicate, gpunet_sim::Site site = gpunet_sim::Site::here()) {
  return gpunet_sim::ballot(mask, predicate == 0, "__all_sync", site) == 0;
}

namespace gpunet_sim {
// The lanes whose value is the own lane's; of small integers, as CUDA promotes them.
template <class T>
inline unsigned matching_lanes(unsigned mask, T value, const char* operation, unsigned* participants, Site site) {
  static_assert(std::is_arithmetic_v<T> && sizeof(T) >= 4, "CUDA matches 4- and 8-byte numbers");
  const WarpExchange* exchange = warp_exchange(mask, &value, sizeof(T), operation, site);
  unsigned result = 0;
  for (unsigned lane = 0; lane < 32; lane++)
    if (exchange->participants >> lane & 1 && !memcmp(exchange->lane[lane].bytes, &value, sizeof(T)))
      result |= 1u << lane;
  *participants = exchange->participants;
  return result;
}
}  // namespace gpunet_sim
template <class T>
inline unsigned __match_any_sync(unsigned mask, T value, gpunet_sim::Site site = gpunet_sim::Site::here()) {
  unsigned participants;
  return gpunet_sim::matching_lanes(mask, +value, "__match_any_sync", &participants, site);
}
template <class T>
inline unsigned __match_all_sync(unsigned mask, T value, int* all,
                                 gpunet_sim::Site site = gpunet_sim::Site::here()) {
  unsigned participants;
  *all = gpunet_sim::matching_lanes(mask, +value, "__match_all_sync", &participants, site) == participants;
  return *all ? mask : 0;
}

#define GPUNET_SIM_REDUCE(name, expression)                                                                     \
  template <class T>                                                                                            \
  inline auto name(unsigned mask, T value, gpunet_sim::Site site = gpunet_sim::Site::here()) {                  \
    using R = decltype(+value);                                                                                 \
    return gpunet_sim::reduce(mask, +value, [](R a, R b) -> R { return expression; }, #name, site);             \
  }
GPUNET_SIM_REDUCE(__reduce_add_sync, R((unsigned)a + (unsigned)b))
GPUNET_SIM_REDUCE(__reduce_min_sync, a < b ? a : b)
GPUNET_SIM_REDUCE(__reduce_max_sync, a > b ? a : b)
GPUNET_SIM_REDUCE(__reduce_and_sync, a & b)
GPUNET_SIM_REDUCE(__reduce_or_sync, a | b)
GPUNET_SIM_REDUCE(__reduce_xor_sync, a ^ b)
#undef GPUNET_SIM_REDUCE
