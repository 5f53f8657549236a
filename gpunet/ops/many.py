"""Many tensors in one launch: the tables that kernels with `Table` parameters take (kernels/table.cuh)."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from gpunet.ops.launching import blocks_of

PIECE = 4096  # elements of a block, as in table.cuh
_PARAMETER_BYTES = 4096  # of all parameters, with any driver
_ROOM = 256  # for a kernel's other parameters


class Table(NamedTuple):
    """record: the parameter. most: the template argument. pieces: blocks of the launch. begin, end: which tensors."""

    record: np.ndarray
    most: int
    pieces: int
    begin: int
    end: int


@functools.cache
def sizes(rows: int) -> tuple[int, int]:
    """The most tensors of a small table, which every driver takes, and of a large one."""
    each = 8 * rows + 12
    return (_PARAMETER_BYTES - _ROOM) // each // 8 * 8, (32764 - _ROOM) // each // 8 * 8


@functools.cache
def _layout(rows: int, most: int) -> np.dtype:
    return np.dtype([("pointer", "u8", (rows, most)), ("size", "i8", most), ("first", "u4", most), ("count", "i4"),
                     ("unused", "i4")])


def tables(cuda: Any, *rows: Sequence[Any], large: bool = True) -> Iterator[Table]:
    """Tables for tensors, of which the r-th row has the r-th array each, or None. The first row tells their sizes.

    As many launches as the device's limit for parameters asks for: one for up to some hundred tensors. large: whether
    the kernel has an instance for large tables.
    """
    small, all_of_it = sizes(len(rows))
    each = all_of_it if large and cuda.parameter_bytes > _PARAMETER_BYTES else small
    for begin in range(0, len(rows[0]), each):
        end = min(begin + each, len(rows[0]))
        most = small if end - begin <= small else all_of_it
        pieces, first = 0, []
        lengths = [array.size for array in rows[0][begin:end]]
        for length in lengths:
            first.append(pieces)
            pieces += blocks_of(length, PIECE)
        record = record_of([arrays[begin:end] for arrays in rows], lengths, first, most)
        yield Table(record, most, pieces, begin, end)


def record_of(rows: Sequence[Sequence[Any]], lengths: list[int], first: list[int], most: int) -> np.ndarray:
    """A table's content: arrays (or None), and what `size` and `first` have of each tensor."""
    record, count = np.zeros((), _layout(len(rows), most)), len(lengths)
    pointer = record["pointer"]
    for row, arrays in enumerate(rows):
        pointer[row, :count] = [0 if array is None else array.data.ptr for array in arrays]
    record["size"][:count], record["first"][:count], record["count"] = lengths, first, count
    return record
