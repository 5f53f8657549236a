"""What can be done with the graph itself: hooks for what it saves, and the edges of tensors."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from gpunet.engine.extensions import extensions
from gpunet.engine.graph import Meta, Node, Packed, Slot, Spare, edge_key, source
from gpunet.engine.modes import mode as modes
from gpunet.engine.modes import no_grad
from gpunet.engine.tensors import wrap

if TYPE_CHECKING:
    from gpunet.tensor import Tensor

__all__ = ["GradientEdge", "Node", "disable_saved_tensors_hooks", "get_gradient_edge", "increment_version",
           "register_multi_grad_hook", "save_on_cpu", "saved_tensors_hooks"]


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


class _Handles:
    """The hooks of several tensors, which are taken out together."""

    def __init__(self, handles: list[Any]) -> None:
        self._handles = handles

    def remove(self) -> None:
        """Takes the hooks out."""
        for handle in self._handles:
            handle.remove()

    def __enter__(self) -> _Handles:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()


def register_multi_grad_hook(tensors: Sequence[Tensor], fn: Callable[[Any], None], *, mode: str = "all") -> _Handles:
    """Has a function called once in each backward pass that computes gradients of some tensors.

    Args:
        tensors: Tensors that require gradients.
        fn: With mode "all", gets a list of the tensors' gradients once all of them are there, None for those that the
            pass does not reach; with "any", the first gradient that is there.
        mode: "all" or "any".

    Returns:
        A handle with remove().

    Raises:
        RuntimeError: If a tensor does not require gradients.
        ValueError: If mode is neither.

    Examples:
        >>> x, w = gpunet.ones(2, requires_grad=True), gpunet.ones(2, requires_grad=True)
        >>> handle = gpunet.autograd.graph.register_multi_grad_hook([x, w], lambda grads: print(len(grads)))
        >>> (x * w).sum().backward()
        2
        >>> handle.remove()
    """
    if mode not in ("all", "any"):
        raise ValueError(f"Expects mode to be one of ('all', 'any') but got {mode}")
    tensors = list(tensors)
    for i, tensor in enumerate(tensors):
        if not tensor._requires_grad:
            raise RuntimeError(f"register_multi_grad_hook: tensor {i} does not require gradients, so it has none to "
                               "see")
    state: dict[str, Any] = {"walk": None}  # of the last backward pass: what it was about, and what has come in

    def hook_of(place: int) -> Callable[[Tensor], None]:
        def hook(gradient: Tensor) -> None:
            if state["walk"] is not modes.walking:  # the first gradient of this pass
                reached = [1] if mode == "any" else _reached(tensors)
                state.update(walk=modes.walking, missing=sum(reached), found=[None] * len(tensors))
            state["missing"] -= 1
            state["found"][place] = gradient
            if state["missing"] == 0:
                found, state["found"] = state["found"], [None] * len(tensors)
                fn(gradient if mode == "any" else found)

        return hook

    return _Handles([tensor.register_hook(hook_of(i)) for i, tensor in enumerate(tensors)])


def _reached(tensors: Sequence[Tensor]) -> list[bool]:
    """Whether the backward pass that is going on computes the gradient of each tensor."""
    assert modes.walking is not None
    roots, useful, targets = modes.walking
    ends: set[Any] = set()
    todo = [source(root) for root in roots]
    while todo:
        edge = todo.pop()
        if edge is None or edge_key(edge) in ends:
            continue
        ends.add(edge_key(edge))
        if type(edge) in (Node, Slot):
            node = edge.node if type(edge) is Slot else edge
            if useful is None or node in useful:
                todo += node.edges
    keys = [edge_key(source(tensor)) for tensor in tensors]
    return [key in ends and (targets is None or key in targets or type(key) is tuple and key[0] in useful)
            for key in keys]
