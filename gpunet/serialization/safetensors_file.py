"""Tensors in files: the safetensors format, which holds names, types, shapes and bytes, and cannot run code."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gpunet import devices, dtypes, files
from gpunet.dispatch import host_read, wrap
from gpunet.serialization.memory import are_counts, is_shape
from gpunet.serialization.source import Refused, Source
from gpunet.tensor import Tensor

# The format's names of the types.
_NAMES = {"bool": "BOOL", "uint8": "U8", "int8": "I8", "int16": "I16", "int32": "I32", "int64": "I64", "uint16": "U16",
          "uint32": "U32", "uint64": "U64", "float16": "F16", "bfloat16": "BF16", "float32": "F32", "float64": "F64"}
_TYPES = {file: dtypes._BY_NAME[name].numpy for name, file in _NAMES.items()}

# Where the header's metadata has the digest of everything else: see _checksum.
CHECKSUM = "gpunet.sha256"

# Other files that people pass: how they begin, what they are, and what to do.
_OTHERS = (
    (rb"PK\x03\x04.{0,300}?/(data\.pkl|version|\.data)|\x80[\x02-\x05]", "a pickled PyTorch file; read it by "
     "gpunet.load"),
    (rb"PK\x03\x04.{0,300}?\.npy", "an archive of numpy.savez; load it by numpy.load, and save its arrays by "
     "gpunet.save_file"),
    (rb"\x93NUMPY", "an array of numpy.save; load it by numpy.load"),
    (rb"\x89HDF\r\n", "an HDF5 file, as Keras writes; read its arrays by h5py, and save them by gpunet.save_file"),
    (rb"version https://git-lfs", "Git LFS's pointer to one; get the file itself by `git lfs pull`"),
)


def save_file(tensors: Mapping[str, Tensor | np.ndarray], path: str | os.PathLike,
              metadata: Mapping[str, str] | None = None) -> None:
    """Writes named tensors to a .safetensors file, which `load_file` and the safetensors library read.

    The file is written under another name, flushed to the disk and then renamed, so it is always whole. Its metadata
    has a checksum, which `load_file` verifies. The same tensors and metadata give the same file. Tensors that share
    memory are written one by one.

    Args:
        tensors: tensors, on any device, or NumPy arrays, by name.
        path: the file; an existing one is replaced.
        metadata: texts by name, kept in the file's header.

    Raises:
        TypeError: a value is neither a tensor nor an array, or a name or text is not a string.
        OSError: the file cannot be written; an existing one is left as it is.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     gpunet.save_file({"x": gpunet.ones(2)}, f"{folder}/x.safetensors")
        ...     gpunet.load_file(f"{folder}/x.safetensors")
        {'x': tensor([1., 1.])}
    """
    metadata = dict(metadata or {})
    for key, value in metadata.items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise TypeError(f"save_file: metadata must map strings to strings, got {key!r}: {value!r}")
    arrays = {name: _plain_array(name, value) for name, value in tensors.items()}
    files.replace(Path(path), parts_of(arrays, metadata))


def parts_of(arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> list[Any]:
    """The content of a file, part by part: arrays that are row-major and little-endian, and texts."""
    entries, header, place, values = {}, {}, 0, []
    # The widest types first: so every array begins at a multiple of its type's size.
    for name in sorted(arrays, key=lambda name: (-arrays[name].dtype.itemsize, name)):
        array = arrays[name]
        kind, content = _NAMES[array.dtype.newbyteorder("=").name], array.reshape(-1).view(np.uint8)
        entries[name] = kind, array.shape, content
        header[name] = {"dtype": kind, "shape": array.shape, "data_offsets": [place, place + content.size]}
        place += content.size
        values.append(content)
    metadata = {**metadata, CHECKSUM: _checksum(entries, metadata)}
    text = json.dumps({"__metadata__": dict(sorted(metadata.items())), **header}, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return [len(text).to_bytes(8, "little"), text, *values]


def _checksum(entries: Mapping[str, tuple[str, tuple[int, ...], Any]], metadata: Mapping[str, str]) -> str:
    """The digest of a file's content: names, types, shapes and bytes of its tensors, and the other metadata."""
    names = sorted(entries)
    described = [[name, entries[name][0], [int(size) for size in entries[name][1]]] for name in names]
    others = sorted((key, value) for key, value in metadata.items() if key != CHECKSUM)
    return files.digest([json.dumps([described, others]).encode(), *(entries[name][2] for name in names)])


def _plain_array(name: Any, value: Any) -> np.ndarray:
    """The values in the host's memory as the file wants them: row-major, without gaps, little-endian."""
    if not isinstance(name, str):
        raise TypeError(f"save_file: names must be strings, got {name!r}")
    if name == "__metadata__":
        raise ValueError("save_file: the format reserves the name '__metadata__'; choose another")
    if isinstance(value, Tensor):
        value = host_read(value, "save_file()")
    elif not isinstance(value, np.ndarray):
        raise TypeError(f"save_file: {name!r} must be a tensor or a NumPy array, got {type(value).__name__}")
    if value.dtype.newbyteorder("=").name not in _NAMES:
        raise TypeError(f"save_file: {name!r} is of type {value.dtype}; there are {', '.join(_NAMES)}")
    return np.require(value, value.dtype.newbyteorder("<"), "C")


def load_file(path: str | os.PathLike, device: devices.DeviceLike = "cpu") -> dict[str, Tensor]:
    """Reads the tensors of a .safetensors file.

    Args:
        path: the file.
        device: where the tensors are placed.

    Returns:
        The tensors by name.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged (files that gpunet wrote have a checksum) or of another kind; the message says
            which.

    Examples:
        >>> gpunet.load_file("no such file")
        Traceback (most recent call last):
            ...
        FileNotFoundError: load_file: there is no file no such file
    """
    found = devices.get(device)
    return tensors_of(read_file(path)[0], found)


def tensors_of(arrays: Mapping[str, np.ndarray], device: devices.AnyDevice) -> dict[str, Tensor]:
    """Named arrays as tensors on a device."""
    return {name: wrap(device.from_host(array), device) for name, array in arrays.items()}


def read_file(path: str | os.PathLike, checked: bool = False) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The arrays of a .safetensors file and its metadata. Raises as `load_file` does.

    checked: a file without a checksum is refused too, because gpunet did not write it.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"load_file: there is no file {path}")
    with Source(path) as source:
        try:
            arrays, metadata = read_source(source)
        except Refused as error:
            what = other_kind(source)
            raise ValueError(f"load_file: {path} {f'is not a safetensors file but {what}' if what else error}"
                             ) from None
    if checked and CHECKSUM not in metadata:
        raise ValueError(f"load_file: {path} has no checksum: gpunet, or this version of it, did not write it")
    return arrays, metadata


class _Entry(NamedTuple):
    kind: str
    shape: tuple[int, ...]
    begin: int
    end: int


def read_source(source: Source) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """As `read_file`. Raises Refused. The values of a mapped file are not compared with its checksum."""
    try:
        entries, metadata, end = _header(source)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        if isinstance(error, Refused):
            raise
        raise Refused(f"is damaged or not a safetensors file: {error}") from None
    # Of a type that gpunet does not have, the bytes count for the checksum.
    contents = {name: source.array(entry.begin, entry.end - entry.begin,
                                   _TYPES[entry.kind].itemsize if entry.kind in _TYPES else 1)
                for name, entry in entries.items()}
    wanted = metadata.get(CHECKSUM)
    if wanted is not None and not source.mapped:
        found = _checksum({name: (*entry[:2], contents[name]) for name, entry in entries.items()}, metadata)
        if wanted != found:
            raise Refused("is damaged: its content does not match its checksum; use another copy")
    arrays = {name: _array(name, entry, contents[name]) for name, entry in entries.items()}
    source.leave(end)
    return arrays, metadata


def _header(source: Source) -> tuple[dict[str, _Entry], dict[str, str], int]:
    """What the file says of its tensors, with places in the file, its metadata, both in the right form; and its end."""
    if source.size < 8:
        raise ValueError("it is too short")
    size = int.from_bytes(source.read(0, 8), "little")
    if size > source.size - 8:
        raise ValueError("its header is longer than the file")
    header = json.loads(source.read(8, size).decode(), object_pairs_hook=_without_repetitions)
    if not isinstance(header, dict):
        raise ValueError("its header is not a dictionary")
    metadata = header.pop("__metadata__", None) or {}
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise ValueError("its metadata are not texts")
    entries = {name: _entry(name, entry, 8 + size) for name, entry in header.items()}
    place = 8 + size
    for name, entry in sorted(entries.items(), key=lambda each: each[1][2:]):
        if entry.begin != place:
            raise ValueError(f"{name!r} does not begin where the tensor before it ends")
        place = entry.end
    if place > source.size or place < source.size and source.whole:
        raise ValueError(f"it has {source.size} bytes, and its tensors end at {place}")
    return entries, metadata, place


def _entry(name: str, entry: dict[str, Any], start: int) -> _Entry:
    kind, shape, (begin, end) = entry["dtype"], tuple(entry["shape"]), entry["data_offsets"]
    if not isinstance(kind, str) or not is_shape(shape, 1) or not are_counts((begin, end)):
        raise ValueError(f"{name!r} has a type, shape or place that cannot be")
    if end < begin or kind in _TYPES and end - begin != math.prod(shape) * _TYPES[kind].itemsize:
        raise ValueError(f"{name!r} has {end - begin} bytes, which do not make {kind} of shape {shape}")
    return _Entry(kind, shape, start + begin, start + end)


def _without_repetitions(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("its header has a name twice")
    return found


def _array(name: str, entry: _Entry, content: np.ndarray) -> np.ndarray:
    dtype = _TYPES.get(entry.kind)
    if dtype is None:
        raise Refused(f"cannot be loaded: {name!r} is of type {entry.kind}, which gpunet does not have")
    if dtype == np.bool_ and (content > 1).any():
        raise Refused(f"is damaged: {name!r} is of type BOOL and has bytes other than 0 and 1")
    try:
        return np.require(content.view(dtype.newbyteorder("<")).reshape(entry.shape), dtype)
    except ValueError:  # more dimensions than NumPy has, or sizes too large beside a 0
        raise Refused(f"cannot be loaded: {name!r} has the shape {entry.shape}") from None


def other_kind(source: Source) -> str | None:
    """What a file is, and what to do with it, if it is of a kind that people mistake for this one."""
    begin = source.read(0, min(source.size, 400))
    return next((what for begins, what in _OTHERS if re.match(begins, begin, re.DOTALL)), None)
