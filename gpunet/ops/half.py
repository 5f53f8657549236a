"""Half types in functions of several ops, and in gradients: computed in float32, rounded once."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from gpunet.dispatch import is_tensor
from gpunet.dtypes import FLOAT, FLOAT32_NP, HALF_TYPES, category, float32, public
from gpunet.engine.extensions import extensions


def rounded_once(function: Callable) -> Callable[..., Any]:
    """Decorator: where all floating-point tensors that `function` takes are of one half type, it gets them in float32,
    and what it gives is rounded to that type. So a sum of squares does not overflow within it, as in PyTorch's kernels,
    which a function of several ops stands for here. Of a gradient's entries, functions are wrapped likewise. autocast
    knows the function by its name, as it knows an op."""

    @functools.wraps(function)
    def call(*args, **options):
        if extensions.autocast is not None:
            args = extensions.autocast(call, args)
        half = None
        for x in (*args, *options.values()) if options else args:
            try:
                dtype = x._array.dtype
            except AttributeError:
                continue
            if dtype is FLOAT32_NP:
                return function(*args, **options)
            if dtype in HALF_TYPES and half in (None, dtype):
                half = dtype
            elif category(dtype) == FLOAT:
                return function(*args, **options)
        if half is None:
            return function(*args, **options)
        return _narrow(function(*map(_wide, args), **{name: _wide(x) for name, x in options.items()}), public(half))

    named: Any = call
    named.name = function.__name__.lstrip("_")
    return named


def cast_by_autocast(function: Callable) -> Callable[..., Any]:
    """Decorator: autocast knows the function by its name, as it knows an op, and casts what it takes by place."""

    @functools.wraps(function)
    def call(*args, **options):
        if extensions.autocast is not None:
            args = extensions.autocast(call, args)
        return function(*args, **options)

    named: Any = call
    named.name = function.__name__.lstrip("_")
    return named


def _wide(x):
    return x.to(float32) if is_tensor(x) and x._array.dtype in HALF_TYPES else x


def _narrow(value, half):
    if isinstance(value, tuple):
        return tuple([_narrow(x, half) for x in value])
    if is_tensor(value):
        return value.to(half) if value.dtype is float32 else value
    return (lambda: _narrow(value(), half)) if callable(value) else value
