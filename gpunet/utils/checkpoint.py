"""Gradient checkpointing: the backward pass computes a part of the model again instead of keeping its values.

The part runs with its graph as usual; then the values that the graph keeps are dropped. The first gradient that needs
one runs the part a second time, and the values of that run take the places of the first. The graph itself stays, and
with it all that uses it: `grad`, hooks, gradients of gradients.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import nullcontext
from functools import partial
from itertools import zip_longest
from typing import Any

from gpunet import random
from gpunet.engine.extensions import extensions
from gpunet.engine.graph import Node, Slot, next_order
from gpunet.engine.modes import enable_grad, mode
from gpunet.record import map_tensors
from gpunet.tensor import Tensor

__all__ = ["CheckpointError", "checkpoint", "checkpoint_sequential"]


class CheckpointError(RuntimeError):
    """The second run of a checkpointed function did not do the same as the first.

    Examples:
        >>> issubclass(gpunet.utils.checkpoint.CheckpointError, RuntimeError)
        True
    """


def checkpoint(function: Callable[..., Any], *args: Any, use_reentrant: bool | None = None,
               context_fn: Callable[[], tuple[Any, Any]] | None = None, determinism_check: str = "default",
               debug: bool = False, early_stop: bool = True, preserve_rng_state: bool = True, **kwargs: Any) -> Any:
    """Calls a function without keeping what its gradient needs: the backward pass calls the function again.

    This saves memory and costs time. The function must do the same both times.

    Source: Chen et al., "Training Deep Nets with Sublinear Memory Cost", 2016.

    Args:
        function: the function, or a module.
        args: its arguments.
        use_reentrant: accepted as in PyTorch, without effect: the result is that of False.
        context_fn: returns two context managers, for the first and the second call.
        determinism_check: "default": compare the operations and shapes of both calls; "none": do not.
        debug: accepted as in PyTorch, without effect.
        early_stop: accepted as in PyTorch, without effect.
        preserve_rng_state: whether both calls draw the same random numbers, such as dropout masks.
        kwargs: keyword arguments of the function.

    Returns:
        What the function returns.

    Raises:
        CheckpointError: in the backward pass: the second call made other operations or shapes, or an input was changed
            in place.

    Examples:
        >>> x = gpunet.tensor([1.0, 2.0], requires_grad=True)
        >>> y = gpunet.utils.checkpoint.checkpoint(lambda x: x * x * 3, x, use_reentrant=False)
        >>> y.sum().backward()
        >>> x.grad
        tensor([ 6., 12.])
    """
    if determinism_check not in ("default", "none"):
        raise ValueError(f"determinism_check should be one of ['default', 'none'], but got {determinism_check!r}")
    first, second = context_fn() if context_fn else (nullcontext(), nullcontext())
    if not mode.grad:
        with first:
            return function(*args, **kwargs)
    run = _Run(partial(function, *args, **kwargs), second, preserve_rng_state, determinism_check == "default")
    for value in (*args, *kwargs.values()):
        map_tensors(value, run.watch)
    with first:
        result, nodes = run()
    run.kinds = [_kind(node) for node in nodes]
    for i, node in enumerate(nodes):
        if any(len(kept) != 3 for kept in _kept(node)):  # arrays, not only their shapes
            node.saved, node.results = None, partial(run.values_of, i)
    return result


def checkpoint_sequential(functions: Iterable[Callable[..., Any]], segments: int, input: Any,
                          use_reentrant: bool | None = None, **kwargs: Any) -> Any:
    """Calls functions one after the other, in segments, of which all but the last are checkpointed.

    Args:
        functions: functions of one argument, or a Sequential.
        segments: number of segments.
        input: argument of the first function.
        use_reentrant: accepted as in PyTorch, without effect.
        kwargs: keyword arguments of `checkpoint`.

    Returns:
        What the last function returns.

    Examples:
        >>> model = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 4), nn.ReLU())
        >>> x = gpunet.randn(3, 2, requires_grad=True)
        >>> gpunet.utils.checkpoint.checkpoint_sequential(model, 2, x, use_reentrant=False).shape
        gpunet.Size([3, 4])
    """
    children: Any = getattr(functions, "children", None)
    steps = list(functions if children is None else children())

    def part(start: int, stop: int) -> Callable[[Any], Any]:
        def run(x: Any) -> Any:
            for function in steps[start:stop]:
                x = function(x)
            return x

        return run

    size = len(steps) // segments
    for i in range(segments - 1):
        input = checkpoint(part(i * size, (i + 1) * size), input, use_reentrant=use_reentrant, **kwargs)
    return part((segments - 1) * size, len(steps))(input)


class _Run:
    """A function that can run again, and the values that the nodes of its graph need then."""

    def __init__(self, function: Callable[[], Any], second: Any, preserve: bool, check: bool) -> None:
        self.function, self.second, self.preserve, self.check = function, second, preserve, check
        self.place = _place() if preserve else None
        self.autocast = mode.autocast.without_cache if mode.autocast else nullcontext
        self.inputs: list[tuple[Tensor, Any]] = []  # tensors with their versions
        self.kinds: list[Any] = []  # of the nodes
        # For each node, until it takes them: saved, results, and which saved tensor came along which edge.
        self.values: list[Any] | None = None

    def watch(self, tensor: Tensor) -> Tensor:
        """Notes an input and its version."""
        self.inputs.append((tensor, tensor._version and tensor._version[0]))
        return tensor

    def __call__(self) -> tuple[Any, list[Node]]:
        """The function's result, and the new nodes that lead to it, the oldest first."""
        start = next_order()
        with self.autocast():
            result = self.function()
        found: dict[Node, bool] = {}
        stack: list[Any] = []
        map_tensors(result, lambda t: stack.append(t._node) or t)
        while stack:
            edge = stack.pop()
            node = edge.node if type(edge) is Slot else edge
            if type(node) is Node and node.order > start and node not in found:
                found[node] = True
                stack.extend(node.edges)
        return result, sorted(found, key=lambda node: node.order)

    def values_of(self, i: int, node: Node) -> tuple[Any, Any]:
        """The values that the i-th node keeps. The first call runs the function again."""
        if self.values is None:
            self.values = self.again()
        (saved, results, came), self.values[i] = self.values[i], None
        # What was computed again belongs to the first graph, for gradients of gradients.
        for k, edge in came:
            saved[k][0]._node = node.edges[edge]
        return saved, results

    def again(self) -> list[Any]:
        """Runs the function a second time, and gives the values of its nodes."""
        for tensor, version in self.inputs:
            if tensor._version and tensor._version[0] != version:
                raise CheckpointError(f"checkpoint: an input of shape {tuple(tensor.shape)} was changed by an in-place "
                                      "operation before the function could run again for its gradient; clone() it "
                                      "first")
        place = _place()
        if self.preserve:
            _go_to(self.place)
        try:
            with self.second, enable_grad():
                _, nodes = self()
        finally:
            if self.preserve:
                _go_to(place)
        kinds = [_kind(node) for node in nodes]
        if len(kinds) != len(self.kinds) or self.check and kinds != self.kinds:
            pairs = zip_longest(self.kinds, kinds, fillvalue=("nothing", []))
            first, then = next(pair for pair in pairs if pair[0] != pair[1])
            raise CheckpointError("checkpoint: the function must do the same when it runs again for its gradient, but "
                                  f"it made {len(self.kinds)} operations and then {len(kinds)}; the first that differ "
                                  f"are {first[0]} with {first[1]} and {then[0]} with {then[1]}")
        return [(node.saved, node.results, _origins(node)) for node in nodes]


def _kept(node: Node) -> list[tuple[Any, ...]]:
    """What a node keeps of tensors: (shape, type, device), or tuples that begin with a tensor or an array."""
    if node.saved is None:
        return []
    return [kept for kept in (*node.saved, *(node.results or ())) if isinstance(kept, tuple)]


def _kind(node: Node) -> tuple[str, list[Any]]:
    return node.op.name, [kept[0] if len(kept) == 3 else tuple(kept[0].shape) for kept in _kept(node)]


def _origins(node: Node) -> list[tuple[int, int]]:
    """Which of the saved tensors came along which edge."""
    return [(k, edge) for k, kept in enumerate(node.saved or ()) if isinstance(kept, tuple) and len(kept) == 2
            for edge, end in enumerate(node.edges) if end is not None and kept[0]._node is not None
            and end == kept[0]._node]


def _place() -> Any:
    """The position of the default generator; while a step is recorded, relative to the beginning of the recording."""
    generator = random.default_generator
    if extensions.recorder is None:
        return generator.position()
    return extensions.recorder.streams.get(generator, (None, 0))[1]


def _go_to(place: Any) -> None:
    """Sets the position of the default generator."""
    generator = random.default_generator
    if extensions.recorder is None:
        generator._seed, generator._offset = place
    elif generator in extensions.recorder.streams:
        extensions.recorder.streams[generator][1] = place
