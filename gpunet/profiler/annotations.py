"""Ranges that a program names, in profiles and in the time line of Nsight Systems."""

from __future__ import annotations

from contextlib import ContextDecorator
from typing import Any, Self

from gpunet.cuda import is_available, nvtx
from gpunet.engine.extensions import extensions
from gpunet.profiler.tracer import Tracer


class record_function(ContextDecorator):
    """Names a range of the program, for profiles and Nsight Systems. A context manager and a decorator.

    Args:
        name: its name.
        args: accepted as in PyTorch, without effect.

    Examples:
        >>> with gpunet.profiler.profile() as prof:
        ...     with gpunet.profiler.record_function("start"):
        ...         x = gpunet.ones(3)
        >>> [event.name for event in prof.events()]
        ['start', 'fill']
    """

    def __init__(self, name: str, args: str | None = None) -> None:
        self.name = name
        self._spans: list[Any] = []

    def _recreate_cm(self) -> Self:
        return type(self)(self.name)  # of a decorated function, each call

    def __enter__(self) -> Self:
        tracer = extensions.profiler
        if tracer is None:
            nvtx.range_push(self.name)
            self._spans.append(None)
        else:
            self._spans.append((tracer, tracer.open(self.name, "range")))
        return self

    def __exit__(self, *_: Any) -> None:
        span = self._spans.pop()
        if span is None:
            nvtx.range_pop()
        else:
            span[0].close(span[1])


class emit_nvtx(ContextDecorator):
    """Names every operation, module and step of a backward pass in the time line of Nsight Systems (`nsys profile`).
    Nothing is kept, and without a GPU nothing happens.

    Args:
        enabled: whether it does.
        record_shapes: accepted as in PyTorch, without effect.

    Raises:
        RuntimeError: when entered while a profile is on, which names them itself.

    Examples:
        >>> with gpunet.profiler.emit_nvtx():
        ...     x = gpunet.ones(3).exp()
    """

    def __init__(self, enabled: bool = True, record_shapes: bool = False) -> None:
        self._tracer = Tracer(keeps=False) if enabled and is_available() else None

    def __enter__(self) -> Self:
        if self._tracer is not None:
            self._tracer.start()
        return self

    def __exit__(self, *_: Any) -> None:
        if self._tracer is not None:
            self._tracer.stop()
