"""`torch._dynamo`: settings of PyTorch's compiler, which is not here."""

from __future__ import annotations

from typing import Any

from gpunet.compat import compiler_settings as config
from gpunet.compat.absent import as_it_is
from gpunet.compat.compiler import allow_in_graph, disable, is_compiling, reset

__all__ = ["allow_in_graph", "config", "disable", "disallow_in_graph", "graph_break", "is_compiling", "mark_dynamic",
           "mark_static", "optimize", "reset"]

disallow_in_graph = as_it_is


def graph_break(*args: Any) -> None:
    """Does nothing."""


mark_dynamic = mark_static = maybe_mark_dynamic = graph_break


def optimize(*args: Any, **kwargs: Any) -> Any:
    """A decorator that changes nothing."""
    return as_it_is
