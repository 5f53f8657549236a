"""In-place operations: a result stored in an existing tensor, with the rules that keep gradients right.

- A leaf that requires gradients cannot be changed while operations are recorded: its value is what is optimised.
- A tensor that some gradient needs may be changed; the backward pass then finds a newer version and says so.
- A tensor with a history takes the history of the result. If it is a view, its base does so too: the base becomes
  "the base as it was, with the view's region replaced", and all its views are derived anew.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from gpunet.dispatch import OpFunction, into, is_tensor, op, prepare, record, wrap
from gpunet.dtypes import HALF_TYPES, can_cast, float32, public
from gpunet.engine import views
from gpunet.engine.extensions import extensions
from gpunet.engine.graph import KEEP, Node
from gpunet.engine.modes import mode
from gpunet.ops.arithmetic import add_op, floor_divide_op, mul_op, pow_op, remainder_op, sub_op, true_divide_op
from gpunet.ops.conditions import where_op
from gpunet.ops.host import fitted
from gpunet.ops.index import put_op, region
from gpunet.ops.out import assign, check_memory
from gpunet.ops.spellings import takes_axis
from gpunet.ops.views import _permute, _reshape, clone_op

if TYPE_CHECKING:
    from gpunet.dtypes import Number
    from gpunet.tensor import Tensor

__all__ = ["fill", "fill_", "zero_"]

# Views that have each element of their base once.
_WHOLE = {_reshape.op, _permute.op}
_in_place: WeakSet = WeakSet()  # nodes that keep a result which lies in the memory of a tensor that may change again
_PASSING = {*_WHOLE}  # what rebase puts between a tensor and the op that made its value

# In a docstring, what a function takes and its in-place form does not.
_NOT_TAKEN = re.compile(r" {8}(?:input|out): .*\n(?: {12}.*\n)*")


@op(lambda x, value, *, steps: (x.shape, x.dtype))
def replace_region(xp, out, x, value, *, steps):
    """`x` with the region that view `steps` lead to replaced by `value`."""
    xp.copyto(out, x)
    region = out
    for step, attrs in steps:
        region = step.body(xp, region, **attrs)
    xp.copyto(region, value)


@replace_region.gradient
def _(g, _y, _x, value_meta, *, steps):
    return (lambda: replace_region(g, g.new_zeros(value_meta.shape), steps=steps)), (lambda: views.replay(steps, g))


@op(lambda value, *, steps, shape: (shape, value.dtype))
def replace_whole(xp, out, value, *, steps, shape):
    """A base all of whose elements a view by `steps` has, each once, with the view's elements replaced by `value`."""
    region = out
    for step, attrs in steps:
        region = step.body(xp, region, **attrs)
    xp.copyto(region, value)


@replace_whole.gradient
def _(g, _y, _value, *, steps, shape):
    return (views.replay(steps, g),)


_PASSING.add(replace_whole.op)


def inplace(operation: OpFunction, target, *inputs, **attrs):
    """Computes `operation(target, *inputs, **attrs)` and stores the result in `target`, which is returned."""
    op = operation.op
    check_memory(f"{op.name}_", target)
    tracked = mode.grad and (target._requires_grad or any([getattr(x, "_requires_grad", False) for x in inputs]))
    if tracked:
        _check_leaf(op.name, target)
        _keep_result(target)
        value = _at_once(op, target, inputs, attrs)
        if value is not None:
            rebase(target, value)
            return target
        value = operation(clone_value(target), *inputs, **attrs)
        _check_fits(op.name, target, value._array.shape, value._array.dtype)
        if value._array.dtype != target._array.dtype:
            value = value.to(target.dtype)
        _write(target, value)
        rebase(target, value)
        return target
    arrays = _as_they_are(op, target, inputs)
    if arrays is not None:
        into(op, (target,), *arrays, **attrs)
        return target
    operands, arrays, device, _ = prepare(op, (target, *inputs))
    if device is not target._device:
        raise RuntimeError(f"{op.name}_: the tensor is on {target._device.name}, the other operand on "
                           f"{device.name}; move it with .to({str(target._device.name)!r})")
    shape, dtype = op.result(arrays, attrs)
    _check_fits(op.name, target, shape, dtype)
    if dtype == target._array.dtype and arrays[0] is target._array:
        into(op.computing(arrays), (target,), *operands, **attrs)
    else:
        _write(target, operation(*operands, **attrs))
    return target


def _at_once(op, target, inputs, attrs):
    """The result of an element-wise op in the target's own memory, for gradients that do not need what was there; None
    where that cannot be. The target itself keeps its history."""
    arrays = _as_they_are(op, target, inputs)
    if mode.autocast is not None and arrays is not None:
        given = target, *inputs
        if not all([a is b for a, b in zip(extensions.autocast(op, given), given, strict=True)]):
            return None  # which type autocast computes in
    if arrays is None or target._version is None:
        return None
    wanted = 1
    for x in (target, *inputs):
        wanted += wanted + bool(getattr(x, "_requires_grad", False))
    for i, need in op.plan(wanted)[1]:
        if need == KEEP and (i == 0 or getattr(inputs[i - 1], "_version", None) is target._version):
            return None
    before = wrap(target._array, target._device, target._version)
    before._node, before._requires_grad = target._node, target._requires_grad
    op = op.computing(arrays)
    into(op, (target,), *arrays, **attrs)
    value = wrap(target._array, target._device, target._version)
    record(op, value, (before, *inputs), attrs)
    if value._node.results:
        _in_place.add(value._node)
    return value


def _keep_result(target) -> None:
    """If an op that made the target's value in place needs its result on the way back, that becomes a copy: the target
    is about to change. (PyTorch raises on the way back.)"""
    node = target._node
    while node is not None and getattr(node, "op", None) in _PASSING:
        node = node.edges[0]
    if node is None or node.__class__ is not Node or node not in _in_place:
        return
    for i, kept in enumerate(node.results or ()):
        if kept is not None and len(kept) == 4 and kept[1] is target._version and kept[2] == kept[1][0]:
            copy = clone_op(wrap(kept[0], kept[3]))
            node.results[i] = copy._array, copy._version, 0, kept[3]


def _as_they_are(op, target, inputs) -> list | None:
    """The arrays of an element-wise op for which nothing has to be brought to one type, device or shape; else None."""
    array = target._array
    half = array.dtype in HALF_TYPES
    floating = half or array.dtype.kind == "f"
    if not op.elementwise or not floating and (array.dtype.kind not in "iu" or op.promotes != "same"):
        return None
    arrays = [array]
    for x in inputs:
        if x.__class__ is float or x.__class__ is int:
            if half or not floating:  # see _promotion.py: the number is not to be rounded
                return None
        else:
            if not is_tensor(x) or x._device is not target._device:
                return None
            x = x._array
            if x.dtype is not array.dtype or x.shape != array.shape:
                return None
        arrays.append(x)
    return arrays


def inplace_function(function: Callable, target, *arguments, **options):
    """Stores `function(target, *arguments)` in `target`, for functions that are made of several ops."""
    tracked = mode.grad and target._requires_grad
    value = function(clone_value(target) if tracked else target, *arguments, **options)
    _check_fits(function.__name__, target, value._array.shape, value._array.dtype)
    return copy_(target, value)


def in_place_form(name: str, function: Callable, operation: Callable) -> Callable:
    """`exp_` of `exp`: a method with the function's parameters that stores the result in the tensor.

    operation: the op that does it where it takes what the function takes, else the function itself.
    """
    written = inspect.unwrap(function)  # without its decorators
    code, defaults = written.__code__, written.__kwdefaults__ or {}
    count = code.co_argcount
    last = count + code.co_kwonlyargcount
    places, keywords = code.co_varnames[1:count], [k for k in code.co_varnames[count:last] if k != "out"]
    rest = code.co_flags & inspect.CO_VARARGS and code.co_varnames[last]
    options = code.co_flags & inspect.CO_VARKEYWORDS and code.co_varnames[last + bool(rest)]
    taken = [*places, *([f"*{rest}"] if rest else ["*"] if keywords else []), *keywords]
    given = [*places, *([f"*{rest}"] if rest else []), *(f"{k}={k}" for k in keywords)]
    taken, given = (", ".join(["", *each, *([f"**{options}"] if options else [])]) for each in (taken, given))
    form = _maker(taken, given)(inplace if hasattr(operation, "op") else inplace_function, operation)
    form.__name__, form.__qualname__, form.__module__ = name, f"Tensor.{name}", function.__module__
    form.__doc__ = f"`{name[:-1]}`, the result stored in this tensor, which is returned.{_arguments(function)}"
    form.__defaults__ = written.__defaults__
    form.__kwdefaults__ = {k: v for k, v in defaults.items() if k != "out"} or None
    form.__annotations__ = {k: v for k, v in written.__annotations__.items() if k in (*places, *keywords, "return")}
    needs_dim = "dim" in places[: len(places) - len(written.__defaults__ or ())]
    return takes_axis(form) if needs_dim else form


def _arguments(function: Callable) -> str:
    """The arguments' section of a function's docstring, as its in-place form takes them."""
    _, heading, section = (function.__doc__ or "").partition("\n\n    Args:\n")
    section = _NOT_TAKEN.sub("", section.partition("\n\n")[0] + "\n")
    section = section.replace("`input`", "this tensor").replace("input's", "this tensor's")
    return heading + section + "    " if section.strip() else ""


@functools.cache
def _maker(taken: str, given: str) -> Callable:
    """Makes functions with these parameters after `self`. They are compiled, so that their signatures are real."""
    names: dict = {}
    exec(f"""def make(store, operation):
    def form(self{taken}):
        return store(operation, self{given})
    return form""", names)
    return names["make"]


def clone_value(target):
    """The target as it is now: the in-place result's gradient may need the old value."""
    return clone_op(target)


def _write(target, value):
    into(assign.op, (target,), target, value)


def _check_leaf(name, target):
    base = target._view[0] if target._view else target
    if base._requires_grad and base._node is None:
        what = "a view of a leaf tensor" if base is not target else "a leaf tensor"
        raise RuntimeError(f"{name}_: {what} that requires gradients cannot be changed in place while "
                           "operations are recorded; use `with gpunet.no_grad():`, or the out-of-place form")


def _check_fits(name, target, shape, dtype):
    if tuple(shape) != target._array.shape:
        raise RuntimeError(f"{name}_: the result has shape {tuple(shape)}, which does not fit in the tensor "
                           f"of shape {target._array.shape} that is to be changed in place")
    if not can_cast(dtype, target._array.dtype):
        raise RuntimeError(f"{name}_: the result type {public(dtype)} cannot be cast to the tensor's type "
                           f"{target.dtype}; use the out-of-place form")


def rebase(target, value):
    """Gives `target`, and its base if it is a view, the history of the in-place result."""
    if target._view is None:
        target._node, target._requires_grad = value._node, value._requires_grad
        views.refresh(target)
        return
    base, steps = target._view[0], views.steps_of(target)
    # Only the history of this call is wanted: its value is already in the base's memory.
    shadow = wrap(base._array, base._device, base._version)
    if value._requires_grad and value._array.size == base._array.size and all(step in _WHOLE for step, _ in steps):
        record(replace_whole.op, shadow, (value,), {"steps": steps, "shape": base._array.shape})
    elif value._requires_grad or base._requires_grad:
        record(replace_region.op, shadow, (base, value), {"steps": steps})
    base._node, base._requires_grad = shadow._node, shadow._requires_grad
    views.refresh(base)


def add_(self: Tensor, other: Tensor | Number, *, alpha: Number = 1) -> Tensor:
    """`add`, the result stored in this tensor, which is returned: self + alpha * other.

    Args:
        other: tensor or number, broadcastable to this tensor's shape.
        alpha: number that `other` is multiplied with.

    Returns:
        This tensor.

    Raises:
        RuntimeError: the result's shape or type does not fit in this tensor.

    Example:
        >>> gpunet.tensor([1.0, 2.0]).add_(3)
        tensor([4., 5.])
    """
    return inplace(add_op, self, _times(alpha, other))


def sub_(self: Tensor, other: Tensor | Number, *, alpha: Number = 1) -> Tensor:
    """`sub`, the result stored in this tensor, which is returned: self - alpha * other.

    Args:
        other: tensor or number, broadcastable to this tensor's shape.
        alpha: number that `other` is multiplied with.

    Returns:
        This tensor.

    Raises:
        RuntimeError: the result's shape or type does not fit in this tensor.

    Example:
        >>> gpunet.tensor([4.0, 5.0]).sub_(3)
        tensor([1., 2.])
    """
    return inplace(sub_op, self, _times(alpha, other))


def _times(alpha, other):
    """other * alpha, of a half tensor in float32: only the sum is rounded."""
    if alpha == 1:
        return other
    return (other.to(float32) if is_tensor(other) and other._array.dtype in HALF_TYPES else other) * alpha


def copy_(self: Tensor, other: Tensor | Any, non_blocking: bool = False) -> Tensor:
    """Copies the elements of `other` into this tensor, broadcasting and casting them.

    Args:
        other: tensor on any device, or what `gpunet.tensor` takes; broadcastable to this tensor's shape.
        non_blocking: accepted and ignored: copies wait for what they need.

    Returns:
        This tensor.

    Raises:
        RuntimeError: other does not broadcast to this tensor's shape, or this is a leaf that requires gradients.

    Example:
        >>> gpunet.zeros(2).copy_(gpunet.tensor([1, 2]))
        tensor([1., 2.])
    """
    if not is_tensor(other):
        other = self.new_tensor(other)
    elif other._device is not self._device:
        other = other.to(self._device.name)
    if other._array.ndim > self._array.ndim or any(
        n not in (1, m) for n, m in zip(other._array.shape[::-1], self._array.shape[::-1], strict=False)
    ):
        raise RuntimeError(f"copy_: shape {other._array.shape} does not broadcast to {self._array.shape}")
    check_memory("copy_", self)
    if mode.grad and (self._requires_grad or other._requires_grad):
        _check_leaf("copy", self)
        value = assign(self, other)
        _write(self, value)
        rebase(self, value)
    else:
        _write(self, other)
    return self


def fill_(input: Tensor, value: Number | Tensor) -> Tensor:
    """Sets every element of a tensor to a value, in place.

    Args:
        input: tensor of any type.
        value: number or 0-d tensor.

    Returns:
        The tensor itself.

    Raises:
        RuntimeError: the number is out of the type's range, or the tensor is a leaf that requires gradients.

    Example:
        >>> gpunet.fill_(gpunet.zeros(2), 3)
        tensor([3., 3.])
    """
    number: Any = value
    if is_tensor(number):
        return copy_(input, number)
    if mode.grad and input._requires_grad:
        return copy_(input, input.new_full((), number))
    check_memory("fill_", input)
    into(assign.op, (input,), input, fitted(number, input._array.dtype))
    return input


def fill(input: Tensor, value: Number | Tensor) -> Tensor:
    """A tensor like another one with every element set to a value.

    Args:
        input: tensor that gives shape, type and device.
        value: number or 0-d tensor.

    Returns:
        Tensor of input's shape and type.

    Raises:
        RuntimeError: the value is a tensor with dimensions, or out of the type's range.

    Example:
        >>> gpunet.fill(gpunet.zeros(2), 3)
        tensor([3., 3.])
    """
    given: Any = value
    if is_tensor(given) and given._array.ndim:
        raise RuntimeError(f"fill: the value must be a number or a 0-d tensor, got shape {tuple(given.shape)}")
    return fill_(clone_op(input), value)


def zero_(input: Tensor) -> Tensor:
    """Sets every element of a tensor to 0, in place.

    Args:
        input: tensor of any type.

    Returns:
        The tensor itself.

    Raises:
        RuntimeError: the tensor is a leaf that requires gradients.

    Example:
        >>> gpunet.zero_(gpunet.ones(2))
        tensor([0., 0.])
    """
    return fill_(input, 0)


def setitem(target, key, value):
    """target[key] = value."""
    if is_tensor(key) and key._array.dtype.kind == "b" and key._array.shape == target._array.shape and not (
        is_tensor(value) and value._array.ndim
    ):
        # One value under a mask of the same shape needs no indices, hence no look at the mask on the host.
        value = target.new_tensor(value) if not is_tensor(value) else value.to(target._device.name)
        copy_(target, where_op(key, value.to(target.dtype), target))
        return
    view, places, tensors = region(target, key)
    if not is_tensor(value):
        value = target.new_tensor(value, dtype=target.dtype)
    value = value.to(target._device.name, target.dtype)
    shape = value._array.shape
    if shape and shape[0] == 1:  # sizes of 1 in front do not count
        value = value.reshape(shape[next((i for i, n in enumerate(shape) if n != 1), len(shape)):])
    if tensors:
        inplace(put_op, view, value, *tensors, key=places)
    else:
        copy_(view, value)


def _operator(operation: OpFunction):
    def method(target, other):
        return inplace(operation, target, other)

    method.__doc__ = f"`{operation.op.name}`, the result stored in this tensor."
    return method


METHODS = {"add_": add_, "sub_": sub_, "subtract_": sub_, "copy_": copy_, "fill_": fill_, "zero_": zero_,
           "__setitem__": setitem, "__iadd__": add_, "__isub__": sub_}
METHODS |= {f"__i{name}__": _operator(operation) for name, operation in (
    ("mul", mul_op), ("truediv", true_divide_op), ("pow", pow_op), ("floordiv", floor_divide_op),
    ("mod", remainder_op))}
