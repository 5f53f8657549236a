"""`torch.distributed`: gpunet trains in one process.

A group of one process works, so that a script for several also runs as one; a larger one says that it is not here.
"""

from __future__ import annotations

import os
from enum import Enum
from typing import Any

from gpunet.engine.modes import no_grad
from gpunet.tensor import Tensor

__all__ = ["Backend", "GroupMember", "ProcessGroup", "ReduceOp", "Work", "all_gather", "all_gather_into_tensor",
           "all_gather_object", "all_reduce", "all_to_all_single", "barrier", "broadcast", "broadcast_object_list",
           "destroy_process_group", "gather", "get_backend", "get_rank", "get_world_size", "group",
           "init_process_group", "is_available", "is_gloo_available", "is_initialized", "is_mpi_available",
           "is_nccl_available", "is_torchelastic_launched", "monitored_barrier", "new_group", "reduce",
           "reduce_scatter_tensor", "scatter"]


class ReduceOp(Enum):
    """How values of several processes become one."""

    SUM, PRODUCT, MIN, MAX, AVG, BAND, BOR, BXOR = range(8)


class ProcessGroup:
    """A group of processes: this one."""

    def size(self) -> int:
        """The number of processes: 1."""
        return 1

    def rank(self) -> int:
        """This process's number: 0."""
        return 0


class Work:
    """A communication, which is complete."""

    def wait(self, timeout: Any = None) -> bool:
        """Returns at once."""
        return True

    def is_completed(self) -> bool:
        """True."""
        return True


class Backend(str):
    """The name of a way to communicate."""

    GLOO, NCCL, MPI, UCC, UNDEFINED = "gloo", "nccl", "mpi", "ucc", "undefined"


_group: ProcessGroup | None = None
_backend = ""


class GroupMember:
    """The group of all processes."""

    WORLD = None
    NON_GROUP_MEMBER = object()


group = GroupMember


def is_available() -> bool:
    """Whether several processes can train together: False. A group of one can be made nevertheless."""
    return False


is_nccl_available = is_gloo_available = is_mpi_available = is_torchelastic_launched = is_available


def is_initialized() -> bool:
    """Whether `init_process_group` has been called."""
    return _group is not None


def init_process_group(backend: str | None = None, init_method: str | None = None, timeout: Any = None,
                       world_size: int = -1, rank: int = -1, **options: Any) -> None:
    """Makes a group of one process. Raises RuntimeError if more are asked for, by an argument or in $WORLD_SIZE."""
    global _group, _backend
    if _group is not None:
        raise ValueError("trying to initialize the default process group twice!")
    size = world_size if world_size > 0 else int(os.environ.get("WORLD_SIZE", "1"))
    if size != 1:
        raise RuntimeError(f"distributed: gpunet trains in one process, but a group of {size} is asked for; start the "
                           "script once, with python instead of torchrun")
    _group, _backend = ProcessGroup(), backend or "undefined"


def destroy_process_group(group: Any = None) -> None:
    """Ends the group."""
    global _group
    _group = None


def _check() -> None:
    if _group is None:
        raise ValueError("Default process group has not been initialized, please make sure to call init_process_group.")


def get_rank(group: Any = None) -> int:
    """This process's number in the group: 0."""
    _check()
    return 0


def get_world_size(group: Any = None) -> int:
    """The number of processes in the group: 1."""
    _check()
    return 1


def get_backend(group: Any = None) -> str:
    """What `init_process_group` was told."""
    _check()
    return _backend


def new_group(ranks: Any = None, *args: Any, **kwargs: Any) -> ProcessGroup:
    """A group of some of the processes: this one."""
    _check()
    return ProcessGroup()


def _done(async_op: bool) -> Work | None:
    _check()
    return Work() if async_op else None


def all_reduce(tensor: Tensor, op: Any = ReduceOp.SUM, group: Any = None, async_op: bool = False) -> Work | None:
    """Leaves the tensor as it is: it is the sum, mean and maximum over one process."""
    return _done(async_op)


def broadcast(tensor: Tensor, src: int | None = None, group: Any = None, async_op: bool = False,
              **_: Any) -> Work | None:
    """Leaves the tensor as it is."""
    return _done(async_op)


def reduce(tensor: Tensor, dst: int | None = None, op: Any = ReduceOp.SUM, group: Any = None, async_op: bool = False,
           **_: Any) -> Work | None:
    """Leaves the tensor as it is."""
    return _done(async_op)


@no_grad()
def all_gather(tensor_list: list[Tensor], tensor: Tensor, group: Any = None, async_op: bool = False) -> Work | None:
    """Copies the tensor into the only one of the list."""
    tensor_list[0].copy_(tensor)
    return _done(async_op)


@no_grad()
def all_gather_into_tensor(output_tensor: Tensor, input_tensor: Tensor, group: Any = None,
                           async_op: bool = False) -> Work | None:
    """Copies the tensor."""
    output_tensor.copy_(input_tensor.reshape(output_tensor.shape))
    return _done(async_op)


@no_grad()
def reduce_scatter_tensor(output: Tensor, input: Tensor, op: Any = ReduceOp.SUM, group: Any = None,
                          async_op: bool = False) -> Work | None:
    """Copies the tensor."""
    output.copy_(input.reshape(output.shape))
    return _done(async_op)


@no_grad()
def all_to_all_single(output: Tensor, input: Tensor, *args: Any, async_op: bool = False, **_: Any) -> Work | None:
    """Copies the tensor."""
    output.copy_(input)
    return _done(async_op)


@no_grad()
def gather(tensor: Tensor, gather_list: list[Tensor] | None = None, dst: int | None = None, group: Any = None,
           async_op: bool = False, **_: Any) -> Work | None:
    """Copies the tensor into the only one of the list."""
    if gather_list:
        gather_list[0].copy_(tensor)
    return _done(async_op)


@no_grad()
def scatter(tensor: Tensor, scatter_list: list[Tensor] | None = None, src: int | None = None, group: Any = None,
            async_op: bool = False, **_: Any) -> Work | None:
    """Copies the only tensor of the list."""
    if scatter_list:
        tensor.copy_(scatter_list[0])
    return _done(async_op)


def all_gather_object(object_list: list[Any], obj: Any, group: Any = None) -> None:
    """Puts the object into the list."""
    _check()
    object_list[0] = obj


def broadcast_object_list(object_list: list[Any], src: int | None = None, group: Any = None, **_: Any) -> None:
    """Leaves the list as it is."""
    _check()


def barrier(group: Any = None, async_op: bool = False, device_ids: Any = None) -> Work | None:
    """Returns at once: all processes are here."""
    return _done(async_op)


def monitored_barrier(*args: Any, **kwargs: Any) -> None:
    """Returns at once: all processes are here."""
    _check()
