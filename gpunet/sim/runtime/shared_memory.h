// A block's shared memory: the dynamic part first, then each __shared__ variable as the block first reaches it.
#pragma once

namespace gpunet_sim {

constexpr size_t kStaticSharedLimit = 48 << 10, kSharedLimit = 227 << 10;
// Canaries lie between the variables and take no part in the limits. Addresses must fit into 18 bits (wgmma).
constexpr size_t kSharedReserved = 256 << 10;
constexpr size_t kDynamicStart = 1024;

inline char* place_shared(Worker* w, size_t start, size_t size) {
  char* data = w->shared + start;
  Canary::write(data - Canary::kSize);
  memset(data, kPoison, size);
  Canary::write(data + size);
  w->shared_used = start + size + Canary::kSize;
  return data;
}

inline void begin_shared_memory(Worker* w, size_t dynamic_size) {
  if (!w->shared) {
    char* memory = kChecking ? arena().allocate_for_good(kSharedReserved + 8192) : reserve(kSharedReserved + 8192);
    if (!memory) abort();
    w->shared = (char*)(((size_t)memory + 4095) & ~size_t(4095));
  }
  check_shared_begins(w);
  w->variables.clear();
  w->shared_static = 0;
  w->shared_used = kDynamicStart - Canary::kSize;
  w->dynamic = w->shared + kDynamicStart;
  if (dynamic_size) {
    place_shared(w, kDynamicStart, dynamic_size);
    w->variables.push_back({nullptr, w->dynamic, dynamic_size, {}, "the dynamic shared memory", {nullptr, 0}});
    check_shared_variable(w->variables.back());
  }
}

__attribute__((noinline)) inline void* new_shared_variable(Worker* w, const SharedVariable& v) {
  w->shared_static += v.size;
  size_t total = w->shared_static + w->launch->dynamic_shared;
  if (w->shared_static > kStaticSharedLimit)
    fail(Kind::Limit, v.site, "%zu bytes of static shared memory up to '%s': the limit is %zu", w->shared_static, v.name,
         kStaticSharedLimit);
  size_t align = v.type.align, start = (w->shared_used + Canary::kSize + kSharedGap + align - 1) & ~(align - 1);
  if (kChecking && start + v.size + Canary::kSize > kSharedReserved)  // no room for the distance between variables
    start = (w->shared_used + Canary::kSize + align - 1) & ~(align - 1);
  if (total > kSharedLimit || start + v.size + Canary::kSize > kSharedReserved)
    fail(Kind::Limit, v.site, "%zu bytes of shared memory up to '%s': the limit is %zu", total, v.name, kSharedLimit);
  w->variables.push_back(v);
  w->variables.back().data = place_shared(w, start, v.size);
  check_shared_variable(w->variables.back());
  return w->variables.back().data;
}

void* shared_variable(const void* tag, const SharedType& type, const char* name, Site site) {
  Worker* w = worker;
  for (const SharedVariable& variable : w->variables)
    if (variable.tag == tag) return variable.data;
  return new_shared_variable(w, {tag, nullptr, type.size, type, name, site});
}

inline void look_at_shared_canaries(Worker* w) {
  for (const SharedVariable& v : w->variables) {
    long before = Canary::damage(v.data - Canary::kSize), after = Canary::damage(v.data + v.size);
    if ((before < 0 && after < 0) || kChecking) continue;  // the checker has named the write itself
    long offset = before >= 0 ? before - (long)Canary::kSize : (long)v.size + after;
    char text[300];
    snprintf(text, sizeof text, "a write outside '%s' (%zu bytes of shared memory): byte %ld is damaged", v.name,
             v.size, offset);
    Element element;
    element.name = v.name;
    element.offset = offset;
    w->launch->report->add({Kind::OutOfBounds, text, {v.site}, {true, true, w->index, {}}, element, {}});
    w->launch->failed = true;
  }
}

}  // namespace gpunet_sim
