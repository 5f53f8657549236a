"""Batches in page-locked memory, from which copies to a GPU do not wait for the host."""

from __future__ import annotations

import copy
from collections.abc import Mapping, MutableMapping, MutableSequence, Sequence
from typing import Any

from gpunet import devices
from gpunet.dispatch import wrap
from gpunet.tensor import Tensor


def pinning() -> bool:
    """Whether there is a GPU to pin memory for."""
    try:
        devices.get("cuda")
    except RuntimeError:
        return False
    return True


def pin(batch: Any) -> Any:
    """The batch with its CPU tensors in page-locked memory: those in mappings and sequences too, and whatever has a
    method `pin_memory` of its own."""
    if isinstance(batch, Tensor):
        return pinned(batch) if batch._device is devices.cpu else batch
    if hasattr(batch, "pin_memory"):
        return batch.pin_memory()
    if isinstance(batch, str | bytes):
        return batch
    if isinstance(batch, Mapping):
        members: Any = {key: pin(value) for key, value in batch.items()}
        if isinstance(batch, MutableMapping):  # a copy, because the type may hold more than its members
            new = copy.copy(batch)
            new.update(members)
            return new
    elif isinstance(batch, Sequence):
        members = [pin(value) for value in batch]
        if isinstance(batch, tuple):
            return type(batch)(*members) if hasattr(batch, "_fields") else tuple(members)
        if isinstance(batch, MutableSequence):
            new = copy.copy(batch)
            new[:] = members
            return new
    else:
        return batch
    try:
        return type(batch)(members)  # pyright: ignore[reportCallIssue]
    except TypeError:
        return members


def pinned(tensor: Tensor) -> Tensor:
    """A copy of a CPU tensor in page-locked memory."""
    made = wrap(devices.get("cuda").pinned(tensor._array), devices.cpu)  # pyright: ignore[reportAttributeAccessIssue]
    made._requires_grad = tensor._requires_grad
    return made
