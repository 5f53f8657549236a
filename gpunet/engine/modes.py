"""Whether operations are recorded for a backward pass: `no_grad`, `enable_grad`, `inference_mode`."""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable, Generator
from typing import Any, Self, TypeVar, overload

from gpunet.engine.extensions import extensions

F = TypeVar("F", bound=Callable[..., Any])


class _Mode(threading.local):
    """The modes of one thread. A thread starts with gradients on, as in PyTorch."""

    grad = True  # operations are recorded
    inference = False  # results can never take part in a backward pass
    # What a backward pass that is going on is about, (roots, useful nodes, targets; see graph.run): gradients are then
    # plain tensors.
    walking: tuple | None = None
    autocast: Any = None  # mixed precision: see amp/autocasting.py

    def casts(self, device_type: str) -> bool:
        """Whether mixed precision chooses the types on devices of this type."""
        return self.autocast is not None and device_type in self.autocast.types


mode = _now = _Mode()  # _now: where a parameter has the name


def is_grad_enabled() -> bool:
    """Whether operations on tensors that require gradients are being recorded in this thread.

    Returns:
        True outside of `no_grad`, `inference_mode` and `set_grad_enabled(False)`.

    Examples:
        >>> with gpunet.no_grad():
        ...     gpunet.is_grad_enabled()
        False
    """
    return mode.grad


def is_inference_mode_enabled() -> bool:
    """Whether this thread is inside `inference_mode`.

    Returns:
        True inside.

    Examples:
        >>> with gpunet.inference_mode():
        ...     gpunet.is_inference_mode_enabled()
        True
    """
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


def _drive(wanted: tuple[bool, bool | None], function: Callable[..., Generator[Any, Any, Any]], *args: Any,
           **kwargs: Any) -> Generator[Any, Any, Any]:
    """Runs a generator, the mode being on only while its own body runs."""
    generator = function(*args, **kwargs)
    resume: Callable[[Any], Any] = generator.send
    sent: Any = None
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


class _Bare(_GradMode):
    """A mode that decorates without parentheses too."""

    @overload
    def __new__(cls, orig_func: None = None) -> Self: ...

    @overload
    def __new__(cls, orig_func: F) -> F: ...

    def __new__(cls, orig_func: Any = None) -> Any:
        if orig_func is None:
            return super().__new__(cls)
        mode: Any = cls  # of which __init__ needs no arguments
        return mode()(orig_func)


class no_grad(_Bare):
    """Operations inside are not recorded: results do not require gradients. A context manager and a decorator.

    Args:
        orig_func: The function to decorate, for `@no_grad` without parentheses.

    Examples:
        >>> x = gpunet.ones(2, requires_grad=True)
        >>> with gpunet.no_grad():
        ...     y = x * 2
        >>> y.requires_grad
        False
        >>> @gpunet.no_grad()
        ... def double(x):
        ...     return x * 2
        >>> double(x).requires_grad
        False
    """

    def __init__(self) -> None:
        super().__init__(False)


class enable_grad(_Bare):
    """Operations inside are recorded, also within `no_grad`. A context manager and a decorator.

    Args:
        orig_func: The function to decorate, for `@enable_grad` without parentheses.

    Examples:
        >>> x = gpunet.ones(2, requires_grad=True)
        >>> with gpunet.no_grad():
        ...     with gpunet.enable_grad():
        ...         y = x * 2
        >>> y.requires_grad
        True
    """

    def __init__(self, orig_func: None = None) -> None:
        super().__init__(True)


class inference_mode(_GradMode):
    """`no_grad`, and the results can never be used in a recorded operation later. A context manager and a decorator.

    Args:
        mode: False leaves inference mode inside of it.

    Raises:
        TypeError: If it decorates a function without parentheses.

    Examples:
        >>> x = gpunet.ones(2, requires_grad=True)
        >>> with gpunet.inference_mode():
        ...     y = x * 2
        >>> y.requires_grad, y.is_inference()
        (False, True)
    """

    def __init__(self, mode: bool = True) -> None:
        if callable(mode):
            raise TypeError("use inference_mode with parentheses: @inference_mode()")
        super().__init__(not mode and is_grad_enabled(), mode)
        extensions.adapts = True


class set_grad_enabled(_GradMode):
    """Turns recording on or off, at once when called as a function, and until the end of a `with` block.

    Args:
        mode: Whether operations are recorded.

    Examples:
        >>> x = gpunet.ones(2, requires_grad=True)
        >>> training = False
        >>> with gpunet.set_grad_enabled(training):
        ...     y = x * 2
        >>> y.requires_grad
        False
    """

    def __init__(self, mode: bool) -> None:
        super().__init__(bool(mode))
        self._at_call = (_now.grad, _now.inference)
        _now.grad = bool(mode)

    def __enter__(self) -> None:
        self._before.append(self._at_call)
        _now.grad = self._wanted[0]

    def __call__(self, function: F) -> F:
        _now.grad, _now.inference = self._at_call  # a decorator changes nothing outside the function
        return super().__call__(function)
