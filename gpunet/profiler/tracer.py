"""The tracer: what dispatch, the graph, modules and optimizers call while a profile is on; see engine/extensions.py."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from gpunet import cuda
from gpunet.cuda import nvtx
from gpunet.engine.extensions import extensions
from gpunet.engine.modes import mode
from gpunet.nn.hooks import call_inside
from gpunet.profiler.events import Event

if TYPE_CHECKING:
    from gpunet.engine.graph import Joint, Node


class Tracer:
    """Notes events while it is on.

    events: what has ended, in the order of ends; `finished` sorts them.
    """

    def __init__(self, shapes: bool = False, memory: bool = False, device_times: bool = True,
                 keeps: bool = True) -> None:
        self.events: list[Event] = []
        self._shapes, self._memory, self._keeps = shapes, memory, keeps
        self._nvtx = cuda.is_available()
        self._device_times = device_times and keeps and self._nvtx
        self._threads = threading.local()  # .stack: the events that have begun in this thread
        self._modules: dict[int, tuple[Any, str]] = {}  # id -> the module, which keeps its id, and its path
        self._roots: dict[str, int] = {}  # how many models of a class there are
        self._places: WeakKeyDictionary[Node, str | None] = WeakKeyDictionary()  # to which module a node belongs

    def start(self) -> None:
        """Begins. Raises RuntimeError if another one is on."""
        if extensions.profiler is not None:
            raise RuntimeError("profile: another profile is on; end it first: two would measure each other")
        extensions.set_profiler(self)
        call_inside(self.module)

    def stop(self) -> None:
        """Ends, and fetches the GPU's times."""
        extensions.set_profiler(None)
        call_inside(None)
        self._fetch_device_times()
        self.events.sort(key=lambda event: (event.start, -event.end))

    # ---- beginning and end

    def open(self, name: str, kind: str) -> Event:
        """Begins an event inside the one at hand."""
        stack = self._stack()
        event = Event(name, kind, stack[-1] if stack else None)
        event.thread = threading.get_ident()
        stack.append(event)
        if self._nvtx:
            nvtx.range_push(name)
        event.start = perf_counter_ns()
        return event

    def close(self, event: Event) -> None:
        """Ends an event."""
        event.end = perf_counter_ns()
        if self._nvtx:
            nvtx.range_pop()
        stack = self._stack()
        if stack and stack[-1] is event:
            stack.pop()
        elif event in stack:  # a range that ends before what began inside it, such as a step
            stack.remove(event)
        parent = event.parent
        event.cpu_memory_usage += event.self_cpu_memory_usage
        if parent is not None:
            parent.inner += event.end - event.start
            parent.cpu_memory_usage += event.cpu_memory_usage
        if self._keeps:
            self.events.append(event)

    def _stack(self) -> list[Event]:
        try:
            return self._threads.stack
        except AttributeError:
            self._threads.stack = []
            return self._threads.stack

    # ---- what others call

    def begin(self, op: Any, outs: Sequence[Any], arrays: Iterable[Any], device: Any, fresh: int) -> None:
        """A call of an op begins. fresh: how many of its outputs, the first ones, are new memory."""
        event = self.open(op.name, "op")
        event.backward = mode.walking is not None
        if self._shapes:
            event.input_shapes = tuple(tuple(each.shape) for each in arrays if hasattr(each, "shape"))
        if self._memory and fresh:
            event.self_cpu_memory_usage = sum(each.nbytes for each in outs[:fresh])
        if self._device_times and device.type == "cuda" and not cuda.is_current_stream_capturing():
            event.marks = cuda.Event(enable_timing=True), cuda.Event(enable_timing=True)
            event.marks[0].record()
            event.start = perf_counter_ns()

    def end(self) -> None:
        """The call of an op ends."""
        event = self._stack()[-1]
        if event.marks is not None:
            event.marks[1].record()
        self.close(event)

    def note(self, node: Node) -> None:
        """A new node of the graph: it belongs to the module that is at work."""
        stack = self._stack()
        if stack and stack[-1].module is not None:
            self._places[node] = stack[-1].module

    def backward(self, node: Node, gradients: list[Any], joint: Joint | None,
                 function: Callable[..., Any]) -> list[Any]:
        """The gradients of a node's inputs, some of which may be functions that compute them when wanted."""
        name = node.name()
        results = self._in_backward(node, name, 1, function, node, gradients, joint)
        return [each if each is None or hasattr(each, "_array") else
                (lambda wanted=each: self._in_backward(node, name, 0, wanted)) for each in results]

    def _in_backward(self, node: Node, name: str, count: int, function: Callable[..., Any], *args: Any) -> Any:
        event = self.open(name, "backward")
        event.count, event.backward, event.op, event.module = count, True, node.op.name, self._places.get(node)
        try:
            return function(*args)
        finally:
            self.close(event)

    def range(self, name: str) -> Span:
        """A context that is an event of this name."""
        return Span(self, name, "range")

    def module(self, module: Any) -> Span:
        """A context that is a call of a module."""
        return Span(self, self._path(module), "module")

    def _path(self, module: Any) -> str:
        """The name of the outermost module's class, and the way from there: `Net.features.0`."""
        known = self._modules.get(id(module))
        if known is None:
            root = type(module).__name__
            number = self._roots[root] = self._roots.get(root, 0) + 1
            root += f"#{number}" * (number > 1)
            for path, each in module.named_modules():
                self._modules.setdefault(id(each), (each, f"{root}.{path}" if path else root))
            known = self._modules[id(module)]
        return known[1]

    def classes(self) -> dict[str, str]:
        """The class of each module that was called, by its path."""
        return {path: type(module).__name__ for module, path in self._modules.values()}

    # ---- the GPU's times

    def _fetch_device_times(self) -> None:
        marked = [event for event in self.events if event.marks is not None]
        if not marked:
            return
        first = marked[0]
        marked[-1].marks[1].synchronize()
        for event in marked:
            start, end = event.marks
            event.self_device_time_total = 1000 * start.elapsed_time(end)
            event.device_start = first.start + 1e6 * first.marks[0].elapsed_time(start)
            above: Event | None = event
            while above is not None:
                above.device_time_total += event.self_device_time_total
                above = above.parent
        for event in marked:
            event.marks = None


class Span:
    """A context that is an event. A class, because a generator would take longer."""

    __slots__ = ("_tracer", "_name", "_kind", "_event")

    def __init__(self, tracer: Tracer, name: str, kind: str) -> None:
        self._tracer, self._name, self._kind = tracer, name, kind

    def __enter__(self) -> None:
        self._event = self._tracer.open(self._name, self._kind)
        if self._kind == "module":
            self._event.module = self._name

    def __exit__(self, *_: object) -> None:
        self._tracer.close(self._event)
