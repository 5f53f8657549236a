"""`torch.jit`: models are Python and stay so. What compiles them there returns them as they are here."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, Final, Generic, TypeVar

from gpunet.compat.absent import as_it_is, refuses
from gpunet.nn.module import Module

__all__ = ["Attribute", "Error", "Final", "ScriptFunction", "ScriptModule", "annotate", "export", "fork", "freeze",
           "fuser", "ignore", "interface", "is_scripting", "is_tracing", "isinstance", "load", "onednn_fusion_enabled",
           "optimize_for_inference", "optimized_execution", "save", "script", "script_if_tracing", "script_method",
           "set_fusion_strategy", "trace", "trace_module", "unused", "wait"]

T = TypeVar("T")


class Error(RuntimeError):
    """Never raised."""


class ScriptModule(Module):
    """A Module: there are no compiled ones."""


class ScriptFunction(Generic[T]):
    """The type of a compiled function, of which there are none."""


def script(obj: Any, *args: Any, **kwargs: Any) -> Any:
    """The model, class or function as it is."""
    return obj


def trace(func: Any, *args: Any, **kwargs: Any) -> Any:
    """The model or function as it is; it is not called."""
    return func


def trace_module(mod: Any, *args: Any, **kwargs: Any) -> Any:
    """The model as it is."""
    return mod


def freeze(mod: Any, *args: Any, **kwargs: Any) -> Any:
    """The model as it is."""
    return mod


optimize_for_inference = freeze
script_if_tracing = script_method = export = interface = as_it_is


def ignore(drop: Any = False, **kwargs: Any) -> Any:
    """A decorator, with or without arguments, that changes nothing."""
    return drop if callable(drop) else as_it_is


unused = ignore


def is_scripting() -> bool:
    """Whether code is being compiled: False."""
    return False


is_tracing = is_scripting


def annotate(the_type: Any, the_value: T) -> T:
    """The value."""
    return the_value


def Attribute(value: T, type: Any = None) -> T:
    """The value."""
    return value


def isinstance(obj: Any, target_type: Any) -> bool:
    """Python's isinstance, also for annotations such as List[int], of which the container is looked at."""
    import builtins

    return builtins.isinstance(obj, getattr(target_type, "__origin__", None) or target_type)


def fork(func: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """Calls the function at once. `wait` gives its result."""
    return func(*args, **kwargs)


def wait(future: T) -> T:
    """The result of `fork`."""
    return future


def optimized_execution(should_optimize: bool) -> Any:
    """A context manager that changes nothing."""
    return nullcontext()


fuser = optimized_execution


def set_fusion_strategy(strategy: Any) -> None:
    """Does nothing."""


def onednn_fusion_enabled() -> bool:
    """Whether oneDNN fuses operations: False."""
    return False


_INSTEAD = "there are no compiled models; save and load state_dict() by gpunet.save and gpunet.load"
save, load = refuses("jit.save", _INSTEAD), refuses("jit.load", _INSTEAD)
