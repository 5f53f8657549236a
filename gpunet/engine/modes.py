"""Whether operations are recorded for a backward pass: `no_grad`, `enable_grad`, `inference_mode`."""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable
from typing import Any, Self, TypeVar, overload

from gpunet.engine.extensions import extensions

F = TypeVar("F", bound=Callable[..., Any])


class _Mode(threading.local):
    """The modes of one thread. A thread starts with gradients on, as in PyTorch."""

    grad = True  # operations are recorded
    inference = False  # results can never take part in a backward pass
    autocast: Any = None  # mixed precision: see amp/autocasting.py


mode = _Mode()


def is_grad_enabled() -> bool:
    """Whether operations on tensors that require gradients are being recorded in this thread."""
    return mode.grad


def is_inference_mode_enabled() -> bool:
    """Whether this thread is inside `inference_mode`."""
    return mode.inference


class _GradMode:
    """A context manager that is a decorator too; for generator functions the mode holds in their body alone."""

    def __init__(self, grad: bool, inference: bool | None = None) -> None:
        self._wanted = grad, inference
        self._before: list[tuple[bool, bool]] = []

    def __enter__(self) -> None:
        grad, inference = self._wanted
        self._before.append((mode.grad, mode.inference))
        mode.grad = grad
        if inference is not None:
            mode.inference = inference

    def __exit__(self, *_: object) -> None:
        mode.grad, mode.inference = self._before.pop()

    def __call__(self, function: F) -> F:
        if inspect.isgeneratorfunction(function):
            return functools.wraps(function)(functools.partial(_drive, self._wanted, function))  # pyright: ignore

        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with _GradMode(*self._wanted):
                return function(*args, **kwargs)

        return wrapped  # pyright: ignore[reportReturnType]


def _drive(wanted, function, *args, **kwargs):
    """Runs a generator, the mode being on only while its own body runs."""
    generator = function(*args, **kwargs)
    resume, sent = generator.send, None
    try:
        while True:
            try:
                with _GradMode(*wanted):
                    value = resume(sent)
            except StopIteration as stop:
                return stop.value
            try:
                resume, sent = generator.send, (yield value)
            except Exception as error:
                resume, sent = generator.throw, error
    finally:
        with _GradMode(*wanted):
            generator.close()


class no_grad(_GradMode):
    """Operations inside are not recorded: results do not require gradients. A context manager and a decorator."""

    @overload
    def __new__(cls, function: None = None) -> Self: ...

    @overload
    def __new__(cls, function: F) -> F: ...

    def __new__(cls, function: Any = None) -> Any:
        self = super().__new__(cls)
        if function is not None:  # used as @no_grad without parentheses
            cls.__init__(self)
            return self(function)
        return self

    def __init__(self, function: Any = None) -> None:
        super().__init__(False)


class enable_grad(_GradMode):
    """Operations inside are recorded, also within `no_grad`. A context manager and a decorator."""

    @overload
    def __new__(cls, function: None = None) -> Self: ...

    @overload
    def __new__(cls, function: F) -> F: ...

    def __new__(cls, function: Any = None) -> Any:
        self = super().__new__(cls)
        if function is not None:
            cls.__init__(self)
            return self(function)
        return self

    def __init__(self, function: Any = None) -> None:
        super().__init__(True)


class inference_mode(_GradMode):
    """`no_grad`, and the results can never be used in a recorded operation later (which would be an error)."""

    def __init__(self, mode: bool = True) -> None:
        if callable(mode):
            raise TypeError("use inference_mode with parentheses: @inference_mode()")
        super().__init__(not mode and is_grad_enabled(), mode)
        extensions.inference = True


class set_grad_enabled(_GradMode):
    """Turns recording on or off, at once when called as a function, and until the end of a `with` block."""

    def __init__(self, enabled: bool) -> None:
        super().__init__(bool(enabled))
        self._at_call = (mode.grad, mode.inference)
        mode.grad = bool(enabled)

    def __enter__(self) -> None:
        self._before.append(self._at_call)
        mode.grad = self._wanted[0]

    def __call__(self, function: F) -> F:
        mode.grad, mode.inference = self._at_call  # a decorator changes nothing outside the function
        return super().__call__(function)
