// Names for reports: of a place in the code, of an element of an array, of a thread.
#pragma once

namespace gpunet_sim {

// A place as 32 bits: a site's number, or a distance in the code from the running kernel's entry.
class Places {
 public:
  void begin_launch(const void* entry) { entry_ = (const char*)entry; }
  PlaceNumber of_code(const void* code) const { return uint32_t((const char*)code - entry_) & ~kIsSite; }
  PlaceNumber of_site(Site site) {
    Known& last = recent_[(size_t)site.line % kRecent];
    if (last.site.line != site.line || last.site.file != site.file) last = {site, number_of(site)};
    return last.number;
  }
  Place place(PlaceNumber number) const {
    if (number & kIsSite) return {sites_[number & ~kIsSite], nullptr};
    int32_t distance = int32_t(number << 1) >> 1;  // 31 bits with a sign
    return {{nullptr, 0}, entry_ + distance};
  }

 private:
  static constexpr PlaceNumber kIsSite = 1u << 31;
  static constexpr unsigned kRecent = 64;
  struct Known {
    Site site = {nullptr, 0};
    PlaceNumber number = 0;
  };

  PlaceNumber number_of(Site site) {
    auto [known, is_new] = numbers_.emplace(std::make_pair(std::string(site.file), site.line), sites_.size());
    if (is_new) sites_.push_back({known->first.first.c_str(), site.line});
    return known->second | kIsSite;
  }

  const char* entry_ = nullptr;
  Known recent_[kRecent];
  std::map<std::pair<std::string, int>, PlaceNumber> numbers_;
  std::vector<Site> sites_;
};
inline Places places;

inline std::vector<ArrayArgument> launch_arrays;
inline const char* dynamic_name = nullptr;
inline unsigned dynamic_element = 1;

void check_dynamic_shared(const char* name, unsigned element) {
  if (dynamic_name && dynamic_element >= element) return;  // of several views the one with the largest elements
  dynamic_name = name;
  dynamic_element = element;
}

// The `__device__` variables of all kernel libraries of the process, and what they held when the launch began.
inline std::vector<SharedVariable> device_variables;
inline std::vector<std::vector<char>> variables_before;

void* device_variable(const void* initial, const SharedType& type, const char* name) {
  char* data = arena().allocate_for_good(type.size);
  if (!data) fprintf(stderr, "gpunet.sim: no device memory for %s\n", name), abort();
  memcpy(data, initial, type.size);
  device_variables.push_back({initial, data, type.size, type, name, {nullptr, 0}});
  return data;
}

inline Element element_of(const SharedVariable& v, const char* p) {
  Element e;
  bool dynamic = !v.tag;
  e.name = !dynamic ? v.name : dynamic_name ? dynamic_name : "dynamic shared memory";
  e.offset = p - v.data;
  e.size = dynamic ? dynamic_element : v.type.element;
  memcpy(e.extent, v.type.extent, sizeof e.extent);
  return e;
}

// In shared memory: whether an address outside of the variables is one of dynamic memory that the launch did not give.
inline bool is_dynamic(const char* p, const SharedVariable* nearest) {
  if (!dynamic_name || !p || p < worker->dynamic) return false;
  return !nearest || (!nearest->tag && p >= nearest->data + nearest->size) || (nearest->tag && p < nearest->data);
}

// The array that an address belongs to, or lies beside.
inline Element find_element(const char* p) {
  if (worker && worker->shared && p >= worker->shared && p < worker->shared + kSharedReserved) {
    const SharedVariable* nearest = nullptr;
    size_t distance = ~size_t(0);
    for (const SharedVariable& v : worker->variables) {
      size_t away = p < v.data ? v.data - p : p >= v.data + v.size ? p - (v.data + v.size) + 1 : 0;
      if (away < distance) distance = away, nearest = &v;
    }
    if (is_dynamic(p, nearest)) return element_of({nullptr, worker->dynamic, 0, {}, nullptr, {nullptr, 0}}, p);
    return nearest ? element_of(*nearest, p) : Element{};
  }
  Element e;
  for (const ArrayArgument& a : launch_arrays) {
    if (p < a.allocation.data - kGap || p >= a.allocation.data + a.allocation.size + kGap) continue;
    bool nearer = e.argument < 0 || (p >= a.allocation.data && p < a.allocation.data + a.allocation.size);
    if (!nearer) continue;
    e.argument = a.argument;
    e.place = a.place;
    e.offset = p - a.pointer;
  }
  for (const SharedVariable& v : device_variables)
    if (e.argument < 0 && p >= v.data - kGap && p < v.data + v.size + kGap) return element_of(v, p);
  return e;
}

inline bool is_shared(const char* p) {
  return worker->shared && p >= worker->shared && p < worker->shared + kSharedReserved;
}

// The calls that led there, from the inside out, so that a place in one of our headers has the user's line too.
// Check builds keep frame pointers.
inline Place with_callers(Place place) {
  if (!place.code) return place;
  const void* const* frame = (const void* const*)__builtin_frame_address(0);
  const char* end = worker->stacks + kStackSize * kMaxThreads;
  unsigned found = 0;
  bool reached = false;
  for (int depth = 0; depth < 50 && found < Place::kCallers; depth++) {
    if ((const char*)frame < worker->stacks || (const char*)frame + 16 > end || (size_t)frame % 8) break;
    if (reached) place.callers[found++] = frame[1];
    reached |= frame[1] == place.code;
    frame = (const void* const*)frame[0];
  }
  return place;
}

inline ThreadName thread_of_stamp(Stamp s) {
  dim3 grid = worker->grid_size, block = worker->block_size;
  unsigned number = order.block_number(s), thread = thread_of(s);
  return {true,
          false,
          {number % grid.x, number / grid.x % grid.y, number / grid.x / grid.y},
          {thread % block.x, thread / block.x % block.y, thread / block.x / block.y}};
}

}  // namespace gpunet_sim
