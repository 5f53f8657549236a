"""What a program is, the register of families, and the two libraries that a program runs on."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tests.random_programs.draw import Draw, Operand


class Library:
    """gpunet or PyTorch, computing in one floating-point type on one device."""

    def __init__(self, module, dtype: str, device: str = "cpu"):
        self.module, self.dtype, self.device = module, getattr(module, dtype), device
        self.nn, self.F = module.nn, module.nn.functional
        self.parameters: list = []  # of the layers that a program made: their gradients are compared too

    def __getattr__(self, name):
        """The function of that name: of nn.functional, of the library itself, or a method."""
        for place in (self.F, self.module, self.module.Tensor):
            if hasattr(place, name):
                return getattr(place, name)
        raise AttributeError(f"{self.module.__name__} has no function {name}")

    def constant(self, array: np.ndarray):
        """A tensor that takes no gradient; floats have the type under test."""
        t = self.module.tensor(array, device=self.device)
        return t.to(self.dtype) if array.dtype.kind == "f" else t

    def leaf(self, array: np.ndarray):
        return self.constant(array).requires_grad_()

    def layer(self, name: str, weights: Sequence[np.ndarray], *args, **options):
        """A layer with these parameters."""
        layer = getattr(self.nn, name)(*args, **options).to(self.dtype).to(self.device)
        for parameter, values in zip(layer.parameters(), weights, strict=True):
            parameter.data = self.constant(values)
        self.parameters += layer.parameters()
        return layer


@dataclass(frozen=True)
class Program:
    """A function of the operands: that of the name, or `body(library, *tensors, **options)`. Arrays among the options
    become tensors."""

    name: str
    operands: Sequence[Operand]
    options: dict[str, Any] = field(default_factory=dict)
    body: Callable | None = None

    def __call__(self, library: Library, *tensors):
        options = {name: library.constant(value) if isinstance(value, np.ndarray) else value
                   for name, value in self.options.items()}
        if self.body is None:
            return getattr(library, self.name)(*tensors, **options)
        return self.body(library, *tensors, **options)

    def __str__(self):
        options = {name: f"{value.dtype}{value.shape}" if isinstance(value, np.ndarray) else value
                   for name, value in self.options.items()}
        return f"{self.name}({'; '.join(map(str, self.operands))})" + (f" {options}" if options else "")


FAMILIES: dict[str, Callable[[Draw], Program]] = {}


def family(generator: Callable[[Draw], Program]) -> Callable[[Draw], Program]:
    """Registers a function that draws a program."""
    FAMILIES[generator.__name__] = generator
    return generator


def program_of(name: str, seed: int) -> Program:
    """The family's program of that seed, whatever other families there are."""
    return FAMILIES[name](Draw(seed, zlib.crc32(name.encode())))
