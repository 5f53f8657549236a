"""Errors that a kernel can find only while it runs, in words.

A kernel notes four integers in device memory (code, row, value, limit; see record_error in kernels/common.cuh); the
device object raises them at its next synchronisation. The same checks on the CPU raise the same words at once.
"""

from __future__ import annotations


def class_out_of_range(row: int, value: int, classes: int) -> IndexError:
    """A class index that is no class: the row of the batch, the index, the number of classes."""
    return IndexError(f"cross_entropy: the target of row {row} is {value}, but there are {classes} classes: targets "
                      f"must be from 0 to {classes - 1}, or ignore_index")


def index_out_of_range(position: int, value: int, size: int) -> IndexError:
    """An index that points outside its dimension: its place among the indices, its value, the dimension's size."""
    return OutOfRange(f"index {value} (element {position} of the indices) is out of range for a dimension of size "
                      f"{size}")


class OutOfRange(IndexError, RuntimeError):
    """PyTorch's indexing raises IndexError, its gather and scatter RuntimeError: this is both."""


_BY_CODE = {1: class_out_of_range, 2: index_out_of_range}


def device_error(code: int, row: int, value: int, limit: int) -> Exception:
    """The exception for an error record."""
    return _BY_CODE[code](row, value, limit)
