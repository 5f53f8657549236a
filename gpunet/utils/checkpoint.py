"""Gradient checkpointing (Chen et al., "Training deep nets with sublinear memory cost", 2016): what the backward pass
needs of a part of the model is not kept but computed again.

The part runs with its graph as usual; then all values that the graph keeps are thrown away. The first gradient that
asks for one runs the part a second time, and the values of that run take their places: the graph itself, and with it
everything that walks it (`grad`, hooks, gradients of gradients), stays as it is.
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

__all__ = ["CheckpointError", "checkpoint", "checkpoint_sequential"]


class CheckpointError(RuntimeError):
    """The second run of a checkpointed function did something else than the first."""


def checkpoint(function: Callable, *args, use_reentrant: bool | None = None,
               context_fn: Callable | None = None, determinism_check: str = "default", debug: bool = False,
               early_stop: bool = True, preserve_rng_state: bool = True, **kwargs) -> Any:
    """`function(*args, **kwargs)`, without the memory that its gradient needs: the function runs again in the backward
    pass. It must do the same both times.

    preserve_rng_state: the second run draws the same numbers from the default generator (dropout masks). context_fn:
    returns two context managers, around the first and the second run. determinism_check: "default", CheckpointError if
    the second run made other operations or shapes, or "none". use_reentrant: accepted and ignored; this is what PyTorch
    does for False, and also serves where it would need True. debug, early_stop: accepted and ignored.
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


def checkpoint_sequential(functions: Iterable[Callable], segments: int, input, use_reentrant: bool | None = None,
                          **kwargs) -> Any:
    """The functions (or the layers of a Sequential) one after the other, in `segments` parts, of which all but the last
    are checkpointed."""
    functions = list(functions.children() if hasattr(functions, "children") else functions)

    def part(start, stop):
        def run(x):
            for function in functions[start:stop]:
                x = function(x)
            return x

        return run

    size = len(functions) // segments
    for i in range(segments - 1):
        input = checkpoint(part(i * size, (i + 1) * size), input, use_reentrant=use_reentrant, **kwargs)
    return part((segments - 1) * size, len(functions))(input)


class _Run:
    """A function that can be run again, and what the nodes of its graph ask for then."""

    def __init__(self, function, second, preserve, check):
        self.function, self.second, self.preserve, self.check = function, second, preserve, check
        self.place = _place() if preserve else None
        self.autocast = mode.autocast.without_cache if mode.autocast else nullcontext
        self.inputs: list = []  # tensors with their versions
        self.kinds: list = []  # of the nodes
        self.values = None  # per node, until it takes them: (saved, results, which saved tensor came along which edge)

    def watch(self, tensor):
        self.inputs.append((tensor, tensor._version and tensor._version[0]))
        return tensor

    def __call__(self):
        """The function's result, and the new nodes that lead to it, the oldest first."""
        start = next_order()
        with self.autocast():
            result = self.function()
        found, stack = {}, []
        map_tensors(result, lambda t: stack.append(t._node) or t)
        while stack:
            edge = stack.pop()
            node = edge.node if type(edge) is Slot else edge
            if type(node) is Node and node.order > start and node not in found:
                found[node] = True
                stack.extend(node.edges)
        return result, sorted(found, key=lambda node: node.order)

    def values_of(self, i, node):
        """What the i-th node keeps; the first time that one asks, the function runs again."""
        if self.values is None:
            self.values = self.again()
        (saved, results, came), self.values[i] = self.values[i], None
        # What was computed again belongs to the first graph, for gradients of gradients.
        for k, edge in came:
            saved[k][0]._node = node.edges[edge]
        return saved, results

    def again(self):
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


def _kept(node) -> list[tuple]:
    """What a node keeps of tensors: (shape, type, device), or tuples that begin with a tensor or an array."""
    return [] if node.saved is None else [kept for kept in (*node.saved, *node.results) if isinstance(kept, tuple)]


def _kind(node):
    return node.name, [kept[0] if len(kept) == 3 else tuple(kept[0].shape) for kept in _kept(node)]


def _origins(node) -> list[tuple[int, int]]:
    """Which of the saved tensors came along which edge."""
    return [(k, edge) for k, kept in enumerate(node.saved or ()) if isinstance(kept, tuple) and len(kept) == 2
            for edge, end in enumerate(node.edges) if end is not None and kept[0]._node is not None
            and end == kept[0]._node]


def _place():
    """Where the default generator stands; while a step is recorded, relative to the recording's beginning."""
    generator = random.default_generator
    if extensions.recorder is None:
        return generator.position()
    return extensions.recorder.streams.get(generator, (None, 0))[1]


def _go_to(place) -> None:
    generator = random.default_generator
    if extensions.recorder is None:
        generator._seed, generator._offset = place
    elif generator in extensions.recorder.streams:
        extensions.recorder.streams[generator][1] = place
