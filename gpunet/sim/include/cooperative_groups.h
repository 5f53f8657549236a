// Cooperative groups within a block: the block, tiles of a warp, and the lanes that happen to be together.
// And the grid, whose blocks run in turns when they wait for one another.
#pragma once

namespace cooperative_groups {

using gpunet_sim::Site;

struct thread_block {
  static void sync(Site site = Site::here()) { __syncthreads(site); }
  static unsigned thread_rank() { return gpunet_sim::current->linear; }
  static unsigned size() { return blockDim.x * blockDim.y * blockDim.z; }
  static unsigned num_threads() { return size(); }
  static dim3 group_index() { return {blockIdx.x, blockIdx.y, blockIdx.z}; }
  static dim3 thread_index() { return {threadIdx.x, threadIdx.y, threadIdx.z}; }
  static dim3 dim_threads() { return blockDim; }
  static dim3 group_dim() { return blockDim; }
};
inline thread_block this_thread_block() { return {}; }

// ---- what groups within a warp have in common --------------------------------------------------------------------
// A Group gives mask() (its lanes), lane_of(rank), thread_rank() and num_threads().
template <class Group>
struct WarpGroup {
  void sync(Site site = Site::here()) const { __syncwarp(mask(), site); }
  unsigned size() const { return self().num_threads(); }

  template <class T> T shfl(T value, unsigned rank, Site site = Site::here()) const {
    return from(self().lane_of(rank), value, "shfl", site);
  }
  template <class T> T shfl_up(T value, unsigned delta, Site site = Site::here()) const {
    unsigned own = self().thread_rank();
    return from(self().lane_of(own < delta ? own : own - delta), value, "shfl_up", site);
  }
  template <class T> T shfl_down(T value, unsigned delta, Site site = Site::here()) const {
    unsigned own = self().thread_rank();
    return from(self().lane_of(own + delta >= size() ? own : own + delta), value, "shfl_down", site);
  }
  int any(int predicate, Site site = Site::here()) const { return __any_sync(mask(), predicate, site); }
  int all(int predicate, Site site = Site::here()) const { return __all_sync(mask(), predicate, site); }
  unsigned ballot(int predicate, Site site = Site::here()) const {
    return by_rank(__ballot_sync(mask(), predicate, site));
  }
  template <class T> unsigned match_any(T value, Site site = Site::here()) const {
    return by_rank(__match_any_sync(mask(), value, site));
  }
  template <class T> unsigned match_all(T value, int& all, Site site = Site::here()) const {
    return by_rank(__match_all_sync(mask(), value, &all, site));
  }

  // Every lane's value in order of rank: `use(rank, value)`.
  template <class T, class Use>
  void each_value(const T& value, Use use, const char* operation, Site site) const {
    static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= gpunet_sim::kLaneBytes);
    const auto* exchange = gpunet_sim::warp_exchange(mask(), &value, sizeof(T), operation, site);
    for (unsigned rank = 0, count = size(); rank < count; rank++)
      use(rank, gpunet_sim::lane_value<T>(exchange, self().lane_of(rank)));
  }

 private:
  const Group& self() const { return static_cast<const Group&>(*this); }
  unsigned mask() const { return self().mask(); }
  template <class T> T from(unsigned lane, const T& value, const char* operation, Site site) const {
    static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= gpunet_sim::kLaneBytes);
    const auto* exchange = gpunet_sim::warp_exchange(mask(), &value, sizeof(T), operation, site);
    return gpunet_sim::lane_value<T>(exchange, lane);
  }
  unsigned by_rank(unsigned lanes) const {
    unsigned result = 0;
    for (unsigned rank = 0, count = size(); rank < count; rank++)
      result |= (lanes >> self().lane_of(rank) & 1) << rank;
    return result;
  }
};

// ---- tiles -------------------------------------------------------------------------------------------------------
template <unsigned N, class Parent = void>
struct thread_block_tile : WarpGroup<thread_block_tile<N, Parent>> {
  static_assert(N && !(N & (N - 1)), "the size of a tile is a power of two");
  static_assert(N <= 32, "tiles of more than a warp are not simulated");
  static unsigned first_lane() { return gpunet_sim::current->lane & ~(N - 1); }
  static unsigned mask() { return (N == 32 ? ~0u : (1u << N % 32) - 1) << first_lane(); }
  static unsigned lane_of(unsigned rank) { return first_lane() + (rank & (N - 1)); }
  static unsigned thread_rank() { return gpunet_sim::current->lane & (N - 1); }
  static constexpr unsigned num_threads() { return N; }
  static constexpr unsigned size() { return N; }
  static unsigned meta_group_rank() { return parent_rank() / N; }
  static unsigned meta_group_size() { return (parent_size() + N - 1) / N; }
  template <class T> T shfl_xor(T value, unsigned lanes, Site site = Site::here()) const {
    return this->shfl(value, thread_rank() ^ lanes, site);
  }

 private:
  static unsigned parent_rank() {
    if constexpr (std::is_void_v<Parent>) return thread_block::thread_rank();
    else return Parent::thread_rank();
  }
  static unsigned parent_size() {
    if constexpr (std::is_void_v<Parent>) return thread_block::size();
    else return Parent::size();
  }
};

// ---- any lanes of a warp -----------------------------------------------------------------------------------------
struct coalesced_group : WarpGroup<coalesced_group> {
  explicit coalesced_group(unsigned lanes, unsigned rank = 0, unsigned groups = 1)
      : lanes_(lanes), rank_(rank), groups_(groups) {}
  unsigned mask() const { return lanes_; }
  unsigned lane_of(unsigned rank) const { return __fns(lanes_, 0, int(rank) + 1) & 31; }
  unsigned thread_rank() const { return __popc(lanes_ & ((1u << gpunet_sim::current->lane) - 1)); }
  unsigned num_threads() const { return __popc(lanes_); }
  unsigned meta_group_rank() const { return rank_; }
  unsigned meta_group_size() const { return groups_; }

 private:
  unsigned lanes_, rank_, groups_;
};
inline coalesced_group coalesced_threads(Site site = Site::here()) { return coalesced_group(gpunet_sim::converged_lanes(site, true)); }

// ---- any of these ------------------------------------------------------------------------------------------------
class thread_group {
 public:
  thread_group(thread_block) : lanes_(0) {}
  template <class Group> thread_group(const WarpGroup<Group>& group) : lanes_(static_cast<const Group&>(group).mask()) {}
  void sync(Site site = Site::here()) const { lanes_ ? __syncwarp(lanes_, site) : __syncthreads(site); }
  unsigned size() const { return lanes_ ? __popc(lanes_) : thread_block::size(); }
  unsigned num_threads() const { return size(); }
  unsigned thread_rank() const {
    return lanes_ ? coalesced_group(lanes_).thread_rank() : thread_block::thread_rank();
  }

 private:
  unsigned lanes_;  // 0: the whole block
};

// ---- parts of a group --------------------------------------------------------------------------------------------
template <unsigned N>
inline thread_block_tile<N> tiled_partition(thread_block) { return {}; }
template <unsigned N, unsigned M, class Parent>
inline thread_block_tile<N, thread_block_tile<M, Parent>> tiled_partition(const thread_block_tile<M, Parent>&) {
  static_assert(N <= M, "a tile's part is no larger than the tile");
  return {};
}
inline coalesced_group tiled_partition(const coalesced_group& group, unsigned n) {
  unsigned first = group.thread_rank() / n * n, lanes = 0;
  for (unsigned rank = first; rank < first + n && rank < group.num_threads(); rank++) lanes |= 1u << group.lane_of(rank);
  return coalesced_group(lanes, first / n, (group.num_threads() + n - 1) / n);
}
inline thread_group tiled_partition(thread_block, unsigned n, Site site = Site::here()) {
  if (n == 0 || n > 32 || n & (n - 1)) gpunet_sim::fail(site, "tiled_partition: %u is no power of two up to 32", n);
  return coalesced_group((n == 32 ? ~0u : (1u << n) - 1) << (gpunet_sim::current->lane & ~(n - 1)));
}
template <class Group, class Label>
inline coalesced_group labeled_partition(const WarpGroup<Group>& group, Label label, Site site = Site::here()) {
  unsigned lanes = __match_any_sync(static_cast<const Group&>(group).mask(), label, site);
  unsigned leaders = 0, own = __ffs(lanes) - 1;
  group.each_value(own, [&](unsigned, unsigned leader) { leaders |= 1u << leader; }, "labeled_partition", site);
  return coalesced_group(lanes, __popc(leaders & ((1u << own) - 1)), __popc(leaders));
}
template <class Group>
inline coalesced_group binary_partition(const WarpGroup<Group>& group, bool predicate, Site site = Site::here()) {
  unsigned all = static_cast<const Group&>(group).mask(), yes = __ballot_sync(all, predicate, site), no = all & ~yes;
  return coalesced_group(predicate ? yes : no, predicate, 2);
}

// ---- the grid ----------------------------------------------------------------------------------------------------
struct grid_group {
  static void sync(Site site = Site::here()) { gpunet_sim::sync_grid(site); }
  static constexpr bool is_valid() { return true; }
  static unsigned long long num_blocks() { return (unsigned long long)gridDim.x * gridDim.y * gridDim.z; }
  static unsigned long long block_rank() {
    return ((unsigned long long)blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  }
  static unsigned long long num_threads() { return num_blocks() * thread_block::size(); }
  static unsigned long long size() { return num_threads(); }
  static unsigned long long thread_rank() { return block_rank() * thread_block::size() + thread_block::thread_rank(); }
  static dim3 block_index() { return thread_block::group_index(); }
  static dim3 dim_blocks() { return gridDim; }
  static dim3 group_dim() { return gridDim; }
};
inline grid_group this_grid() { return {}; }

template <class Group> inline void sync(const Group& group, Site site = Site::here()) { group.sync(site); }
// One thread of a group calls the function: the first.
template <class Group, class F, class... Args> inline void invoke_one(const Group& group, F&& call, Args&&... args) {
  if (group.thread_rank() == 0) call(args...);
}
template <class Group> inline auto thread_rank(const Group& group) { return group.thread_rank(); }
template <class Group> inline auto group_size(const Group& group) { return group.size(); }

}  // namespace cooperative_groups
