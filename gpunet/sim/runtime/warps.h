// Warp collectives: shuffles, votes, __syncwarp, and the products and loads that a warp does together.
#pragma once

namespace gpunet_sim {

inline bool complete(const Warp& warp, const WarpSlot& slot) {
  return ((slot.arrived | warp.exited | ~warp.present) & slot.mask) == slot.mask;
}

inline void release(WarpSlot& slot) {
  WarpExchange& exchange = slot.exchange[slot.generation & 1];
  exchange.participants = slot.arrived;
  if (slot.orders_memory) check_warp_joined(current->warp, slot.arrived);
  if (slot.finisher) slot.finisher(&exchange, slot.argument);
  slot.arrived = 0;
  slot.generation++;
}

// A slot for a mask not met before, or long ago.
__attribute__((noinline)) inline WarpSlot& new_slot(Warp& warp, unsigned mask, Site site) {
  WarpSlot* slot = nullptr;
  if (warp.slots < Warp::kSlots) {
    slot = &warp.slot[warp.slots++];
  } else {
    for (WarpSlot& candidate : warp.slot)
      if (!candidate.arrived && (!slot || candidate.used < slot->used)) slot = &candidate;
    if (!slot) fail(Kind::Limit, site, "more than %u warp collectives with different masks at once", Warp::kSlots);
  }
  slot->mask = mask;
  slot->arrived = 0;
  return *slot;
}

inline WarpSlot& find_slot(Warp& warp, unsigned mask, const char* operation, Site site) {
  if (__builtin_expect(!(mask >> current->lane & 1), 0))
    fail(Kind::Mask, site, "%s: the calling lane %u is not in its mask 0x%08x", operation, current->lane, mask);
  WarpSlot* slot = nullptr;
  for (unsigned i = 0; i < warp.slots && !slot; i++)
    if (warp.slot[i].mask == mask) slot = &warp.slot[i];
  if (!slot) slot = &new_slot(warp, mask, site);
  slot->used = ++warp.uses;
  if (__builtin_expect(slot->arrived && (slot->site.line != site.line || slot->operation != operation), 0))
    fail(Kind::Mask, site, "divergent warp collective: other lanes of mask 0x%08x are in %s at %s:%d", mask, slot->operation,
         slot->site.file, slot->site.line);
  slot->operation = operation;
  slot->site = site;
  return *slot;
}

inline WarpExchange* arrive(Warp& warp, WarpSlot& slot, WarpFinisher finisher, const void* argument) {
  WarpExchange* exchange = &slot.exchange[slot.generation & 1];
  slot.arrived |= 1u << current->lane;
  slot.finisher = finisher;
  slot.argument = argument;
  if (complete(warp, slot))
    release(slot);
  else
    wait_change(&slot.generation, slot.generation, slot.operation, slot.site);
  return exchange;
}

inline unsigned char* lane_data(WarpSlot& slot) {
  return slot.exchange[slot.generation & 1].lane[current->lane].bytes;
}

WarpExchange* warp_exchange(unsigned mask, const void* value, unsigned size, const char* operation, Site site,
                            WarpFinisher finisher, const void* argument) {
  Warp& warp = worker->warp[current->warp];
  WarpSlot& slot = find_slot(warp, mask, operation, site);
  slot.orders_memory = !size && !finisher;  // __syncwarp: shuffles and votes exchange registers only
  if (size) memcpy(lane_data(slot), value, size);
  return arrive(warp, slot, finisher, argument);
}

WarpExchange* warp_exchange16(unsigned mask, uint64_t low, uint64_t high, const char* operation, Site site) {
  Warp& warp = worker->warp[current->warp];
  WarpSlot& slot = find_slot(warp, mask, operation, site);
  slot.orders_memory = false;
  unsigned char* own = lane_data(slot);
  memcpy(own, &low, 8);
  memcpy(own + 8, &high, 8);
  return arrive(warp, slot, nullptr, nullptr);
}

// Collectives do not wait for lanes that have exited.
void release_warp_after_exit(Worker* w, Fiber* self) {
  Warp& warp = w->warp[self->warp];
  warp.exited |= 1u << self->lane;
  for (unsigned i = 0; i < warp.slots; i++)
    if (warp.slot[i].arrived && complete(warp, warp.slot[i])) release(warp.slot[i]);
}

}  // namespace gpunet_sim
