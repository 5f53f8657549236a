"""autocast: which operations run in a half type, and which in float32.

While autocast is on in some thread, dispatch passes the inputs of every call through `_cast`. One table says, by the
name of the operation, to which type the inputs are cast.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, Self, TypeVar

from gpunet._warn import warn
from gpunet.dtypes import FLOAT64_NP, bfloat16, dtype, float16, float32
from gpunet.engine.extensions import extensions
from gpunet.engine.modes import mode
from gpunet.ops.views import cast
from gpunet.tensor import Tensor

__all__ = ["autocast", "custom_bwd", "custom_fwd", "get_autocast_dtype", "is_autocast_available",
           "is_autocast_cache_enabled", "is_autocast_enabled"]

F = TypeVar("F", bound=Callable[..., Any])

LOW, FLOAT32 = "low", "float32"

# PyTorch's lists for the CPU and for CUDA devices, by the names of our ops and of the functions that ops/half.py
# decorates; `sim` is a CUDA device. The result of an op in neither list has the widest type of its inputs, as outside
# autocast. (A transposed convolution is conv_input_grad; layer, group and RMS norm are sample_norm; backward passes
# are not autocast.)
_EVERYWHERE = {
    LOW: ("matmul", "linear", "linear_relu", "linear_epilogue", "linear_kept", "conv", "conv_relu", "conv_epilogue",
          "conv_input_grad", "sequence"),
    FLOAT32: ("softmax_ce", "cross_entropy", "nll", "cdist", "ctc", "logsigmoid", "sample_norm", "prod", "det",
              "slogdet", "inv", "pinv", "solve", "cholesky", "qr", "svd", "eigh"),
}
_ON_GPU = {
    LOW: ("attention",),
    FLOAT32: ("acos", "asin", "cosh", "sinh", "tan", "erfinv", "exp", "expm1", "log", "log10", "log2", "log1p", "pow",
              "reciprocal", "rsqrt", "softmax", "log_softmax", "logsumexp", "sum", "norm",
              "unit_vectors", "cosine_similarity"),
}
TABLE: dict[str, dict[str, str]] = {  # device type -> op -> LOW or FLOAT32
    kind: {name: to for table in tables for to, names in table.items() for name in names}
    for kind, tables in {"cpu": (_EVERYWHERE,), "cuda": (_EVERYWHERE, _ON_GPU), "sim": (_EVERYWHERE, _ON_GPU)}.items()
}
_DEFAULT = {"cpu": bfloat16, "cuda": float16, "sim": float16}


class _State(NamedTuple):
    """The autocast of a thread: the half type for each type of device, and the casts of weights (None: not kept)."""

    types: dict[str, dtype]
    cache: dict[tuple[int, dtype], tuple[Tensor, int, Tensor]] | None

    @contextmanager
    def without_cache(self) -> Iterator[None]:
        """Inside, this state without kept casts: a function that runs twice then makes the same casts both times."""
        before, mode.autocast = mode.autocast, self._replace(cache=None)
        _count(1)
        try:
            yield
        finally:
            mode.autocast = before
            _count(-1)


class _Own(threading.local):
    cache_enabled = True


_own = _Own()
_lock, _users = threading.Lock(), [0]  # contexts of all threads


def is_autocast_available(device_type: str) -> bool:
    """Whether autocast knows a type of device.

    Args:
        device_type: such as "cuda".

    Examples:
        >>> amp.is_autocast_available("cpu")
        True
    """
    return device_type in TABLE


def is_autocast_enabled(device_type: str = "cuda") -> bool:
    """Whether autocast is on in this thread for a type of device.

    Args:
        device_type: "cpu", "cuda" or "sim".

    Examples:
        >>> with gpunet.autocast("cpu"):
        ...     gpunet.is_autocast_enabled("cpu")
        True
    """
    return mode.casts(device_type)


def get_autocast_dtype(device_type: str) -> dtype:
    """The half type of autocast on a type of device: that of the context, or the default.

    Args:
        device_type: "cpu", "cuda" or "sim".

    Examples:
        >>> amp.get_autocast_dtype("cpu")
        gpunet.bfloat16
    """
    return (mode.autocast.types if mode.autocast else _DEFAULT).get(device_type, _DEFAULT[device_type])


def is_autocast_cache_enabled() -> bool:
    """Whether casts of weights are kept until the outermost context ends.

    Examples:
        >>> amp.is_autocast_cache_enabled()
        True
    """
    return _own.cache_enabled


class autocast:
    """Mixed precision: inside this context, each operation on a type of device chooses its own precision.

    Matrix products, linear layers, convolutions and attention run in `dtype`; losses, layer and group norms and the
    like in float32, on GPUs also exponentials, softmax and sums; all others in the widest type of their inputs, but
    batch and instance norms in that of the images, with statistics and sums in float32. float64 stays as it is,
    and in-place operations keep the type of their tensor. The lists are PyTorch's, with two differences: an operation
    of a composed loss may run in the type of its inputs, and layer_norm gives float32 on the CPU too.

    Use it for the forward pass and the loss only: gradients get the types of the forward pass. It is a context
    manager, and a decorator.

    Source: Micikevicius et al., "Mixed Precision Training", 2018.

    Args:
        device_type: "cpu", "cuda" or "sim".
        dtype: bfloat16 or float16; None: bfloat16 on the CPU, float16 elsewhere.
        enabled: False turns autocast off inside another context.
        cache_enabled: whether the cast of a weight is kept until the outermost context ends or the weight changes;
            None: as in the outer context, at first True.

    Raises:
        RuntimeError: `device_type` is no type of device.

    Examples:
        >>> x = gpunet.ones(2, 2)
        >>> with gpunet.autocast("cpu"):
        ...     (x @ x).dtype
        gpunet.bfloat16
    """

    def __init__(self, device_type: str, dtype: dtype | None = None, enabled: bool = True,
                 cache_enabled: bool | None = None) -> None:
        if not isinstance(device_type, str):
            raise ValueError(f"Expected `device_type` of type `str`, got: `{type(device_type)}`")
        if not is_autocast_available(device_type):
            raise RuntimeError(f"User specified an unsupported autocast device_type '{device_type}'")
        self.device, self.fast_dtype = device_type, get_autocast_dtype(device_type) if dtype is None else dtype
        if enabled and self.fast_dtype not in (bfloat16, float16):
            warn(f"In {device_type.upper()} autocast, but the target dtype is not supported. Disabling "
                 f"autocast.\n{device_type.upper()} Autocast only supports dtypes of gpunet.bfloat16, "
                 "gpunet.float16 currently.")
            enabled = False
        self._enabled = enabled
        self._cache = _own.cache_enabled if cache_enabled is None else cache_enabled
        self._before: list[tuple[Any, bool]] = []

    def __enter__(self) -> Self:
        self._before.append((mode.autocast, _own.cache_enabled))
        outer = mode.autocast
        types = {**(outer.types if outer else {}), self.device: self.fast_dtype}
        if not self._enabled:
            del types[self.device]
        cache = (outer.cache if outer and outer.cache is not None else {}) if self._cache else None
        mode.autocast, _own.cache_enabled = _State(types, cache) if types else None, self._cache
        _count(1)
        return self

    def __exit__(self, *_: object) -> None:
        mode.autocast, _own.cache_enabled = self._before.pop()
        _count(-1)

    def __call__(self, function: F) -> F:
        if not callable(function):
            raise TypeError(f"autocast()(func) requires a callable, but got {type(function).__name__}. Did you mean to "
                            "use autocast as a context manager? For example:\n    with gpunet.autocast(device_type="
                            "...):\n        output = model(input)")

        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with self:
                return function(*args, **kwargs)

        return wrapped  # pyright: ignore[reportReturnType]  (it has the parameters of `function`)


def _count(change: int) -> None:
    with _lock:
        _users[0] += change
        extensions.autocast = _cast if _users[0] else None


def _cast(op: Any, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """The inputs of a call, cast as the table says."""
    state: _State | None = mode.autocast
    if state is None:
        return inputs
    device = next((x._device for x in inputs if isinstance(x, Tensor)), None)
    low = None if device is None else state.types.get(device.type)
    if device is None or low is None or (wanted := TABLE[device.type].get(op.name)) is None:
        return inputs
    target = low if wanted is LOW else float32
    return tuple(_as(x, target, state.cache) if isinstance(x, Tensor) else x for x in inputs)


def _as(x: Tensor, target: dtype, cache: dict[tuple[int, dtype], tuple[Tensor, int, Tensor]] | None) -> Tensor:
    array = x._array
    if array.dtype.kind not in "fV" or array.dtype == target.numpy or array.dtype == FLOAT64_NP:
        return x
    if (cache is None or x._node is not None or not x._requires_grad or not mode.grad or target is float32
            or extensions.recorder is not None):
        return cast(x, dtype=target.numpy)
    kept = cache.get((id(x), target))
    if kept is None or kept[0] is not x or kept[1] != x._version[0]:
        kept = cache[id(x), target] = x, x._version[0], cast(x, dtype=target.numpy)
    return kept[2]


# ---- autograd.Function ---------------------------------------------------------------------------------------------


def custom_fwd(fwd: Callable[..., Any] | None = None, *, device_type: str, cast_inputs: dtype | None = None) -> Any:
    """Decorator of the `forward` of an `autograd.Function`, for use inside autocast; with `custom_bwd` for `backward`.

    Args:
        fwd: the forward function. Without it, the result is a decorator.
        device_type: "cpu", "cuda" or "sim".
        cast_inputs: inside autocast, floating-point tensors are cast to this dtype and autocast is off in the
            function; None: autocast stays as it is.

    Returns:
        The decorated function.

    Examples:
        >>> class Double(gpunet.autograd.Function):
        ...     @staticmethod
        ...     @amp.custom_fwd(device_type="cpu", cast_inputs=gpunet.float32)
        ...     def forward(ctx, x):
        ...         return x * 2
        ...     @staticmethod
        ...     @amp.custom_bwd(device_type="cpu")
        ...     def backward(ctx, g):
        ...         return g * 2
        >>> with gpunet.autocast("cpu"):
        ...     Double.apply(gpunet.ones(2, dtype=gpunet.bfloat16))
        tensor([2., 2.])
    """
    if fwd is None:
        return functools.partial(custom_fwd, device_type=device_type, cast_inputs=cast_inputs)

    def own(value: Any) -> Any:
        if isinstance(value, (list, tuple)):
            return type(value)(map(own, value))
        if isinstance(value, dict):
            return own_names(value)
        eligible = isinstance(value, Tensor) and value.is_floating_point() and value._array.dtype != FLOAT64_NP
        return value.to(cast_inputs) if eligible and value._device.type == device_type else value

    def own_names(values: dict[Any, Any]) -> dict[Any, Any]:
        return {name: own(value) for name, value in values.items()}

    @functools.wraps(fwd)
    def wrapped(ctx: Any, *args: Any, **kwargs: Any) -> Any:
        ctx._autocast_dtype, inside = get_autocast_dtype(device_type), is_autocast_enabled(device_type)
        ctx._fwd_used_autocast = inside and cast_inputs is None
        if cast_inputs is None or not inside:
            return fwd(ctx, *args, **kwargs)
        with autocast(device_type, enabled=False):
            return fwd(ctx, *own(args), **own_names(kwargs))

    return wrapped


def custom_bwd(bwd: Callable[..., Any] | None = None, *, device_type: str) -> Any:
    """Decorator of the `backward` of an `autograd.Function`, which then runs under the autocast of its forward.

    Args:
        bwd: the backward function. Without it, the result is a decorator.
        device_type: "cpu", "cuda" or "sim".

    Returns:
        The decorated function.

    Examples:
        >>> class Square(gpunet.autograd.Function):
        ...     @staticmethod
        ...     @amp.custom_fwd(device_type="cpu")
        ...     def forward(ctx, x):
        ...         ctx.save_for_backward(x)
        ...         return x * x
        ...     @staticmethod
        ...     @amp.custom_bwd(device_type="cpu")
        ...     def backward(ctx, g):
        ...         x, = ctx.saved_tensors
        ...         return 2 * x * g
        >>> x = gpunet.tensor([3.0], requires_grad=True)
        >>> Square.apply(x).backward()
        >>> x.grad
        tensor([6.])
    """
    if bwd is None:
        return functools.partial(custom_bwd, device_type=device_type)

    @functools.wraps(bwd)
    def wrapped(ctx: Any, *args: Any, **kwargs: Any) -> Any:
        with autocast(device_type, enabled=ctx._fwd_used_autocast, dtype=ctx._autocast_dtype):
            return bwd(ctx, *args, **kwargs)

    return wrapped
