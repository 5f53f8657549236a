// Cooperative groups within a block. Grids and clusters are not simulated and not declared.
#pragma once

namespace cooperative_groups {

struct thread_block {
  void sync(gpunet_sim::Site site = gpunet_sim::Site::here()) const { __syncthreads(site); }
  unsigned thread_rank() const { return gpunet_sim::current->linear; }
  unsigned size() const { return blockDim.x * blockDim.y * blockDim.z; }
  unsigned num_threads() const { return size(); }
  dim3 group_index() const { return {blockIdx.x, blockIdx.y, blockIdx.z}; }
  dim3 thread_index() const { return {threadIdx.x, threadIdx.y, threadIdx.z}; }
  dim3 dim_threads() const { return blockDim; }
};
inline thread_block this_thread_block() { return {}; }

template <unsigned N, class Parent = thread_block>
struct thread_block_tile {
  static_assert(N && N <= 32 && !(N & (N - 1)), "tiles of more than a warp are not simulated");
  static unsigned first_lane() { return gpunet_sim::current->lane & ~(N - 1); }
  static unsigned mask() { return (N == 32 ? ~0u : (1u << N % 32) - 1) << first_lane(); }
  using Site = gpunet_sim::Site;

  unsigned thread_rank() const { return gpunet_sim::current->lane & (N - 1); }
  unsigned meta_group_rank() const { return gpunet_sim::current->linear / N; }
  unsigned meta_group_size() const { return (this_thread_block().size() + N - 1) / N; }
  static constexpr unsigned size() { return N; }
  static constexpr unsigned num_threads() { return N; }
  void sync(Site site = Site::here()) const { __syncwarp(mask(), site); }
  template <class T> T shfl(T value, int source, Site site = Site::here()) const {
    return __shfl_sync(mask(), value, source, N, site);
  }
  template <class T> T shfl_up(T value, unsigned delta, Site site = Site::here()) const {
    return __shfl_up_sync(mask(), value, delta, N, site);
  }
  template <class T> T shfl_down(T value, unsigned delta, Site site = Site::here()) const {
    return __shfl_down_sync(mask(), value, delta, N, site);
  }
  template <class T> T shfl_xor(T value, int lanes, Site site = Site::here()) const {
    return __shfl_xor_sync(mask(), value, lanes, N, site);
  }
  unsigned ballot(int predicate, Site site = Site::here()) const {
    return __ballot_sync(mask(), predicate, site) >> first_lane();
  }
  int any(int predicate, Site site = Site::here()) const { return __any_sync(mask(), predicate, site); }
  int all(int predicate, Site site = Site::here()) const { return __all_sync(mask(), predicate, site); }
};
template <unsigned N>
inline thread_block_tile<N> tiled_partition(const thread_block&) { return {}; }

}  // namespace cooperative_groups
