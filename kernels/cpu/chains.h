// Chains of captured calls of element-wise kernels: neighbours in a recording whose arrays have one size are carried out
// together, a piece of all arrays after the other, so that what a call writes is still in the cache when the next one
// reads it. An array that nobody sees outside of its chain is never written: its pieces lie in the thread's own buffer.
// Each element is computed as by itself, so the results have the same bits.
//
// A matrix product in front of them, whose result the first one reads, is carried out with them by blocks of rows.
#pragma once
#include "args.h"

namespace gpunet::cpu {

using Entry = void (*)(const Arg*);

constexpr int64_t LINK_PIECE = 4096;  // elements: a few arrays' pieces fit into a core's second cache
constexpr int MOST_ARGS = 8;
constexpr int OF_PRODUCT = -2;  // the slot of a product's result, which nobody sees outside of the chain

inline int64_t elements(const Array& x) {
  int64_t product = 1;
  for (int64_t d = 0; d < x.ndim; d++) product *= x.shape[d];
  return product;
}

inline bool is_contiguous(const Array& x) {
  int64_t step = x.itemsize;
  for (int64_t d = x.ndim - 1; d >= 0; d--) {
    if (x.shape[d] != 1 && x.strides[d] != step) return false;
    step *= x.shape[d];
  }
  return true;
}

// A call of a kernel that computes each element of its first array from the elements at the same place in the others.
struct Link {
  Entry entry;
  int args, arrays;
  Arg arg[MOST_ARGS];        // of an array or number: its place in `array`
  bool described[MOST_ARGS];
  Array array[MOST_ARGS];
  bool number[MOST_ARGS];    // no array
  bool whole[MOST_ARGS];     // not one element, nor a number, for all
  int slot[MOST_ARGS];       // of the thread's buffer, in pieces; -1 where the array itself is meant; OF_PRODUCT
  int64_t size;

  // False if the call cannot be a part of a chain.
  bool read(Entry function, const Arg* given, int count, const Array* first, int described_arrays) {
    if (count > MOST_ARGS || described_arrays == 0) return false;
    entry = function;
    args = count;
    arrays = described_arrays;
    for (int i = 0; i < count; i++) {
      const Array* own = static_cast<const Array*>(given[i].p);
      described[i] = own >= first && own < first + arrays;
      arg[i] = given[i];
      if (described[i]) arg[i].i = own - first;
    }
    size = elements(first[0]);
    for (int i = 0; i < arrays; i++) {
      array[i] = first[i];
      slot[i] = -1;
      number[i] = first[i].data == &first[i].number;
      const int64_t own = elements(first[i]);
      whole[i] = !number[i] && own == size && is_contiguous(first[i]);
      if (!whole[i] && own != 1) return false;
    }
    return whole[0] && size >= 2 * LINK_PIECE;
  }

  // product: where the product's result would begin if it were all there.
  void run(int64_t begin, int64_t end, float* buffer, float* product) const {
    Arg own[MOST_ARGS];
    Array piece[MOST_ARGS];
    const int64_t count = end - begin;
    for (int i = 0; i < arrays; i++) {
      piece[i] = array[i];
      if (number[i]) piece[i].data = &piece[i].number;
      if (!whole[i]) continue;
      piece[i].data = slot[i] == OF_PRODUCT ? static_cast<void*>(product + begin)
                      : slot[i] < 0         ? static_cast<char*>(array[i].data) + begin * array[i].itemsize
                                            : static_cast<void*>(buffer + slot[i] * LINK_PIECE);
      piece[i].ndim = 1;
      piece[i].shape = &count;
      piece[i].strides = &array[i].itemsize;
    }
    for (int i = 0; i < args; i++) {
      own[i] = arg[i];
      if (described[i]) own[i].p = piece + arg[i].i;
    }
    entry(own);
  }

  // How many of this call's arrays share memory with a whole one.
  int touching(const Array& other) const {
    const char* begin = static_cast<const char*>(other.data);
    const char* end = begin + other.itemsize * size;
    int count = 0;
    for (int i = 0; i < arrays; i++) {
      const char* from = static_cast<const char*>(array[i].data);
      count += !number[i] && from < end && begin < from + array[i].itemsize * (whole[i] ? size : 1);
    }
    return count;
  }

  // Whether the order of this call and of an earlier one matters beyond single elements.
  bool depends(const Link& earlier) const {
    for (int i = 0; i < arrays; i++)
      if (overlap(i, earlier, 0)) return true;
    for (int i = 0; i < earlier.arrays; i++)
      if (overlap(0, earlier, i)) return true;
    return false;
  }

 private:
  // Whether two arrays share memory otherwise than element by element.
  bool overlap(int mine, const Link& other, int theirs) const {
    const Array &a = array[mine], &b = other.array[theirs];
    if (number[mine] || other.number[theirs]) return false;
    const char *from = static_cast<const char*>(a.data), *there = static_cast<const char*>(b.data);
    const char* to = from + a.itemsize * (whole[mine] ? size : 1);
    const char* end = there + b.itemsize * (other.whole[theirs] ? other.size : 1);
    if (from >= end || there >= to) return false;
    return from != there || a.itemsize != b.itemsize || whole[mine] != other.whole[theirs];
  }
};

// A call of `matmul` (matmul.cpp) in front of a chain: out [..., m, n] = act(a [..., m, k] B + bias), of which a block of
// rows stays in the second cache until the links have read it.
struct Product {
  static constexpr int ARGS = 7;  // out, a, b, bias, ta, tb, act
  static constexpr int64_t LEAST = 64, NEAR = 1 << 17;  // rows; floats of a block
  Entry entry = nullptr;
  Arg arg[ARGS];
  Array out, left;
  int64_t rows, columns, depth;
  bool hidden = false;

  // False if the call cannot be carried out by rows.
  bool read(Entry function, const Arg* given) {
    out = array(given[0]);
    left = array(given[1]);
    const Array& right = array(given[2]);
    if (given[4].i || out.itemsize != sizeof(float) || out.ndim < 2 || left.ndim != out.ndim || right.ndim != 2) return false;
    if (!is_contiguous(out) || !is_contiguous(left) || !is_contiguous(right)) return false;
    if (given[3].p && (array(given[3]).ndim != 1 || !is_contiguous(array(given[3])))) return false;
    columns = out.shape[out.ndim - 1];
    depth = left.shape[left.ndim - 1];
    if (columns < LEAST || depth < 1 || elements(out) < LEAST * columns) return false;
    rows = elements(out) / columns;
    entry = function;
    for (int i = 0; i < ARGS; i++) arg[i] = given[i];
    return true;
  }

  // How many rows at once, for so many threads. It changes no sum: the last block, too, has enough rows for tiles.
  int64_t block(int64_t threads) const {
    const int64_t near = NEAR / columns, fair = rows / (4 * threads), most = near < fair ? near : fair;
    int64_t some = most < 126 ? 126 : most / 42 * 42;  // whole tiles, which have 14 or 6 rows
    while (rows % some && rows % some < 8) some += 42;
    return some;
  }

  void run(int64_t row, int64_t count, float* to) const {
    Arg own[ARGS];
    for (int i = 0; i < ARGS; i++) own[i] = arg[i];
    const int64_t shape[] = {count, columns}, steps[] = {columns * out.itemsize, out.itemsize};
    const int64_t left_shape[] = {count, depth}, left_steps[] = {depth * left.itemsize, left.itemsize};
    Array c = {to, 2, shape, steps, out.itemsize, out.type, 0};
    Array a = {static_cast<char*>(left.data) + row * left_steps[0], 2, left_shape, left_steps, left.itemsize, left.type, 0};
    own[0].p = &c;
    own[1].p = &a;
    entry(own);
  }

  // Whether a call reads all of the result as it is, or nothing of it, and writes nothing that the product reads.
  bool allows(const Link& link, bool first) const {
    bool reads = false;
    for (int i = 0; i < link.arrays; i++) {
      if (link.number[i] || !meet(out, link.array[i])) continue;
      if (i == 0 || !link.whole[i] || link.array[i].data != out.data || link.array[i].itemsize != out.itemsize) return false;
      reads = true;
    }
    for (int i = 1; i < 4; i++)
      if (arg[i].p && meet(array(arg[i]), link.array[0])) return false;
    return link.size == rows * columns && (reads || !first);
  }

 private:
  static bool meet(const Array& a, const Array& b) {
    const char *from = static_cast<const char*>(a.data), *there = static_cast<const char*>(b.data);
    return from < there + elements(b) * b.itemsize && there < from + elements(a) * a.itemsize;
  }
};

}  // namespace gpunet::cpu
