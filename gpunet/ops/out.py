"""`out=`: a result delivered to the tensor that the caller gives, as in PyTorch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gpunet._warn import warn
from gpunet.dispatch import into, is_tensor, op
from gpunet.dtypes import can_cast, public
from gpunet.engine.graph import sum_to
from gpunet.engine.modes import mode

if TYPE_CHECKING:
    from gpunet.tensor import Tensor


@op(lambda x, source: (x.shape, x.dtype), strided=True, by_element=True)
def assign(xp, out, x, source):
    """`source`, broadcast to the shape of x and cast to its type."""
    xp.copyto(out, source, casting="unsafe")


@assign.gradient
def _(g, _y, _x, source_meta):
    return (lambda: g.new_zeros(g._array.shape),
            lambda: sum_to(g, source_meta.shape).to(public(source_meta.dtype)) if source_meta else None)


def deliver(result: Any, out: Any, name: str, exact: bool = False) -> Any:
    """The result of the function `name`: `result` itself where out is None, else `out`, which then holds it.

    A function with several results takes a tuple of tensors as `out`. A tensor of another shape is resized, with a
    warning if it has elements; one of another type takes the result's values where PyTorch's casting rules allow it.
    exact: it must have the result's type, which some functions of PyTorch demand. Raises RuntimeError for another
    device, a type that cannot hold the result, and where gradients are recorded.
    """
    if out is None:
        return result
    if not isinstance(result, tuple):
        return _write(result, out, name, exact)
    if not isinstance(out, (tuple, list)) or len(out) != len(result):
        raise TypeError(f"{name}: out must be a tuple of {len(result)} tensors, one for each result")
    written = [_write(each, target, name, exact) for each, target in zip(result, out, strict=True)]
    return type(result)(*written) if hasattr(result, "_fields") else tuple(written)


def _write(result: Tensor, out: Tensor, name: str, exact: bool) -> Tensor:
    if not is_tensor(out):
        raise TypeError(f"{name}: out must be a Tensor, got {type(out).__name__}")
    if mode.grad and (result._requires_grad or out._requires_grad):
        raise RuntimeError(f"{name}: functions with out= do not support automatic differentiation, but one of the "
                           "arguments requires gradients; leave out= away, or call it under gpunet.no_grad()")
    if out._device is not result._device:
        raise RuntimeError(f"{name}: expected out on {result.device}, where the inputs are, but it is on {out.device}")
    if exact and out._array.dtype != result._array.dtype:
        raise RuntimeError(f"{name}: expected out of type {result.dtype}, the result's, but it is of {out.dtype}")
    if not can_cast(result._array.dtype, out._array.dtype):
        raise RuntimeError(f"{name}: the result type {result.dtype} cannot be cast to {out.dtype}, the type of out; "
                           "pass an out of the result's type")
    if out._array.shape != result._array.shape:
        _resize(out, result._array.shape, name)
    check_memory(name, out)
    into(assign.op, (out,), out, result)
    return out


def _resize(out: Tensor, shape: tuple, name: str) -> None:
    if out._array.size:
        warn(f"{name}: out has shape {tuple(out.shape)} and was resized to {shape}, the result's shape; pass "
             "an out of that shape, or an empty one")
    # New memory of its own: whatever shared the old memory keeps it.
    out._array = out._device.empty(shape, out._array.dtype)
    out._version, out._view = [0], None


def check_memory(name: str, target: Tensor) -> None:
    """RuntimeError for a tensor several of whose elements are one place in memory: it cannot be written to."""
    array = target._array
    if not array.flags.c_contiguous and array.size and any(
        [step == 0 and n > 1 for n, step in zip(array.shape, array.strides, strict=True)]
    ):
        raise RuntimeError(f"{name}: the tensor is expanded: several elements share one place in memory, so it cannot "
                           "be changed in place; clone() it first")
