"""What the tests of ops share: expressions run on gpunet or on PyTorch, seeded inputs, and comparison."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field

import ml_dtypes
import numpy as np

import gpunet
from gpunet.nn import functional
from gpunet.ops import linear, linear_epilogue

FLOATS = ("float64", "float32", "float16", "bfloat16")
SIGNED = ("int64", "int32", "int16", "int8")
INTS = (*SIGNED, "uint8")

# Relative and absolute difference from PyTorch, which rounds elsewhere than NumPy does.
TOLERANCE = {"float64": (1e-12, 1e-12), "float32": (2e-6, 2e-6), "float16": (2e-3, 2e-3), "bfloat16": (1.6e-2, 1.6e-2)}


@dataclass(frozen=True)
class Input:
    """How to make one tensor. `kind`: "value" has the type under test, "int", "bool" or a type name are fixed."""

    shape: tuple
    kind: str = "value"
    low: float = -2.0
    high: float = 2.0
    grad: bool = True
    layout: str = "rows"  # "rows": contiguous, "columns": transposed, "gaps": every second element, "expand"
    avoid: tuple = ()  # kinks: values keep a distance of 0.05 from them
    distinct: bool = False  # all values differ by far more than the step of a finite difference
    values: tuple | None = None

    def array(self, dtype: str, seed: int) -> np.ndarray:
        """The values, as an array of the type."""
        rng = np.random.default_rng(seed)
        dtype = dtype if self.kind == "value" else {"int": "int64"}.get(self.kind, self.kind)
        if self.values is not None:
            with np.errstate(invalid="ignore"):  # a NaN in a row that integers are tried in too
                return np.array(self.values).reshape(self.shape).astype(numpy_type(dtype))
        if dtype == "bool":
            return rng.random(self.shape) < 0.5
        if "int" in dtype:
            low = 0 if dtype.startswith("u") and self.low < 0 else self.low
            return rng.integers(int(low), int(self.high), self.shape, endpoint=True).astype(dtype)
        if self.distinct:
            n = int(np.prod(self.shape))
            values = rng.permutation(np.linspace(self.low, self.high, n)).reshape(self.shape)
        else:
            values = np.asarray(rng.uniform(self.low, self.high, self.shape))
        for kink in self.avoid:
            near = np.abs(values - kink) < 0.05
            values = np.where(near, kink + np.where(values < kink, -0.1, 0.1), values)
        return values.astype(numpy_type(dtype))


def numpy_type(name: str):
    return np.dtype(getattr(ml_dtypes, name) if name == "bfloat16" else name)


class Ours:
    """gpunet as the names that an expression sees: `exp`, `linear`, `int64` ..."""

    def __init__(self, device="cpu"):
        self.device = device

    def name(self, name):
        for module in (functional, gpunet, linear, linear_epilogue):
            if hasattr(module, name):
                return getattr(module, name)
        raise AttributeError(name)

    def tensor(self, array, grad=False):
        t = gpunet.tensor(array, device=self.device)
        return t.requires_grad_() if grad else t

    def array(self, t):
        return t.detach().cpu().numpy()

    def dtype(self, t):
        return t.dtype.name

    def grad(self, *args, **kwargs):
        return gpunet.autograd.grad(*args, **kwargs, allow_unused=True)


class Torch:
    """PyTorch as the names that an expression sees."""

    def __init__(self):
        import torch

        self.torch = torch

    def name(self, name):
        for module in (self.torch.nn.functional, self.torch):
            if hasattr(module, name):
                return getattr(module, name)
        raise AttributeError(name)

    def tensor(self, array, grad=False):
        if array.dtype == numpy_type("bfloat16"):
            t = self.torch.from_numpy(array.astype(np.float32)).to(self.torch.bfloat16)
        else:
            t = self.torch.from_numpy(np.array(array, order="C"))
        return t.clone().requires_grad_(grad)

    def array(self, t):
        t = t.detach().resolve_neg()
        return t.float().numpy().astype(ml_dtypes.bfloat16) if t.dtype == self.torch.bfloat16 else t.numpy(force=True)

    def dtype(self, t):
        return str(t.dtype).removeprefix("torch.")

    def grad(self, *args, **kwargs):
        return self.torch.autograd.grad(*args, **kwargs, allow_unused=True)


class Names(dict):
    """The names of an expression: its tensors, then the library's."""

    def __init__(self, library, tensors):
        super().__init__(tensors)
        self.library = library

    def __missing__(self, name):
        try:
            return self.library.name(name)
        except AttributeError:
            raise KeyError(name) from None  # Python goes on to its built-in names


@dataclass(frozen=True)
class Case:
    """One row: an expression, and what its tensors are."""

    text: str
    inputs: dict[str, Input]
    dtypes: tuple = FLOATS
    second: bool = True  # there is a second derivative to check
    torch: bool = True  # PyTorch has it, with the same meaning
    differences: bool = True  # finite differences mean something
    tolerance: dict = field(default_factory=dict)  # per type: (relative, absolute), where TOLERANCE is too strict
    sim: tuple = (1e-5, 1e-5)  # sim and cuda against cpu in float32: (relative, absolute)

    @property
    def id(self) -> str:
        return self.text.replace(" ", "") + " " + ";".join(
            "x".join(map(str, i.shape)) + {"rows": ""}.get(i.layout, i.layout[0]) for i in self.inputs.values())

    @property
    def differentiable(self) -> bool:
        return "float64" in self.dtypes and any(i.grad and i.kind == "value" for i in self.inputs.values())

    def arrays(self, dtype: str) -> dict[str, np.ndarray]:
        """The same values for every library."""
        seed = zlib.crc32(self.id.encode())
        return {name: spec.array(dtype, seed + k) for k, (name, spec) in enumerate(self.inputs.items())}

    def tensors(self, library, dtype: str, grad: bool = False) -> dict:
        return {name: library.tensor(array, grad and self.inputs[name].grad and self.inputs[name].kind == "value")
                for name, array in self.arrays(dtype).items()}

    def __call__(self, library, tensors: dict):
        """Evaluates the expression."""
        laid_out = {name: _layout(t, self.inputs[name].layout) for name, t in tensors.items()}
        return eval(self.text, {}, Names(library, laid_out))


def _layout(t, layout):
    """The tensor in another place in memory, made with operations that both libraries have."""
    if layout == "columns":
        return t.transpose(-1, -2).clone().contiguous().transpose(-1, -2) if t.ndim > 1 else t
    if layout == "gaps":
        pair = t.unsqueeze(-1).expand(*t.shape, 2).clone()
        return pair.reshape(*t.shape[:-1], -1)[..., ::2]
    if layout == "expand":
        return t.unsqueeze(0).expand(3, *t.shape)
    return t


def results(value) -> list:
    """The tensors of a result: one, or several in a tuple."""
    return list(value) if isinstance(value, (tuple, list)) else [value]


def float_results(library, value) -> list:
    return [y for y in results(value) if hasattr(y, "dtype") and "float" in library.dtype(y)]


def cotangents(library, outputs, seed: int = 0) -> list:
    """A random gradient for each output, the same in every library."""
    rng = np.random.default_rng(seed)
    return [library.tensor(np.asarray(rng.uniform(-1, 1, tuple(y.shape))).astype(numpy_type(library.dtype(y))))
            for y in outputs]


def check_equal(ours, expected, tolerance=None, what="value"):
    """Arrays of one type and shape with close values; NaN equals NaN."""
    assert ours.shape == expected.shape, f"{what}: shape {ours.shape}, expected {expected.shape}"
    assert ours.dtype == expected.dtype, f"{what}: type {ours.dtype}, expected {expected.dtype}"
    relative, absolute = tolerance or TOLERANCE.get(ours.dtype.name, (0, 0))
    if ours.dtype.kind in "iub":
        np.testing.assert_array_equal(ours, expected, err_msg=what)
    else:
        np.testing.assert_allclose(ours.astype(np.float64), expected.astype(np.float64), relative, absolute,
                                   err_msg=what)
