"""Layers that hold a function's options and call it."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable

from gpunet.nn.module import Module
from gpunet.tensor import Tensor


class FunctionLayer(Module):
    """What layers made by `layer_of` share: their options are attributes, by their names in the function."""

    _function: Callable
    _names: tuple[str, ...]  # the function's parameters after `input`, in order; `training` is the module's own
    _options: inspect.Signature  # of __init__
    _shows: str | None

    def __init__(self, *args, **kwargs) -> None:
        super().__init__()
        try:
            options = self._options.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{type(self).__name__}{self._options}: {error}") from None
        options.apply_defaults()
        for name, value in options.arguments.items():
            setattr(self, name, value)

    def forward(self, input: Tensor) -> Tensor:
        return self._function(input, *[getattr(self, name) for name in self._names])

    def extra_repr(self) -> str:
        if self._shows is not None:
            return self._shows.format(**vars(self))
        shown = [f"{name}={getattr(self, name)!r}" for name in self._options.parameters if name != "inplace"]
        return ", ".join(shown + ["inplace=True"] * getattr(self, "inplace", False))


def layer_of(name: str, function: Callable, *names: str, shows: str | None = None) -> type[FunctionLayer]:
    """The layer class `name` that calls `function(input, *options)`.

    names: the options, if not all of the function's parameters. shows: what the layer's repr says, if not all options.
    """
    parameters = list(inspect.signature(function).parameters.values())[1:]
    parameters = [p for p in parameters if p.kind is not p.VAR_KEYWORD and p.name != "out"
                  and (not names or p.name in names)]
    signature = inspect.Signature([p for p in parameters if p.name != "training"])
    return type(name, (FunctionLayer,), {
        "__doc__": function.__doc__, "__module__": sys._getframe(1).f_globals["__name__"],
        "__signature__": signature, "_function": staticmethod(function), "_options": signature,
        "_names": tuple([p.name for p in parameters]), "_shows": shows})
