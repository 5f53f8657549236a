"""Tensors in files: the safetensors format, which holds names, types, shapes and bytes, and cannot run code."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gpunet import devices, dtypes, files
from gpunet.dispatch import host_read, wrap
from gpunet.tensor import Tensor

__all__ = ["load_file", "save_file"]

# The format's names of the types.
_NAMES = {"bool": "BOOL", "uint8": "U8", "int8": "I8", "int16": "I16", "int32": "I32", "int64": "I64", "uint16": "U16",
          "uint32": "U32", "uint64": "U64", "float16": "F16", "bfloat16": "BF16", "float32": "F32", "float64": "F64"}
_TYPES = {file: dtypes._BY_NAME[name].numpy for name, file in _NAMES.items()}

# Where the header's metadata has the digest of everything else: see _checksum.
CHECKSUM = "gpunet.sha256"

# Other files that people pass: how they begin, what they are, and what to do.
_OTHERS = (
    (rb"PK\x03\x04.{0,300}?/data\.pkl|\x80[\x02-\x05]", "a pickled PyTorch file, which can run code when it is loaded; "
     "where PyTorch is installed, convert it by: {convert}"),
    (rb"PK\x03\x04.{0,300}?\.npy", "an archive of numpy.savez; load it by numpy.load, and save its arrays by "
     "gpunet.save_file"),
    (rb"\x93NUMPY", "an array of numpy.save; load it by numpy.load"),
    (rb"\x89HDF\r\n", "an HDF5 file, as Keras writes; read its arrays by h5py, and save them by gpunet.save_file"),
    (rb"version https://git-lfs", "Git LFS's pointer to one; get the file itself by `git lfs pull`"),
)
_CONVERT = ("import torch; from safetensors.torch import save_file; found = torch.load({old!r}, map_location='cpu', "
            "weights_only=True); save_file({{name: each.clone() for name, each in found.get('state_dict', found)."
            "items()}}, {new!r})")


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
    from safetensors.numpy import save

    metadata = dict(metadata or {})
    for key, value in metadata.items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise TypeError(f"save_file: metadata must map strings to strings, got {key!r}: {value!r}")
    arrays = {name: _plain_array(name, value) for name, value in tensors.items()}
    entries = {name: (_NAMES[a.dtype.newbyteorder("=").name], a.shape, a.reshape(-1).view(np.uint8))
               for name, a in arrays.items()}
    metadata[CHECKSUM] = _checksum(entries, metadata)
    content = save(arrays, metadata)
    header, values = _parts(content)
    header["__metadata__"] = dict(sorted(metadata.items()))  # the library has it in another order each time
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    files.replace(Path(path), [len(text).to_bytes(8, "little"), text, values])


def _checksum(entries: Mapping[str, tuple[str, tuple[int, ...], Any]], metadata: Mapping[str, str]) -> str:
    """The digest of a file's content: names, types, shapes and bytes of its tensors, and the other metadata."""
    names = sorted(entries)
    described = [[name, entries[name][0], [int(size) for size in entries[name][1]]] for name in names]
    others = sorted((key, value) for key, value in metadata.items() if key != CHECKSUM)
    return files.digest([json.dumps([described, others]).encode(), *(entries[name][2] for name in names)])


def _parts(content: bytes) -> tuple[dict[str, Any], memoryview]:
    """The header and the tensors' bytes."""
    size = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + size]), memoryview(content)[8 + size :]


def _plain_array(name: Any, value: Any) -> np.ndarray:
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
    import safetensors

    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"load_file: there is no file {path}")
    content = path.read_bytes()
    try:
        entries = {name: (entry["dtype"], tuple(entry["shape"]), entry["data"])
                   for name, entry in safetensors.deserialize(content)}
        metadata = _parts(content)[0].get("__metadata__") or {}
    except (safetensors.SafetensorError, ValueError, RecursionError) as error:
        raise ValueError(_other_kind(path, content) or
                         f"load_file: {path} is damaged or not a safetensors file: {error}") from None
    wanted = metadata.get(CHECKSUM)
    if checked and wanted is None:
        raise ValueError(f"load_file: {path} has no checksum: gpunet, or this version of it, did not write it")
    if wanted is not None and wanted != _checksum(entries, metadata):
        raise ValueError(f"load_file: {path} is damaged: its content does not match its checksum; use another copy")
    return {name: _array(path, name, *entry) for name, entry in entries.items()}, metadata


def _array(path: Path, name: str, kind: str, shape: tuple[int, ...], content: bytearray) -> np.ndarray:
    dtype = _TYPES.get(kind)
    if dtype is None:
        raise ValueError(f"load_file: {name!r} in {path} is of type {kind}, which gpunet does not have")
    if dtype == np.bool_ and (np.frombuffer(content, np.uint8) > 1).any():
        raise ValueError(f"load_file: {name!r} in {path} is of type BOOL and has bytes other than 0 and 1")
    return np.require(np.frombuffer(content, dtype.newbyteorder("<")).reshape(shape), dtype, ["C", "W"])


def _other_kind(path: Path, content: bytes) -> str | None:
    """What to say about a file of a kind that people mistake for a safetensors file."""
    for begins, what in _OTHERS:
        if re.match(begins, content, re.DOTALL):
            convert = _CONVERT.format(old=str(path), new=str(path.with_suffix(".safetensors")))
            what = what.format(convert=f"python -c {shlex.quote(convert)}")
            return f"load_file: {path} is not a safetensors file but {what}"
    return None
