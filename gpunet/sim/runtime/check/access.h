// One access: is it within an array, is what it reads written, is it ordered with those of other threads?
//
// The first part is the way that nearly every access takes, and decides the checker's speed. Whatever is unusual goes
// to the second part, which reports.
#pragma once

namespace gpunet_sim {

struct Access {
  const char* p;
  unsigned size;
  bool write, read;  // an atomic operation does both
  Stamp atomic;  // kAtomic, perhaps kBlockScope, or 0
  PlaceNumber place;
  Stamp stamp;
  unsigned thread;
  bool flag = false;  // a volatile variable in shared memory
};

void check_unusual(const Access& access);
void check_outside(const char* p, size_t size, bool write, PlaceNumber place);

// ---- the usual way ---------------------------------------------------------------------------------------------
// False when the access is not the usual one; nothing has been changed then.
template <class C>
__attribute__((always_inline)) inline bool read_cell(C& cell, Stamp me, unsigned thread, PlaceNumber place) {
  if (cell.read[0] == me || cell.read[1] == me || cell.write == me) return true;
  if (!order.ordered(cell.write, thread)) return false;
  for (int i = 0; i < 2; i++)
    if (order.ordered(cell.read[i], thread)) {
      cell.read[i] = me;
      cell.read_place[i] = place;
      return true;
    }
  if (same_warp(cell.read[0], cell.read[1]) && !same_warp(cell.read[0], me)) {
    cell.read[1] = me;
    cell.read_place[1] = place;
  }
  return true;
}

template <class C>
__attribute__((always_inline)) inline bool write_cell(C& cell, Stamp me, unsigned thread, PlaceNumber place) {
  if (cell.write == me) return true;
  if (!order.ordered(cell.write, thread) || !order.ordered(cell.read[0], thread) ||
      !order.ordered(cell.read[1], thread))
    return false;
  cell.write = me;
  cell.write_place = place;
  cell.read[0] = cell.read[1] = 0;
  return true;
}

constexpr uint32_t kReadCares = every_byte(kAllocated | kInitialised | kPending);
constexpr uint32_t kReadable = every_byte(kAllocated | kInitialised);
constexpr uint32_t kWriteCares = every_byte(kAllocated | kPending | kSource);
constexpr uint32_t kWritable = every_byte(kAllocated);

// Part of one word, in its bytes' own cells.
template <bool Write>
inline bool check_bytes(Word& w, unsigned first, unsigned count, Stamp me, unsigned thread, PlaceNumber place) {
  Cell* cells = shadow.split(w);
  for (unsigned i = first; i < first + count; i++) {
    uint8_t& state = w.state[i];
    if (Write) {
      if ((state & uint8_t(kWriteCares)) != uint8_t(kWritable)) return false;
      if (!write_cell(cells[i], me, thread, place)) return false;
      state |= kInitialised;
    } else {
      if ((state & uint8_t(kReadCares)) != uint8_t(kReadable)) return false;
      if (!read_cell(cells[i], me, thread, place)) return false;
    }
  }
  return true;
}

template <bool Write>
__attribute__((always_inline)) inline bool check_word(Word& w, Stamp me, unsigned thread, PlaceNumber place) {
  if (__builtin_expect(w.write == Shadow::kSplit, 0)) return check_bytes<Write>(w, 0, 4, me, thread, place);
  uint32_t states = w.states();
  if constexpr (Write) {
    if (__builtin_expect((states & kWriteCares) != kWritable, 0)) return false;
    if (!write_cell(w, me, thread, place)) return false;
    w.set_states(states | every_byte(kInitialised));
    return true;
  } else {
    if (__builtin_expect((states & kReadCares) != kReadable, 0)) return false;
    return read_cell(w, me, thread, place);
  }
}

template <bool Write, unsigned Size>
__attribute__((always_inline)) inline void check_access(const char* p, const void* code) {
  if (__builtin_expect(!shadow.contains(p), 0)) return check_outside(p, Size, Write, places.of_code(code));
  if (__builtin_expect(!current, 0)) return;
  unsigned thread = current->linear;
  Stamp me = order.now[thread];
  PlaceNumber place = places.of_code(code);
  Word* w = shadow.word(p);
  unsigned in_word = (size_t)p & 3;
  bool usual;
  if constexpr (Size < 4) {
    usual = in_word + Size <= 4 && check_bytes<Write>(*w, in_word, Size, me, thread, place);
  } else {
    usual = in_word == 0 && check_word<Write>(*w, me, thread, place);
    for (unsigned i = 1; i < Size / 4; i++) {
      // The words of a vector mostly have one history; a read that changed nothing in the first changes none.
      bool same = !Write && w[i].read[0] == w->read[0] && w[i].read[1] == w->read[1] && w[i].write == w->write &&
                  w[i].write != Shadow::kSplit && w[i].states() == w->states();
      usual = usual && (same || check_word<Write>(w[i], me, thread, place));
    }
  }
  if (__builtin_expect(!usual, 0)) check_unusual({p, Size, Write, !Write, 0, place, me, thread});
}

// ---- the unusual way -------------------------------------------------------------------------------------------
inline size_t report_access(Kind kind, const Access& a, const char* p, std::string message, OtherParty other = {},
                            bool mild = false, bool within_warp = false) {
  Element element = find_element(p);
  return worker->launch->report->add({kind, std::move(message), with_callers(places.place(a.place)),
                                      name_of(worker, current), element, std::move(other), mild, within_warp});
}

inline std::string size_and_verb(const Access& a) {
  return format("%s %u byte%s", a.read && a.write ? "an atomic operation on" : a.write ? "a write of" : "a read of", a.size,
                a.size == 1 ? "" : "s");
}

// Threads that have read outside of an array, by their block: what they do then follows from a value that means nothing.
inline std::set<std::pair<unsigned, unsigned>> astray;
inline void goes_astray() { astray.insert({order.block_number(order.now[current->linear]), current->linear}); }
inline bool is_astray(Stamp s) { return !astray.empty() && astray.count({order.block_number(s), thread_of(s)}); }

// Two plain writes that are not ordered, of which the second is about to happen: whether both write the same value shows
// when it has.
struct Written {
  size_t number = ~size_t(0);  // of the entry in the report
  const char* p;
  unsigned size;
  char before[16];
};
inline Written written;
inline void compare_written() {
  if (written.number == ~size_t(0)) return;
  if (memcmp(written.p, written.before, written.size)) worker->launch->report->aggravate(written.number);
  written.number = ~size_t(0);
}

// Plain reads that begin a loop of compare-and-swaps, which finds out whether the value has changed since: that another
// thread's atomic operation is not ordered with them harms nothing.
inline std::set<PlaceNumber> guesses;
__attribute__((noinline)) void check_compared(const void* address, const void* value, size_t size) {
  const char* p = (const char*)address;
  if (!current || (size_t)p % size || !shadow.contains(p) || memcmp(p, value, size)) return;
  Word& w = *shadow.word(p);
  Cell& cell = w.write == Shadow::kSplit ? shadow.cells_of(w)[(size_t)p & 3] : (Cell&)w;
  for (int i = 0; i < 2; i++) {
    Stamp s = cell.read[i];
    bool own = s && !(s & (kAtomic | kWrote)) && thread_of(s) == current->linear && phase_of(s) == order.current_phase();
    if (own && guesses.insert(cell.read_place[i]).second)
      worker->launch->report->withdraw_reads(places.place(cell.read_place[i]));
  }
}

// Accesses to volatile variables are taken as atomic ones, and told as what they are.
inline std::set<PlaceNumber> volatile_places;
inline PlaceNumber last_volatile = 0;
inline void note_volatile(PlaceNumber place) {
  if (place != last_volatile) volatile_places.insert(last_volatile = place);
}
inline const char* name_of_access(bool atomic, bool write, PlaceNumber place) {
  if (!atomic) return write ? "write" : "read";
  if (!volatile_places.count(place)) return "atomic operation";
  return write ? "volatile write" : "volatile read";
}

inline void report_race(const Access& a, const char* p, Stamp other, PlaceNumber where, bool other_writes) {
  if (is_astray(a.stamp) || is_astray(other)) return;
  bool plain_read = !other_writes && !(other & (kAtomic | kWrote));
  if ((a.atomic && plain_read && guesses.count(where)) || (!a.write && !a.atomic && other & kAtomic && guesses.count(a.place)))
    return;
  bool wrote = other_writes || (other & kWrote && !(other & kAtomic));
  const char* action = name_of_access(other & kAtomic, wrote, where);
  const char* own = name_of_access(a.atomic, a.write, a.place);
  bool same_block = order.in_this_block(other), within_warp = same_block && same_warp(other, a.stamp);
  std::string message = format("a%s %s and another thread's %s%s are not ordered: %s", *own == 'a' ? "n" : "", own, action,
                               same_block ? "" : " in another block",
                               !same_block   ? "blocks run in any order"
                               : within_warp ? "no __syncwarp() lies between them"
                                             : "no barrier lies between them");
  bool both_write = a.write && !a.atomic && other_writes && !(other & kAtomic) && a.size <= sizeof written.before;
  size_t number = report_access(Kind::Race, a, p, message, {action, places.place(where), thread_of_stamp(other)},
                                both_write, within_warp);
  if (!both_write) return;
  written = {number, a.p, a.size, {}};
  memcpy(written.before, a.p, a.size);
}

inline bool conflict(Stamp other, const Access& a, bool other_writes = false) {
  if (order.ordered(other, a.thread)) return false;
  if (other & kAtomic && a.atomic) {
    if (a.flag && (same_warp(other, a.stamp) || (a.write && other_writes))) return true;
    return (other | a.atomic) & kBlockScope && !order.in_this_block(other);
  }
  return !order.ordered_by_fences(other, a.thread);
}

inline void check_cell(Cell& cell, const Access& a, const char* p) {
  Stamp me = a.stamp | a.atomic;
  if (conflict(cell.write, a, true)) {
    report_race(a, p, cell.write, cell.write_place, true);
  } else if (a.write) {
    for (int i = 0; i < 2; i++)
      if (conflict(cell.read[i], a)) {
        report_race(a, p, cell.read[i], cell.read_place[i], false);
        break;
      }
  }
  if (a.write) {
    // A thread's plain write before its atomic operation is still to be ordered with the atomics of others.
    auto own_plain = [&](Stamp s) {
      return a.atomic && s && !(s & kAtomic) && thread_of(s) == a.thread && phase_of(s) == phase_of(me);
    };
    if (own_plain(cell.write))
      cell = {me, {cell.write | kWrote, 0}, a.place, {cell.write_place, 0}};
    else if (cell.read[0] & kWrote && own_plain(cell.read[0]))
      cell = {me, {cell.read[0], 0}, a.place, {cell.read_place[0], 0}};
    else
      cell = {me, {0, 0}, a.place, {0, 0}};
  } else {
    int slot = !conflict(cell.read[0], a) ? 0 : 1;
    cell.read[slot] = me;
    cell.read_place[slot] = a.place;
  }
}

void report_copy_conflict(const Access& a, const char* p);
bool report_source_conflict(const Access& a, const char* p);

// The array, or the dynamic shared memory, whose size the launch decides.
inline std::string what_was_meant(const char* p) {
  bool dynamic = is_shared(p) && dynamic_name && !strcmp(find_element(p).name, dynamic_name);
  if (!dynamic) return "the array";
  return format("the dynamic shared memory, of which the launch gives %zu bytes (shared_mem; --shared of the command)",
                worker->launch->dynamic_shared);
}

__attribute__((noinline)) inline void report_outside_of_array(const Access& a, const char* p) {
  report_access(Kind::OutOfBounds, a, p, format("%s outside %s", size_and_verb(a).c_str(), what_was_meant(p).c_str()));
}
__attribute__((noinline)) inline void report_unwritten_read(const Access& a, const char* p) {
  report_access(Kind::Uninitialised, a, p, format("%s, which nothing has written", size_and_verb(a).c_str()));
}

// Every byte by itself, whatever its word is like.
inline void check_byte(const Access& a, const char* p, bool& outside, bool& unwritten, bool& pending) {
  uint8_t& state = shadow.state(p);
  if (!(state & kAllocated)) {
    if (!outside) report_outside_of_array(a, p);
    outside = true;
    return;
  }
  if (state & kPending) {
    if (!pending) report_copy_conflict(a, p);
    pending = true;
    return;
  }
  if (!(state & kInitialised) && a.read) {
    if (!unwritten) report_unwritten_read(a, p);
    unwritten = true;
    state |= kInitialised;  // told once
  }
  if (a.write && state & kSource && !report_source_conflict(a, p)) state &= ~kSource;
  if (a.write) state |= kInitialised;
}

// What is read outside of every array is zero, whatever was written there: so a launch does the same every time.
inline void give_zeros(const char* p, size_t size) {
  for (const char* byte = p; byte < p + size && shadow.contains(byte); byte++)
    if (!(shadow.state(byte) & kAllocated)) *(char*)byte = 0;
  goes_astray();
}

void check_unusual(const Access& a) {
  compare_written();
  bool outside = false, unwritten = false, pending = false;
  for (unsigned i = 0; i < a.size; i++) {
    const char* p = a.p + i;
    if (!shadow.contains(p)) return check_outside(p, a.size, a.write, a.place);
    check_byte(a, p, outside, unwritten, pending);
    if (outside && a.read) give_zeros(a.p, a.size);
    if (outside || pending) return;
  }
  for (unsigned i = 0; i < a.size;) {
    const char* p = a.p + i;
    Word& w = *shadow.word(p);
    if (((size_t)p & 3) == 0 && a.size - i >= 4 && w.write != Shadow::kSplit) {
      check_cell((Cell&)w, a, p);
      i += 4;
    } else {
      check_cell(shadow.split(w)[(size_t)p & 3], a, p);
      i++;
    }
  }
}

void report_index(long index, const char* array, const void* code) {
  if (!current) return;
  std::string message = format("the index %ld into an array of type %s", index, array);
  Place place = with_callers({{nullptr, 0}, code});
  worker->launch->report->add({Kind::OutOfBounds, message, place, name_of(worker, current), {}, {}});
  worker->launch->failed = true;
}

void index_overflows(long long index, Site site) {
  if (!current) return;
  std::string message = format("an index of %lld is more than an int holds: it wraps around", index);
  worker->launch->report->add({Kind::Overflow, message, {site}, name_of(worker, current), {}, {}});
}

void report_overflow(const std::string& message, const void* code) {
  if (!current) return;
  worker->launch->report->add({Kind::Overflow, message, with_callers({{nullptr, 0}, code}), name_of(worker, current), {}, {}});
}

constexpr unsigned kVolatilesBeforeYield = 1024;

void report_misaligned(const char* p, unsigned alignment, const void* code) {
  if (!current) return;
  Access a = {p, 1, false, true, 0, places.of_code(code), 0, 0};
  report_access(Kind::Misaligned, a, p,
                format("an access that needs an address that is a multiple of %u", alignment));
}

inline Access access_of_running(const void* p, size_t size, bool write, bool read, Stamp atomic,
                                PlaceNumber place) {
  unsigned thread = current->linear;
  return {(const char*)p, (unsigned)size, write, read, atomic, place, order.now[thread], thread};
}

// Any number of bytes.
template <bool Write>
inline void check_range(const char* p, size_t size, PlaceNumber place) {
  if (!current || !size) return;
  if (!shadow.contains(p)) return check_outside(p, size, Write, place);
  unsigned thread = current->linear;
  for (const char* end = p + size; p < end;) {
    unsigned piece = 4 - ((size_t)p & 3);
    if (piece > size_t(end - p)) piece = unsigned(end - p);
    Stamp me = order.now[thread];
    if (piece < 4 || !check_word<Write>(*shadow.word(p), me, thread, place))
      check_unusual({p, piece, Write, !Write, 0, place, me, thread});
    p += piece;
  }
}

void check_read(const void* p, size_t size, Site site) {
  check_range<false>((const char*)p, size, places.of_site(site));
}
void check_write(const void* p, size_t size, Site site) {
  check_range<true>((const char*)p, size, places.of_site(site));
}

inline PlaceNumber last_atomic = 0;  // where a loop that waits for another thread is, should it never end

inline void check_atomic_at(const void* p, size_t size, bool write, bool read, Stamp atomic, PlaceNumber place,
                            bool flag = false) {
  if (!current) return;
  last_atomic = place;
  if (!shadow.contains(p)) return check_outside((const char*)p, size, write, place);
  Access access = access_of_running(p, size, write, read, atomic, place);
  access.flag = flag;
  check_unusual(access);
  order.atomic(current->linear, p, write);
}
__attribute__((noinline)) void check_atomic(const void* p, size_t size, Scope scope, Site site, Atomic kind) {
  PlaceNumber place = site.file ? places.of_site(site) : places.of_code(__builtin_return_address(0));
  check_atomic_at(p, size, kind != Atomic::Load, kind != Atomic::Store,
                  scope == Scope::Block ? kAtomic | kBlockScope : kAtomic, place);
}

void check_absent_lane(unsigned lane, unsigned participants, const char* operation, Site site) {
  Site asked = lanes_asked[current->linear];
  if (lanes_apart && asked.file && participants == 1u << current->lane) {
    std::string message = format("%s reads from lanes that __activemask() need not name: it says who is active at this "
                                 "moment, not who is to take part", operation);
    return (void)worker->launch->report->add({Kind::Mask, message, {asked}, name_of(worker, current), {},
                                              {operation, {site}, name_of(worker, current)}});
  }
  std::string message = format("%s reads from lane %u, which takes no part in it: the value is undefined", operation,
                               lane);
  worker->launch->report->add({Kind::Mask, message, {site}, name_of(worker, current), {}, {}});
}

}  // namespace gpunet_sim
