"""`torch.fx`: gpunet does not trace models into graphs. Hooks see what goes through the layers."""

from __future__ import annotations

from typing import Any

from gpunet.compat.absent import refuses
from gpunet.nn.module import Module

__all__ = ["Graph", "GraphModule", "Interpreter", "Node", "Proxy", "Tracer", "replace_pattern", "symbolic_trace",
           "wrap"]

_INSTEAD = "gpunet does not trace models into graphs; register_forward_hook shows what goes through a layer"


class _Refused:
    """A class of which nothing can be made; isinstance() is False."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        refuses(f"fx.{type(self).__name__}", _INSTEAD)()


class Graph(_Refused):
    """Not here."""


class Node(_Refused):
    """Not here."""


class Proxy(_Refused):
    """Not here."""


class Tracer(_Refused):
    """Not here."""


class Interpreter(_Refused):
    """Not here."""


class GraphModule(Module):
    """A traced model, of which there are none."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        refuses("fx.GraphModule", _INSTEAD)()


def wrap(fn_or_name: Any) -> Any:
    """The function as it is."""
    return fn_or_name


symbolic_trace, replace_pattern = (refuses(f"fx.{name}", _INSTEAD) for name in ("symbolic_trace", "replace_pattern"))
