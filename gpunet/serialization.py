"""Tensors in files: the safetensors format, which holds names, types, shapes and bytes, and cannot run code."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gpunet import devices, dtypes
from gpunet.dispatch import host_read, wrap
from gpunet.tensor import Tensor

# The format's names of the types.
_NAMES = {"bool": "BOOL", "uint8": "U8", "int8": "I8", "int16": "I16", "int32": "I32", "int64": "I64", "uint16": "U16",
          "uint32": "U32", "uint64": "U64", "float16": "F16", "bfloat16": "BF16", "float32": "F32", "float64": "F64"}
_TYPES = {file: dtypes._BY_NAME[name].numpy for name, file in _NAMES.items()}


def save_file(tensors: Mapping[str, Tensor | np.ndarray], path: str | os.PathLike,
              metadata: Mapping[str, str] | None = None) -> None:
    """Writes named tensors (NumPy arrays will do too) to a .safetensors file.

    The file is written beside its place and then renamed: nobody ever sees half of it. Tensors that share memory are
    written once each. metadata: texts by name, kept in the file's header. Raises TypeError for what is no tensor.
    """
    from safetensors.numpy import save_file as write

    for key, value in (metadata or {}).items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise TypeError(f"save_file: metadata must map strings to strings, got {key!r}: {value!r}")
    arrays = {name: _plain_array(name, value) for name, value in tensors.items()}
    path = Path(path)
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        write(arrays, beside, metadata=dict(metadata) if metadata else None)
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def _plain_array(name, value) -> np.ndarray:
    """The values in the host's memory as the file wants them: row-major, without gaps, little-endian."""
    if not isinstance(name, str):
        raise TypeError(f"save_file: names must be strings, got {name!r}")
    if isinstance(value, Tensor):
        value = host_read(value, "save_file()")
    elif not isinstance(value, np.ndarray):
        raise TypeError(f"save_file: {name!r} must be a tensor or a NumPy array, got {type(value).__name__}")
    if value.dtype.newbyteorder("=").name not in _NAMES:
        raise TypeError(f"save_file: {name!r} is of type {value.dtype}; there are {', '.join(_NAMES)}")
    return np.require(value, value.dtype.newbyteorder("<"), "C")


def load_file(path: str | os.PathLike, device: Any = "cpu") -> dict[str, Tensor]:
    """Reads the tensors of a .safetensors file, by name, onto a device.

    Raises FileNotFoundError, or ValueError for a file that is damaged or of another kind.
    """
    import safetensors

    device = devices.get(device)
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"load_file: there is no file {path}")
    try:
        entries = safetensors.deserialize(path.read_bytes())
    except safetensors.SafetensorError as error:
        raise ValueError(f"load_file: {path} is damaged or not a safetensors file: {error}") from None
    tensors = {}
    for name, entry in entries:
        dtype = _TYPES.get(entry["dtype"])
        if dtype is None:
            raise ValueError(f"load_file: {name!r} in {path} is of type {entry['dtype']}, which gpunet does not have")
        array = np.frombuffer(entry["data"], dtype.newbyteorder("<")).reshape(entry["shape"])
        tensors[name] = wrap(device.from_host(np.require(array, dtype, "CW")), device)
    return tensors
