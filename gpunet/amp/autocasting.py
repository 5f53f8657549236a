"""autocast: which operations run in a half type, and which in float32.

Dispatch asks `_cast` for the inputs of every call while autocast is on in some thread, and nobody while it is off. What
an operation's inputs are brought to stands in one table, by the operation's name.
"""

from __future__ import annotations

import functools
import threading
import warnings
from collections.abc import Callable
from contextlib import contextmanager
from typing import NamedTuple

from gpunet.dtypes import FLOAT64_NP, bfloat16, dtype, float16, float32
from gpunet.engine.extensions import extensions
from gpunet.engine.modes import mode
from gpunet.ops.views import cast
from gpunet.tensor import Tensor

LOW, FLOAT32 = "low", "float32"

# PyTorch's lists for the CPU and for CUDA devices, by the names of our ops and of the functions that ops/half.py
# decorates; `sim` is a CUDA device. Of an op that is in neither, and of several types of inputs, the result has the
# widest type, as outside of autocast. (A transposed convolution is conv_input_grad; backward passes are not autocast.)
_EVERYWHERE = {
    LOW: ("matmul", "linear", "linear_relu", "conv", "conv_input_grad", "sequence"),
    FLOAT32: ("softmax_ce", "cross_entropy", "nll_loss", "cdist", "ctc", "logsigmoid", "normalize", "prod", "det",
              "slogdet", "inv", "pinv", "solve", "cholesky", "qr", "svd", "eigh"),
}
_ON_GPU = {
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
    """What a thread has on: the type for each device type, and casts of weights (None: not kept)."""

    types: dict
    cache: dict | None

    @contextmanager
    def without_cache(self):
        """The same state, perhaps later, without kept casts: for what runs twice and must do the same both times."""
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
    """Whether autocast knows this type of device."""
    return device_type in TABLE


def is_autocast_enabled(device_type: str = "cuda") -> bool:
    """Whether operations on this type of device are autocast in this thread."""
    return mode.autocast is not None and device_type in mode.autocast.types


def get_autocast_dtype(device_type: str) -> dtype:
    """The half type of autocast on this type of device: that of the context, or the default."""
    return (mode.autocast.types if mode.autocast else _DEFAULT).get(device_type, _DEFAULT[device_type])


def is_autocast_cache_enabled() -> bool:
    """Whether casts of weights are kept until the end of the outermost context."""
    return _own.cache_enabled


class autocast:
    """Inside, operations on devices of this type choose their own precision: matrix products, linear layers,
    convolutions and attention in `dtype`; losses, norms and the like in float32 (on GPUs also exponentials, softmax
    and sums); others in the widest type of their inputs. float64 stays as it is. A context manager and a decorator.

    device_type: "cpu", "cuda" or "sim". dtype: bfloat16 or float16; None: bfloat16 on the CPU, else float16. enabled:
    False turns it off inside another context. cache_enabled: the cast of a weight is kept until the outermost context
    ends or the weight changes. Wrap the forward pass and the loss only: gradients get the types of the forward pass by
    themselves. In-place operations are not touched. The tables are PyTorch's, but an op of a composed loss may run in
    the type of its inputs, and layer_norm gives float32 on the CPU too.
    """

    def __init__(self, device_type: str, dtype: dtype | None = None, enabled: bool = True,
                 cache_enabled: bool | None = None) -> None:
        if not isinstance(device_type, str):
            raise ValueError(f"Expected `device_type` of type `str`, got: `{type(device_type)}`")
        if not is_autocast_available(device_type):
            raise RuntimeError(f"User specified an unsupported autocast device_type '{device_type}'")
        self.device, self.fast_dtype = device_type, get_autocast_dtype(device_type) if dtype is None else dtype
        if enabled and self.fast_dtype not in (bfloat16, float16):
            warnings.warn(f"In {device_type.upper()} autocast, but the target dtype is not supported. Disabling "
                          f"autocast.\n{device_type.upper()} Autocast only supports dtypes of gpunet.bfloat16, "
                          "gpunet.float16 currently.", stacklevel=2)
            enabled = False
        self._enabled = enabled
        self._cache = _own.cache_enabled if cache_enabled is None else cache_enabled
        self._before: list = []

    def __enter__(self):
        self._before.append((mode.autocast, _own.cache_enabled))
        outer = mode.autocast
        types = {**(outer.types if outer else {}), self.device: self.fast_dtype}
        if not self._enabled:
            del types[self.device]
        cache = (outer.cache if outer and outer.cache is not None else {}) if self._cache else None
        mode.autocast, _own.cache_enabled = _State(types, cache) if types else None, self._cache
        _count(1)
        return self

    def __exit__(self, *_):
        mode.autocast, _own.cache_enabled = self._before.pop()
        _count(-1)

    def __call__(self, function: Callable) -> Callable:
        if not callable(function):
            raise TypeError(f"autocast()(func) requires a callable, but got {type(function).__name__}. Did you mean to "
                            "use autocast as a context manager? For example:\n    with gpunet.autocast(device_type="
                            "...):\n        output = model(input)")

        @functools.wraps(function)
        def wrapped(*args, **kwargs):
            with self:
                return function(*args, **kwargs)

        return wrapped


def _count(change: int) -> None:
    with _lock:
        _users[0] += change
        extensions.autocast = _cast if _users[0] else None


def _cast(op, inputs):
    """The inputs of a call, brought to the types that the table says."""
    state = mode.autocast
    if state is None:
        return inputs
    device = next((x._device for x in inputs if isinstance(x, Tensor)), None)
    low = device and state.types.get(device.type)
    wanted = low and TABLE[device.type].get(op.name)
    if not wanted:
        return inputs
    target = low if wanted is LOW else float32
    return tuple(_as(x, target, state.cache) if isinstance(x, Tensor) else x for x in inputs)


def _as(x, target, cache):
    array = x._array
    if array.dtype.kind not in "fV" or array.dtype == target.numpy or array.dtype == FLOAT64_NP:
        return x
    keep = (cache is not None and x._node is None and x._requires_grad and mode.grad and target is not float32
            and extensions.recorder is None)
    if keep:
        kept = cache.get((id(x), target))
        if kept is not None and kept[0] is x and kept[1] == x._version[0]:
            return kept[2]
    result = cast(x, dtype=target.numpy)
    if keep:
        cache[id(x), target] = x, x._version[0], result
    return result


# ---- autograd.Function ---------------------------------------------------------------------------------------------


def custom_fwd(fwd: Callable | None = None, *, device_type: str, cast_inputs: dtype | None = None) -> Callable:
    """Decorator of an autograd.Function's forward. cast_inputs: inside an autocast context, floating-point tensors come
    in this type and autocast is off in the function; None: it stays as it is."""
    if fwd is None:
        return functools.partial(custom_fwd, device_type=device_type, cast_inputs=cast_inputs)

    def own(value):
        if isinstance(value, (list, tuple)):
            return type(value)(map(own, value))
        if isinstance(value, dict):
            return {k: own(v) for k, v in value.items()}
        eligible = isinstance(value, Tensor) and value.is_floating_point() and value._array.dtype != FLOAT64_NP
        return value.to(cast_inputs) if eligible and value._device.type == device_type else value

    @functools.wraps(fwd)
    def wrapped(ctx, *args, **kwargs):
        ctx._autocast_dtype, inside = get_autocast_dtype(device_type), is_autocast_enabled(device_type)
        ctx._fwd_used_autocast = inside and cast_inputs is None
        if cast_inputs is None or not inside:
            return fwd(ctx, *args, **kwargs)
        with autocast(device_type, enabled=False):
            return fwd(ctx, *own(args), **own(kwargs))

    return wrapped


def custom_bwd(bwd: Callable | None = None, *, device_type: str) -> Callable:
    """Decorator of an autograd.Function's backward: it runs in the autocast state of its forward."""
    if bwd is None:
        return functools.partial(custom_bwd, device_type=device_type)

    @functools.wraps(bwd)
    def wrapped(ctx, *args, **kwargs):
        with autocast(device_type, enabled=ctx._fwd_used_autocast, dtype=ctx._autocast_dtype):
            return bwd(ctx, *args, **kwargs)

    return wrapped
