"""`torch.compiler`: gpunet reads no Python code, so there is nothing to steer. `gpunet.compile` is another thing."""

from __future__ import annotations

from typing import Any

from gpunet.compat.absent import as_it_is

__all__ = ["allow_in_graph", "assume_constant_result", "cudagraph_mark_step_begin", "disable", "is_compiling",
           "is_dynamo_compiling", "is_exporting", "reset", "set_stance", "substitute_in_graph"]

disable = allow_in_graph = assume_constant_result = as_it_is


def is_compiling() -> bool:
    """Whether code is being compiled: False."""
    return False


is_dynamo_compiling = is_exporting = is_compiling


def reset() -> None:
    """Does nothing: there is no state."""


cudagraph_mark_step_begin = reset


def set_stance(*args: Any, **kwargs: Any) -> Any:
    """A context manager and decorator that changes nothing."""
    from contextlib import nullcontext

    return nullcontext()


def substitute_in_graph(*args: Any, **kwargs: Any) -> Any:
    """A decorator that changes nothing."""
    return as_it_is
