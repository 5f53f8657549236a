"""`save` and `load`: nested states in files, without code."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gpunet import files
from gpunet.serialization import safetensors_file, state
from gpunet.serialization.memory import Locations, MapLocation, OfUser
from gpunet.serialization.source import Refused, Source

__all__ = ["load", "save"]


def save(obj: Any, f: Any, *, format: str = "gpunet", pickle_protocol: int = 2,
         _use_new_zipfile_serialization: bool = True) -> None:
    """Writes a state to a file: tensors, numbers, texts, and nested containers of them.

    What it may have: tensors and parameters on any device, NumPy arrays and numbers, Python numbers, str, bytes,
    bytearray, None, dtypes, devices and sizes, in dict, OrderedDict, Counter, list, tuple, set and frozenset. Tensors
    that share memory do so again when they are loaded, and what occurs twice is one object again. Objects of other
    classes are refused: save their state, such as `model.state_dict()`.

    The file is a safetensors file, which other programs read too, with a checksum. It is written under another name,
    flushed to the disk and then renamed, so it is always whole; the same state gives the same file. With
    `format="torch"` it is a .pt file, which `torch.load` reads with `weights_only=True`.

    Args:
        obj: the state.
        f: a path, or an object with `write` that is open for binary writing.
        format: "gpunet" or "torch"; a .pt file has no checksum of the whole, NumPy values or frozensets, and no memory
            that tensors see as different types.
        pickle_protocol: accepted because PyTorch has it; changes nothing.

    Raises:
        TypeError: something in the state cannot be saved; the message names it, its place and what to save instead.
        ValueError: a container contains itself, the nesting is too deep, or there is no such format.
        OSError: the file cannot be written; an existing one is left as it is.

    Examples:
        >>> import io
        >>> model, file = nn.Linear(2, 1), io.BytesIO()
        >>> gpunet.save({"model": model.state_dict(), "epoch": 3}, file)
        >>> position = file.seek(0)
        >>> gpunet.load(file)["epoch"]
        3
    """
    if format == "gpunet":
        parts = state.parts_of(obj)
    elif format == "torch":
        from gpunet.serialization import torch_writer

        parts = torch_writer.parts_of(obj)
    else:
        raise ValueError(f"save: format must be 'gpunet' or 'torch', got {format!r}")
    if isinstance(f, str | os.PathLike):
        files.replace(Path(f), parts)
    elif hasattr(f, "write"):
        for part in parts:
            f.write(part)
    else:
        raise TypeError(f"save: expected a path or a file open for binary writing, got {type(f).__name__}")


def load(f: Any, map_location: MapLocation = None, *, weights_only: bool = True, mmap: bool | None = None) -> Any:
    """Reads a state that `save` or `torch.save` has written, or the tensors of a safetensors file.

    No code of the file is run, whatever it holds. Of PyTorch's files (.pt, .pth, .bin, .ckpt: the zip format, and those
    that older versions wrote) it reads tensors, numbers, texts, plain containers and NumPy arrays; a file with objects
    of other classes is refused, and the message names the class.

    Args:
        f: a path, or an object with `read` that is open for binary reading.
        map_location: the device for all tensors; or a dictionary from devices in the file to devices here; or a
            function of a storage, a tensor of bytes on the CPU, and of the name of its device in the file, which
            returns the storage where it should be, or None. None: the device from which a tensor was saved.
        weights_only: accepted because PyTorch has it. False changes nothing: gpunet never runs a file's code.
        mmap: map the file into memory, so that values are read when they are used. Changes to them are not written
            to the file, and the values are not checked for damage.

    Returns:
        The state.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, holds what cannot be loaded, or is of another kind; the message says which, and
            what to do.
        RuntimeError: tensors belong on a device that is unavailable.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     gpunet.save({"x": gpunet.ones(2), "step": 7}, f"{folder}/state.pt", format="torch")
        ...     gpunet.load(f"{folder}/state.pt", map_location="cpu")
        {'x': tensor([1., 1.]), 'step': 7}
    """
    locations = Locations(map_location)
    with Source(f, bool(mmap)) as source:
        try:
            return _reader(source)(source, locations)
        except Refused as error:
            raise ValueError(f"load: {source.name} {error}") from None
        except OfUser as error:
            raise error.error from None


def _reader(source: Source) -> Callable[[Source, Locations], Any]:
    """What reads a file of this kind."""
    begin = source.read(0, min(source.size, 512))
    if begin[8:9] == b"{" and int.from_bytes(begin[:8], "little") <= source.size:
        return _read_safetensors
    if begin[:4] == b"PK\x03\x04":
        from gpunet.serialization import torch_zip

        return torch_zip.read
    if begin[257:262] == b"ustar":
        from gpunet.serialization import torch_tar

        return torch_tar.read
    if begin[:1] == b"\x80":
        from gpunet.serialization import torch_legacy

        return torch_legacy.read
    if what := safetensors_file.other_kind(source):
        raise Refused(f"is {what}")
    raise Refused("is neither a file of gpunet.save, nor a safetensors or PyTorch file" if begin else "is empty")


def _read_safetensors(source: Source, locations: Locations) -> Any:
    arrays, metadata = safetensors_file.read_source(source)
    if state.STATE in metadata:
        if safetensors_file.CHECKSUM not in metadata:
            raise Refused("is damaged: it has no checksum; use another copy")
        return state.read(arrays, metadata, locations)
    return state.tensors_of(arrays, locations)
