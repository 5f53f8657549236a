// Shadow memory: what the checker knows of every byte of the arena (device memory and shared memory).
//
// A Word is the shadow of four bytes, since most accesses are of whole words. Where threads use parts of a word, it is
// split: each byte then has a cell of its own, in a table beside.
#pragma once

namespace gpunet_sim {

// Who accessed, and when: the phase (see order.h), the thread in its block, the thread's clock, whether atomically.
// Zero: nobody.
using Stamp = uint64_t;
constexpr unsigned kClockBits = 20, kClockShift = 2, kThreadShift = kClockShift + kClockBits, kPhaseShift = 32;
constexpr uint32_t kMostClock = (1u << kClockBits) - 1;
constexpr Stamp kAtomic = 1;
constexpr Stamp kBlockScope = 2;  // with kAtomic: for threads of the block only
constexpr Stamp kWrote = 2;       // without, of a reader: it has also written, before an atomic operation of its own

inline Stamp make_stamp(uint32_t phase, unsigned thread, uint32_t clock) {
  return (Stamp)phase << kPhaseShift | (Stamp)thread << kThreadShift | (Stamp)clock << kClockShift;
}
inline uint32_t phase_of(Stamp s) { return uint32_t(s >> kPhaseShift); }
inline unsigned thread_of(Stamp s) { return unsigned(s >> kThreadShift) & (kMaxThreads - 1); }
inline uint32_t clock_of(Stamp s) { return uint32_t(s >> kClockShift) & kMostClock; }
inline bool same_warp(Stamp a, Stamp b) { return (a ^ b) >> (kThreadShift + 5) == 0; }

// Where an access stands in the code, in 32 bits: see places.h.
using PlaceNumber = uint32_t;

// The accesses that a new one may conflict with. Two readers are enough to find a race with nearly every later
// writer, when they are of different warps where possible.
struct Cell {
  Stamp write, read[2];
  PlaceNumber write_place, read_place[2];
};

enum State : uint8_t {
  kAllocated = 1,
  kInitialised = 2,
  kPending = 4,  // an asynchronous copy is writing it
  kSource = 8,   // an asynchronous copy may be reading it; removed late
};
constexpr uint32_t every_byte(uint8_t state) { return state * 0x01010101u; }

struct Word {
  Stamp write, read[2];
  PlaceNumber write_place, read_place[2];
  uint8_t state[4];

  uint32_t states() const {
    uint32_t all;
    memcpy(&all, state, 4);
    return all;
  }
  void set_states(uint32_t all) { memcpy(state, &all, 4); }
};
static_assert(sizeof(Word) == 40 && offsetof(Word, state) == 36 && offsetof(Cell, read_place) == offsetof(Word, read_place));

class Shadow {
 public:
  static constexpr Stamp kSplit = ~0ull;  // in `write`; the cells' number is in read[0]

  bool reserve_for(char* begin, size_t size) {
    begin_ = begin;
    size_ = size;
    words_ = (Word*)reserve(size / 4 * sizeof(Word));
    return words_;
  }
  bool is_own(const void* p) const { return size_t((const char*)p - (const char*)words_) < size_ / 4 * sizeof(Word); }
  bool contains(const void* p) const { return size_t((const char*)p - begin_) < size_; }
  Word* word(const void* p) const { return words_ + size_t((const char*)p - begin_) / 4; }
  uint8_t& state(const void* p) const { return word(p)->state[(size_t)p & 3]; }

  // Forget all accesses; the bytes from `p` on get this state. `p` is a multiple of 4.
  void reset(const char* p, size_t size, uint8_t state) {
    Word* whole = word(p) + size / 4;
    for (Word* w = word(p); w < whole; w++) {
      if (w->write == kSplit) free_.push_back(unsigned(w->read[0]));
      *w = {};
      w->set_states(every_byte(state));
    }
    if (size % 4) {
      if (whole->write == kSplit) free_.push_back(unsigned(whole->read[0]));
      *whole = {};
      for (size_t i = 0; i < size % 4; i++) whole->state[i] = state;
    }
  }

  Cell* split(Word& w) {
    if (w.write != kSplit) {
      Cell* cells = new_cells();
      for (int i = 0; i < 4; i++) memcpy(&cells[i], &w, sizeof(Cell));
      w.write = kSplit;
      w.read[0] = last_;
    }
    return cells_of(w);
  }
  Cell* cells_of(const Word& w) { return chunks_[w.read[0] / kChunk] + w.read[0] % kChunk * 4; }

 private:
  static constexpr unsigned kChunk = 4096;

  Cell* new_cells() {
    if (!free_.empty()) {
      last_ = free_.back();
      free_.pop_back();
    } else {
      last_ = used_++;
      if (last_ % kChunk == 0) chunks_.push_back(new Cell[kChunk * 4]);
    }
    return chunks_[last_ / kChunk] + last_ % kChunk * 4;
  }

  char* begin_ = nullptr;
  size_t size_ = 0;
  Word* words_ = nullptr;
  std::vector<Cell*> chunks_;
  std::vector<unsigned> free_;
  unsigned used_ = 0, last_ = 0;
};

inline Shadow shadow;

}  // namespace gpunet_sim
