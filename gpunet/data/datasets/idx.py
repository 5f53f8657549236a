"""IDX files: the format MNIST comes in.

Two zero bytes, a byte for the dtype, a byte for the number of dimensions, each dimension as a big-endian 32-bit
integer, then the values in C order, big-endian. Source: https://yann.lecun.com/exdb/mnist/.
"""

from __future__ import annotations

import gzip
import os
import zlib
from math import prod
from os import PathLike
from pathlib import Path
from typing import IO

import numpy as np

_DTYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


class DatasetError(RuntimeError):
    """A dataset's file is missing or damaged. The message names the file and the remedy.

    Examples:
        >>> issubclass(datasets.DatasetError, RuntimeError)
        True
    """


_MOST_OF_GZIP = 1032  # bytes that a byte of gzip may stand for
_MOST_UNPACKED = 4 * 2**30  # bytes; MNIST has 47 million, and the largest sets of its kind have 640 million


def read_idx(path: str | PathLike[str]) -> np.ndarray:
    """Reads an IDX file, plain or compressed by gzip.

    The header is read first, and nothing beyond what it announces is read or decompressed.

    Args:
        path: the file.

    Returns:
        A NumPy array in this machine's byte order.

    Raises:
        DatasetError: the file is missing, is not an IDX file, or holds more or fewer values than its header says.

    Examples:
        >>> import pathlib, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder, "three")
        ...     size = path.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 3, 5, 6, 7]))
        ...     datasets.read_idx(path)
        array([5, 6, 7], dtype=uint8)
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            packed = file.read(2) == b"\x1f\x8b"  # by content, not by name: browsers unpack .gz files and keep the name
            file.seek(0)
            if not packed:
                return _read(path, file, size, False)
            with gzip.GzipFile(fileobj=file) as unpacked:
                return _read(path, unpacked, size, True)
    except FileNotFoundError:
        raise DatasetError(f"{path} does not exist.") from None
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DatasetError(f"{path} is a damaged gzip file: {str(error).rstrip('.')}.") from error
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror or error}.") from error


def _read(path: Path, file: IO[bytes] | gzip.GzipFile, size: int, packed: bool) -> np.ndarray:
    """The array of an open file, of `size` bytes as it is on disk."""
    start = file.read(4)
    if len(start) < 4 or start[:2] != b"\0\0" or start[2] not in _DTYPES:
        raise DatasetError(f"{path} is not an IDX file: it starts with the bytes {start.hex(' ') or '(none)'}.")
    dtype, rank = np.dtype(_DTYPES[start[2]]), start[3]
    header = file.read(4 * rank)
    if len(header) < 4 * rank:
        raise DatasetError(f"{path} is cut off within its header: {4 + len(header)} bytes of {4 + 4 * rank}.")
    shape = tuple(map(int, np.frombuffer(header, ">u4")))
    expected = prod(shape) * dtype.itemsize
    says = f"and its header {shape if rank <= 8 else f'of {rank} dimensions'} says {expected}"
    if not packed:
        found = size - 4 - 4 * rank
        content = file.read(expected) if found == expected else b""
    elif expected > _MOST_OF_GZIP * size:
        raise DatasetError(f"{path} is cut off: {size} bytes of gzip, {says} bytes of values.")
    elif expected > _MOST_UNPACKED:
        raise DatasetError(f"{path} announces {expected:,} bytes of values, more than are unpacked in memory: unpack "
                           "it by gunzip first.")
    else:
        content = file.read(expected + 1)  # one more than announced, so that the end and its checksum are met
        found = len(content)
    if found < expected:
        raise DatasetError(f"{path} is cut off: {found} bytes of values, {says}.")
    if found > expected:
        raise DatasetError(f"{path} has bytes too many: {'more' if packed else found} bytes of values, {says}.")
    if rank > 64 or prod(each or 1 for each in shape) >= 2**60:  # more than NumPy's arrays allow, though one size is 0
        raise DatasetError(f"{path} has {rank} dimensions of sizes up to {max(shape)}, which no array has.")
    return np.frombuffer(content, dtype).reshape(shape).astype(dtype.newbyteorder("="))
