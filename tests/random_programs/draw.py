"""What a program is drawn from: sizes, choices, and operands that are views of a larger array."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

# Small, since most mistakes show at sizes below 5; 1 is frequent, since a dimension of one has a stride of its own; the
# largest exceed a vector register and a tile.
SIZES = {1: 0.24, 2: 0.12, 3: 0.12, 4: 0.1, 5: 0.1, 7: 0.08, 8: 0.08, 9: 0.06, 16: 0.04, 17: 0.04, 33: 0.02}
KINDS = {
    "normal": lambda rng, shape: rng.standard_normal(shape),
    "positive": lambda rng, shape: rng.random(shape) + 0.1,
}


@dataclass(frozen=True)
class Operand:
    """One tensor of a program: a leaf with the values `base`, and the view of it that the program computes with."""

    base: np.ndarray
    cuts: tuple[slice, ...]  # for each dimension of the base: all, some neighbours, or every second element
    order: tuple[int, ...]  # the permutation of the dimensions after that
    shape: tuple[int, ...]  # to which sizes of 1 are expanded in the end

    def view(self, leaf):
        """The view, of a tensor of either library; the leaf itself where nothing is to do."""
        if any(cut != slice(None) for cut in self.cuts):
            leaf = leaf[self.cuts]
        if self.order != tuple(range(len(self.order))):
            leaf = leaf.permute(*self.order)
        return leaf if tuple(leaf.shape) == self.shape else leaf.expand(self.shape)

    def __str__(self):
        text = str(self.shape)
        if self.base[self.cuts].size != prod(self.shape):
            text += " expanded"
        if any(cut != slice(None) for cut in self.cuts):
            cuts = ", ".join(":".join("" if n is None else str(n) for n in (c.start, c.stop, c.step)).removesuffix(":")
                             or ":" for c in self.cuts)
            text += f" from {self.base.shape}[{cuts}]"
        return text + (f" permuted {self.order}" if self.order != tuple(range(len(self.order))) else "")


class Draw:
    """Random choices, the same for a family and a seed on every machine."""

    def __init__(self, *seed: int):
        self.rng = np.random.default_rng(seed)

    def integer(self, low: int, high: int) -> int:
        """An integer from `low` to `high`, both included."""
        return int(self.rng.integers(low, high, endpoint=True))

    def integers(self, count: int, low: int, high: int) -> tuple[int, ...]:
        return tuple(self.integer(low, high) for _ in range(count))

    def chance(self, probability: float = 0.5) -> bool:
        return bool(self.rng.random() < probability)

    def pick(self, *choices):
        return choices[self.integer(0, len(choices) - 1)]

    def size(self) -> int:
        return int(self.rng.choice(list(SIZES), p=list(SIZES.values())))

    def shape(self, rank: int) -> tuple[int, ...]:
        return tuple(self.size() for _ in range(rank))

    def dim(self, rank: int) -> int:
        """A dimension, counted from the front or from the back."""
        return self.integer(-rank, rank - 1)

    def dims(self, rank: int) -> list[int]:
        """Some of the dimensions, at least one."""
        return sorted({self.integer(0, rank - 1) for _ in range(self.integer(1, rank))})

    def broadcastable(self, shape: Sequence[int]) -> tuple[int, ...]:
        """The shape, with 1 in place of some sizes."""
        return tuple(1 if self.chance(0.3) else n for n in shape)

    def array(self, shape, kind: str = "normal", factor: float = 1.0) -> np.ndarray:
        return np.asarray(KINDS[kind](self.rng, shape) * factor, np.float32)

    def indices(self, below: int, shape) -> np.ndarray:
        return np.asarray(self.rng.integers(0, below, shape))

    def mask(self, shape, share: float = 0.5) -> np.ndarray:
        return np.asarray(self.rng.random(shape) < share)

    def operand(self, shape: Sequence[int], kind: str = "normal", *, distinct: bool = False) -> Operand:
        """An operand of that shape, whose memory is permuted, cut and stepped at random, and, unless all values are to
        be distinct, now and then expanded."""
        memory = list(range(len(shape)))  # dimension k of the base is dimension memory[k] of the view
        if self.chance(0.35):
            self.rng.shuffle(memory)
        lengths = [1 if not distinct and self.chance(0.06) else shape[d] for d in memory]
        sizes, cuts = zip(*map(self._cut, lengths), strict=True) if memory else ((), ())
        return Operand(self.array(sizes, kind), cuts, tuple(memory.index(d) for d in range(len(shape))), tuple(shape))

    def whole(self, shape: Sequence[int], factor: float = 1.0) -> Operand:
        """A contiguous operand."""
        return Operand(self.array(shape, factor=factor), (slice(None),) * len(shape), tuple(range(len(shape))),
                       tuple(shape))

    def _cut(self, size: int) -> tuple[int, slice]:
        """(size of the base, the cut that leaves `size` of it)."""
        form = self.rng.random()
        if form < 0.6:
            return size, slice(None)
        if form < 0.8:
            before, behind = self.integers(2, 0, 2)
            return before + size + behind, slice(before, before + size)
        return 2 * size, slice(self.integer(0, 1), None, 2)
