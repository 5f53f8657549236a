"""Record a step once, then replay it without Python: `gpunet.compile`.

While a step is recorded, every call that dispatch makes (op, outputs, inputs, attributes) is carried out and noted. The
list of calls is a program: on cpu and sim it is run through again, on a GPU it becomes a CUDA graph. Nothing is
re-ordered, so results are bit-identical to the eager step. Arrays that can be seen outside stay where they are; on the
CPU all others get places in one arena, by how long each is needed (native/plan.py).
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, overload

from gpunet import random
from gpunet._channels_last import leans_last
from gpunet.devices.cpu import CpuDevice
from gpunet.dispatch import Op, is_tensor
from gpunet.engine.extensions import extensions
from gpunet.engine.modes import mode

if TYPE_CHECKING:
    from gpunet.devices import AnyDevice
    from gpunet.random import Generator
    from gpunet.tensor import Tensor

__all__ = ["compile"]

F = TypeVar("F", bound=Callable[..., Any])


class _Calls:
    """Recorded calls whose arrays all stay where they are."""

    def __init__(self) -> None:
        self.calls: list[tuple[Op, Any, tuple[Any, ...], dict[str, Any]]] = []

    def add(self, op: Op, outs: Sequence[Any], arrays: Sequence[Any], attrs: dict[str, Any], fresh: int) -> None:
        """Notes a call."""
        self.calls.append((op, outs, tuple(arrays), attrs))

    def references(self, array: Any) -> int:
        """How often the noted calls refer to an array."""
        return sum([x is array for _, outs, arrays, _ in self.calls for some in (outs, arrays) for x in some])


class Recorder:
    """The calls of one run of a step, which dispatch hands over."""

    def __init__(self) -> None:
        self.device: AnyDevice | None = None
        self.notes: Any = None  # the calls: _Calls, or on the CPU plan.Notes
        self.refreshers: list[Callable[[], object]] = []  # functions to call before each replay
        self.streams: dict[Generator, list[Any]] = {}  # generator -> [state tensor, blocks drawn]

    def run(self, device: AnyDevice, op: Op, outs: Sequence[Any], arrays: Sequence[Any], attrs: dict[str, Any],
            fresh: int) -> None:
        """Carries a call out and notes it. fresh: how many of `outs`, the first ones, are new memory."""
        if self.device is None:
            self.device, self.notes = device, device.notes() if isinstance(device, CpuDevice) else _Calls()
        elif device is not self.device:
            raise RuntimeError(f"gpunet.compile: the recorded function computes on {self.device} and on {device}; a "
                               "recording holds the calls of one device: move the other part outside")
        device.run(op, outs, arrays, attrs)
        self.notes.add(op, outs, arrays, attrs, fresh)

    def references(self, array: Any) -> int:
        """How often the noted calls refer to an array, so that it lives."""
        return 0 if self.notes is None else self.notes.references(array)

    def draw(self, generator: Generator, device: AnyDevice, blocks: int) -> tuple[Tensor, int]:
        """Random blocks relative to a base in device memory, which each replay moves on."""
        stream = self.streams.get(generator)
        if stream is None:
            state = random.make_state(device)
            random.write_state(state, *generator.position())
            stream = self.streams[generator] = [state, 0]
        elif stream[0]._device is not device:
            raise RuntimeError("gpunet.compile: one generator draws on two devices inside the recorded function; "
                               "give each device its own gpunet.Generator")
        first = stream[1]
        stream[1] += blocks
        return stream[0], first

    def before_replay(self, function: Callable[[], object]) -> None:
        """Has `function()` called before each replay, to bring host values such as a learning rate to the device."""
        if function not in self.refreshers:
            self.refreshers.append(function)


class _Recording:
    """A recorded step: its static inputs and outputs, and how to run it again."""

    def __init__(self, function: Callable[..., Any], tensors: list[Tensor], rebuild: Callable[..., Any],
                 arenas: list[Any]) -> None:
        # Own copies of the inputs: later calls copy theirs over them.
        self.inputs = [t.detach().clone() for t in tensors]
        for own, given in zip(self.inputs, tensors, strict=True):
            own._requires_grad = given._requires_grad
        self.recorder = recorder = Recorder()
        with extensions.recording(recorder):
            self.result = function(*rebuild(self.inputs))
        for generator, (_, blocks) in recorder.streams.items():
            generator.skip(blocks)
        self.plan, self.arenas = None, arenas
        device = recorder.device
        if device is None:  # the step had no calls
            self.replay = lambda: None
        elif isinstance(device, CpuDevice):
            self.replay, self.plan = device.compile_notes(recorder.notes, arenas)
        else:
            self.replay = device.compile_calls(recorder.notes.calls)
        recorder.notes = None

    def __call__(self, tensors: list[Tensor]) -> Any:
        for own, given in zip(self.inputs, tensors, strict=True):
            if own._array is not given._array:
                own.detach().copy_(given.detach())
        for refresh in self.recorder.refreshers:
            refresh()
        for generator, (state, blocks) in self.recorder.streams.items():
            random.write_state(state, *generator.position())
            generator.skip(blocks)
        if extensions.profiler is None:
            self.replay()
        else:
            with extensions.profiler.range("gpunet.compile: replay"):
                self.replay()
        return self.outputs()

    def outputs(self) -> Any:
        """Copies of the results, so that the next replay does not change what the caller holds."""
        return map_tensors(self.result, lambda t: t.detach().clone())


def map_tensors(value: Any, function: Callable[[Tensor], Any]) -> Any:
    """`value` with `function` applied to each tensor in its tuples, lists and dicts."""
    if is_tensor(value):
        return function(value)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(map_tensors(v, function) for v in value))
    if isinstance(value, (tuple, list)):
        return type(value)(map_tensors(v, function) for v in value)
    if isinstance(value, dict):
        return {k: map_tensors(v, function) for k, v in value.items()}
    return value


def _key(value: Any) -> Any:
    """What a recording depends on in an argument: of a tensor its kind, of everything else the value."""
    if is_tensor(value):
        array = value._array
        return "tensor", array.shape, array.dtype, leans_last(array), value._device, value._requires_grad
    if isinstance(value, (tuple, list)):
        return type(value), *(_key(v) for v in value)
    if isinstance(value, dict):
        return dict, *((k, _key(v)) for k, v in value.items())
    try:
        hash(value)
    except TypeError:
        return type(value), id(value)
    return type(value), value


@overload
def compile(model: F, *, fullgraph: bool = False, dynamic: bool | None = None, backend: Any = None,
            mode: str | None = None, options: dict[str, Any] | None = None, name: str | None = None,
            disable: bool = False) -> F: ...


@overload
def compile(model: None = None, *, fullgraph: bool = False, dynamic: bool | None = None, backend: Any = None,
            mode: str | None = None, options: dict[str, Any] | None = None, name: str | None = None,
            disable: bool = False) -> Callable[[F], F]: ...


def compile(model: Any = None, *, fullgraph: bool = False, dynamic: bool | None = None, backend: Any = None,
            mode: str | None = None, options: dict[str, Any] | None = None, name: str | None = None,
            disable: bool = False) -> Any:
    """Makes a function of tensors fast, such as a whole training step, by recording it and replaying the recording.

    The first call with arguments of new shapes, dtypes, devices or other values runs as usual, so that optimizers can
    make their state. The second is recorded. From the third on the recording is replayed: the same operations in the
    same order, without Python; on a GPU as one CUDA graph; on the CPU from one native call, and what the step makes and
    nobody else can reach lies in one arena (`gpunet.native.memory.plans` shows it). Results are copies.

    A replay repeats the operations on tensors, and nothing else that the function does. So the function must always
    take the same path for the same kinds of arguments. Tensors that it uses but does not receive, such as parameters
    and buffers, must be changed in place, not replaced. Dropout draws new numbers in each replay, and learning rates
    follow their schedule.

    Gradients cannot flow through a replay's results. A module is therefore returned as it is, and a function runs as
    usual in each call if the graph of its results is still there: compile the whole step, with `backward()` in it.

    Args:
        model: the function, or a module. Without it, the result is a decorator.
        fullgraph: accepted as in PyTorch, without effect: a recording is always whole.
        dynamic: accepted as in PyTorch, without effect: each new shape is recorded.
        backend: accepted as in PyTorch, without effect.
        mode: accepted as in PyTorch, without effect.
        options: accepted as in PyTorch, without effect.
        name: accepted as in PyTorch, without effect.
        disable: return `model` as it is.

    Returns:
        A function with the arguments and results of `model`.

    Raises:
        RuntimeError: in the call that records: a value is read on the host (`item()`, `if` on a tensor, `print`), the
            function computes on two devices, or it calls another compiled function.

    Examples:
        >>> @gpunet.compile
        ... def square(x):
        ...     return x * x
        >>> for x in (1.0, 2.0, 3.0):
        ...     square(gpunet.tensor(x))
        tensor(1.)
        tensor(4.)
        tensor(9.)
    """
    if model is None:
        return functools.partial(compile, disable=disable)
    return model if disable or hasattr(model, "forward") else _replaying(model)


def _has_graph(result: Any) -> bool:
    """Whether a backward pass from a tensor of the result is still to come: of its graph nothing has been freed."""
    nodes: list[Any] = []
    map_tensors(result, lambda t: nodes.append(t._node) or t)
    seen: set[int] = set()
    found = False
    while nodes:
        node = nodes.pop()
        node = getattr(node, "node", node)
        if node is None or is_tensor(node) or id(node) in seen:
            continue
        if node.saved is None and node.results is None:
            return False
        found = True
        seen.add(id(node))
        nodes.extend(node.edges)
    return found


def _replaying(function: Callable[..., Any]) -> Callable[..., Any]:
    seen: set[Any] = set()
    usual: set[Any] = set()  # calls that run as usual
    recordings: dict[Any, _Recording] = {}
    arenas: list[Any] = []  # the one that they share
    turn = threading.RLock()  # a recording has one memory: threads replay one after the other

    @functools.wraps(function)
    def step(*args: Any, **kwargs: Any) -> Any:
        tensors: list[Tensor] = []
        map_tensors((args, kwargs), lambda t: tensors.append(t) or t)
        mixed = mode.autocast and tuple(mode.autocast.types.items())
        key = _key((args, kwargs)), mode.grad, mixed
        if key not in seen or key in usual:
            seen.add(key)
            result = function(*args, **kwargs)
            if key not in usual and _has_graph(result):
                usual.add(key)
            return result

        def rebuild(own: list[Tensor]) -> tuple[Any]:
            remaining = iter(own)
            return (map_tensors((args, kwargs), lambda _: next(remaining)),)

        if extensions.recorder is not None:
            raise RuntimeError("gpunet.compile: a compiled function cannot be called inside another one's recording")
        with turn:
            recording = recordings.get(key)
            if recording is not None:
                return recording(tensors)
            recording = _Recording(lambda both: function(*both[0], **both[1]), tensors, rebuild, arenas)
            recordings[key] = recording
            return recording.outputs()

    step.__dict__["recordings"] = recordings
    return step
