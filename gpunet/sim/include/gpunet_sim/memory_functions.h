// Loads and stores with a cache hint, which are plain ones here, and questions about addresses.
#pragma once

#define GPUNET_SIM_LOAD(name) template <class T> inline T name(const T* address) { return *address; }
#define GPUNET_SIM_STORE(name)                                                                       \
  template <class T> inline void name(T* address, typename std::common_type<T>::type value) { *address = value; }
GPUNET_SIM_LOAD(__ldg)
GPUNET_SIM_LOAD(__ldcg)
GPUNET_SIM_LOAD(__ldca)
GPUNET_SIM_LOAD(__ldcs)
GPUNET_SIM_LOAD(__ldlu)
GPUNET_SIM_LOAD(__ldcv)
GPUNET_SIM_STORE(__stwb)
GPUNET_SIM_STORE(__stcg)
GPUNET_SIM_STORE(__stcs)
GPUNET_SIM_STORE(__stwt)
#undef GPUNET_SIM_LOAD
#undef GPUNET_SIM_STORE

inline size_t __cvta_generic_to_shared(const void* p) {
  return size_t((const char*)p - gpunet_sim::current->block->shared);
}
inline void* __cvta_shared_to_generic(size_t address) { return gpunet_sim::current->block->shared + address; }
// A block's shared memory lies in so many bytes (runtime/shared_memory.h). What is not shared is taken for global.
inline unsigned __isShared(const void* p) { return __cvta_generic_to_shared(p) < (256u << 10); }
inline unsigned __isGlobal(const void* p) { return !__isShared(p); }
inline size_t __cvta_generic_to_global(const void* p) { return (size_t)p; }
inline void* __cvta_global_to_generic(size_t address) { return (void*)address; }
