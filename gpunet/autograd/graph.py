"""What can be done with the graph itself: hooks for what it saves, and the edges of tensors."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from gpunet.engine.extensions import extensions
from gpunet.engine.graph import Meta, Node, Packed, Slot, Spare, source
from gpunet.engine.modes import no_grad
from gpunet.engine.tensors import wrap

if TYPE_CHECKING:
    from gpunet.tensor import Tensor

__all__ = ["GradientEdge", "Node", "disable_saved_tensors_hooks", "get_gradient_edge", "increment_version",
           "save_on_cpu", "saved_tensors_hooks"]


class _Hooks(threading.local):
    """The hooks of one thread, the innermost last, and why there may be none."""

    def __init__(self) -> None:
        self.pairs: list[tuple[Callable, Callable]] = []
        self.disabled: str | None = None


_hooks = _Hooks()


def _pack(node: Node) -> None:
    """Replaces what a new node saves by what the hook makes of it."""
    if not _hooks.pairs:
        return
    pack, unpack = _hooks.pairs[-1]

    def packed(tensor: Tensor, edge: Any) -> Packed:
        with no_grad():
            taken = pack(tensor.detach())
        return Packed(Meta(tuple(tensor.shape), tensor._array.dtype, tensor._device), taken, unpack, edge)

    for i, kept in enumerate(node.saved):
        if type(kept) is Spare or type(kept) is tuple and len(kept) == 2:
            tensor = kept[0]
            node.saved[i] = packed(tensor, source(tensor) if tensor._requires_grad else None)
    for i, kept in enumerate(node.results):
        if kept is not None and len(kept) == 4:
            array, counter, _, device = kept
            node.results[i] = packed(wrap(array, device, counter), None)


class saved_tensors_hooks:
    """Inside, each tensor that the graph saves for the backward pass goes through `pack_hook`, and the backward pass
    gets it from `unpack_hook`: to keep it elsewhere, or in fewer bytes. A context manager.

    Of hooks inside of each other the innermost are used. What is packed is no longer watched for changes in place.

    Args:
        pack_hook: gets a tensor and returns anything.
        unpack_hook: gets what pack_hook returned, and returns a tensor with the same values.

    Raises:
        RuntimeError: Inside `disable_saved_tensors_hooks`.

    Examples:
        >>> x = gpunet.tensor([1.0, 2.0], requires_grad=True)
        >>> with gpunet.autograd.graph.saved_tensors_hooks(lambda t: t.half(), lambda t: t.float()):
        ...     y = x * x
        >>> y.sum().backward()
        >>> x.grad
        tensor([2., 4.])
    """

    def __init__(self, pack_hook: Callable[[Tensor], Any], unpack_hook: Callable[[Any], Tensor]) -> None:
        self.pack_hook, self.unpack_hook = pack_hook, unpack_hook

    def __enter__(self) -> None:
        if _hooks.disabled is not None:
            raise RuntimeError(_hooks.disabled)
        _hooks.pairs.append((self.pack_hook, self.unpack_hook))
        extensions.set_pack(_pack)  # from now on; a thread without hooks leaves at once

    def __exit__(self, *_: object) -> None:
        _hooks.pairs.pop()


class save_on_cpu(saved_tensors_hooks):
    """Inside, the graph keeps what it saves in the host's memory; the backward pass copies it back to the device.

    Args:
        pin_memory: Accepted as in PyTorch, without effect.
        device_type: Accepted as in PyTorch, without effect.

    Examples:
        >>> x = gpunet.tensor([1.0, 2.0], requires_grad=True)
        >>> with gpunet.autograd.graph.save_on_cpu():
        ...     y = (x * x).sum()
        >>> y.backward()
        >>> x.grad
        tensor([2., 4.])
    """

    def __init__(self, pin_memory: bool = False, device_type: str = "cuda") -> None:
        super().__init__(lambda tensor: (tensor.device, tensor.cpu()), lambda kept: kept[1].to(kept[0]))


class disable_saved_tensors_hooks:
    """Inside, `saved_tensors_hooks` raises an error. A context manager.

    Args:
        error_message: What the error says.

    Examples:
        >>> with gpunet.autograd.graph.disable_saved_tensors_hooks("not here"):
        ...     with gpunet.autograd.graph.save_on_cpu():
        ...         pass
        Traceback (most recent call last):
            ...
        RuntimeError: not here
    """

    def __init__(self, error_message: str) -> None:
        self.error_message = error_message

    def __enter__(self) -> None:
        self._before, _hooks.disabled = _hooks.disabled, self.error_message

    def __exit__(self, *_: object) -> None:
        _hooks.disabled = self._before


class GradientEdge(NamedTuple):
    """Where the gradient of a tensor goes: a node of the graph, and which of its outputs the tensor is. Of a leaf, the
    node is the tensor itself.

    Examples:
        >>> gpunet.autograd.graph.GradientEdge(None, 0).output_nr
        0
    """

    node: Any
    output_nr: int


def get_gradient_edge(tensor: Tensor) -> GradientEdge:
    """The place of a tensor in the graph.

    Args:
        tensor: A tensor that requires gradients.

    Returns:
        Its `GradientEdge`.

    Raises:
        RuntimeError: If the tensor does not require gradients.

    Examples:
        >>> x = gpunet.ones(2, requires_grad=True)
        >>> gpunet.autograd.graph.get_gradient_edge(x * 2).output_nr
        0
    """
    if not tensor._requires_grad:
        raise RuntimeError("get_gradient_edge: the tensor does not require gradients, so it has no place in the graph")
    end = source(tensor)
    return GradientEdge(*end) if type(end) is Slot else GradientEdge(end, 0)


def increment_version(tensor: Tensor | Sequence[Tensor]) -> None:
    """Notes that tensors were changed in a way that gpunet did not see, so that a backward pass that needs their old
    values says so.

    Args:
        tensor: A tensor, or several.

    Examples:
        >>> x = gpunet.ones(2, requires_grad=True)
        >>> h = x * 1
        >>> y = h * h
        >>> gpunet.autograd.graph.increment_version(h)
        >>> try:
        ...     y.sum().backward()
        ... except RuntimeError as error:
        ...     print("was changed" in str(error) or "modified" in str(error))
        True
    """
    tensors: Any = [tensor] if hasattr(tensor, "_array") else tensor
    for each in tensors:
        each._version[0] += 1
