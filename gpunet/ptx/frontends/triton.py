"""Kernels of Triton: compiled by `triton.compile`, for a GPU that need not be there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import ml_dtypes
import numpy as np

from gpunet.kernel.finding import Finding
from gpunet.kernel.occupancy import capability_of
from gpunet.ptx.frontends.simulated import Launch, Simulated, library, sizes
from gpunet.ptx.launch import Kernel

_WARP = 32
_SCALARS = {"i1": np.int8, "u1": np.uint8, "fp16": np.float16, "bf16": ml_dtypes.bfloat16, "fp32": np.float32,
            "fp64": np.float64,
            **{f"{sign}{bits}": np.dtype(f"{kind}{bits // 8}").type for sign, kind in (("i", "i"), ("u", "u"))
               for bits in (8, 16, 32, 64)}}


def from_triton(kernel: Any, architecture: str = "sm_80") -> Simulated:
    """A Triton kernel that runs on NumPy arrays, by the PTX that Triton compiles.

    Launches are written as in Triton, `kernel[grid](x, y, n, BLOCK=128, num_warps=4)`, with NumPy arrays in place of
    tensors. Arguments are specialized as Triton does: addresses and numbers that are multiples of 16, and 1.

    Args:
        kernel: a function under `@triton.jit`, also with `@triton.heuristics`. Of an autotuned kernel take its `fn`,
            and write a configuration's values into the launch.
        architecture: to compile for.

    Returns:
        The kernel; its `check[grid](...)` gives findings and its `profile[grid](...)` counters, by the lines of the
        kernel's Python source.

    Raises:
        TypeError: it is no kernel of Triton.
        MissingError: at the first launch; Triton or llvmlite is not installed.
        Unsupported: at the first launch; the PTX has an instruction that is not simulated.

    Examples:
        >>> def scale(x, by):
        ...     "A function that is not under @triton.jit."
        >>> gpunet.ptx.from_triton(scale)
        Traceback (most recent call last):
            ...
        TypeError: from_triton takes a function under @triton.jit, got <function scale at ...>
    """
    inner = kernel
    while hasattr(inner, "fn") and not hasattr(inner, "params"):
        if hasattr(inner, "configs"):
            raise TypeError("from_triton: nothing is measured here, so an autotuned kernel cannot choose; pass its "
                            "`fn`, and write the values of one of its `configs` into the launch")
        inner = inner.fn
    if not hasattr(inner, "params") or not hasattr(inner, "fn"):
        interpreted = "; unset TRITON_INTERPRET" if type(kernel).__name__ == "InterpretedFunction" else ""
        raise TypeError(f"from_triton takes a function under @triton.jit, got {kernel!r}{interpreted}")
    return Simulated(_Lowering(kernel, inner, architecture), "kernel[grid](...)", f"{inner.fn.__name__} of Triton")


class _Lowering:
    def __init__(self, kernel: Any, inner: Any, architecture: str) -> None:
        self.kernel, self.inner, self.architecture = kernel, inner, architecture
        self._bind: Any = None
        self._compiled: dict[str, tuple[Kernel, Any]] = {}

    def __call__(self, grid: Any, *args: Any, **options: Any) -> Launch:
        target = _triton("backends.compiler").GPUTarget("cuda", capability_of(self.architecture), _WARP)
        backend = _triton("compiler").make_backend(target)
        if self._bind is None:
            self._bind = _triton("runtime.jit").create_function_from_signature(self.inner.signature, self.inner.params,
                                                                               backend)
        options = self._with_heuristics(args, options)
        bound, specialization, _ = self._bind(*map(_tensor, args),
                                              **{name: _tensor(each) for name, each in options.items()})
        known, signature, constants, attributes = self.inner._pack_args(backend, options, bound, specialization, None)
        key = repr((signature, constants, attributes, known))
        if key not in self._compiled:
            self._compiled[key] = _compile(self.inner, signature, constants, attributes, known, target)
        kernel, about = self._compiled[key]
        names, values = zip(*_parameters(signature, bound), strict=True) if signature else ((), ())
        grid = sizes(grid({name: _plain(each) for name, each in bound.items()}) if callable(grid) else grid)
        blocks = int(np.prod(grid)) * max(about.num_ctas, 1)
        scratch = [np.zeros(size * blocks, np.uint8) if size else None
                   for size in (about.global_scratch_size, about.profile_scratch_size)]
        missing = len(kernel.entry.parameters) - len(values)
        return Launch(self.inner.fn.__name__, kernel, (grid[0] * about.num_ctas, *grid[1:]), (about.num_warps * _WARP,),
                      (*values, *scratch[:missing]), (*names, "scratch", "scratch")[:len(values) + missing],
                      about.shared, kept=_kept)

    def _with_heuristics(self, args: tuple, options: dict[str, Any]) -> dict[str, Any]:
        each = self.kernel
        while each is not self.inner:
            for name, value in each.values.items():
                options = {**options, name: value({**dict(zip(each.arg_names, args, strict=False)), **options})}
            each = each.fn
        return options


def _compile(kernel: Any, signature: Any, constants: Any, attributes: Any, options: Any,
             target: Any) -> tuple[Kernel, Any]:
    compiler = _triton("compiler")
    source = compiler.ASTSource(fn=kernel, signature=signature, constexprs=constants, attrs=attributes)
    compiled = compiler.compile(source, target=target, options=options.__dict__)
    return Kernel(_with_true_lines(compiled.asm["ptx"]), compiled.metadata.name), compiled.metadata


def _triton(module: str) -> Any:
    return library(f"triton.{module}", "triton")


def _with_true_lines(text: str) -> str:
    """Of an access, which is inline assembly, LLVM counts the second instruction as a line further on: the place before
    it stands for all of it."""
    return re.sub(r"// begin inline asm\n.*?// end inline asm",
                  lambda match: re.sub(r"^\s*\.loc\s[^\n]*", "", match[0], flags=re.MULTILINE), text, flags=re.DOTALL)


class _Tensor:
    """An array as Triton looks at a tensor."""

    def __init__(self, array: np.ndarray) -> None:
        self.array, self.dtype, self.shape = array, array.dtype, array.shape

    def data_ptr(self) -> int:
        return self.array.ctypes.data

    def stride(self, axis: int | None = None) -> Any:
        strides = tuple(each // self.array.itemsize for each in self.array.strides)
        return strides if axis is None else strides[axis]


def _tensor(value: Any) -> Any:
    if not isinstance(value, np.ndarray) or not value.ndim:
        return value.item() if isinstance(value, np.generic) else value
    if not value.flags.c_contiguous:  # copied for checks and profiles, where its strides would not be those passed
        raise ValueError(f"an array of shape {value.shape} has elements that do not lie one after another; pass "
                         "numpy.ascontiguousarray(x), and its strides")
    return _Tensor(value)


def _plain(value: Any) -> Any:
    return value.array if isinstance(value, _Tensor) else value


def _parameters(signature: Any, bound: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """(name, value) of the PTX's parameters: what is not a constant."""
    for name, kind in signature.items():
        yield from _flat(name, kind, bound[name])


def _flat(name: str, kind: Any, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(kind, tuple):
        for number, (inner, each) in enumerate(zip(kind, value, strict=True)):
            yield from _flat(f"{name}[{number}]", inner, each)
    elif kind == "constexpr":
        return
    elif kind.startswith("*"):
        yield name, value.array if isinstance(value, _Tensor) else value
    elif kind in _SCALARS:
        yield name, np.array(value).astype(_SCALARS[kind])[()]
    else:
        raise TypeError(f"argument {name}: Triton's type {kind} is not known to the simulator")


def _kept(finding: Finding) -> bool:
    """Not that threads of one block write the same value: so Triton spreads what has fewer elements than threads."""
    return not (finding.kind == "race" and finding.severity == "warning" and finding.other is not None
                and finding.other.block == finding.block)


from_triton.__module__ = "gpunet.ptx"
