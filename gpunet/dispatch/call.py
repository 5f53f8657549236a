"""The path by which every call of every op goes: check the inputs, compute, wrap the result, record it for gradients.

The function that `make_call` gives an op does the checks; there is a short way for the one or two tensors that most
calls are about, and a general way. All ways end in `perform`, which does the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gpunet.dispatch.operands import FLOATS, PLAIN, Mismatch, gather
from gpunet.dtypes import FLOAT32_NP, HALF_TYPES
from gpunet.engine import views
from gpunet.engine.extensions import extensions
from gpunet.engine.graph import KEEP, LAYOUT, META, NOTHING, Slot, Spare, new_node
from gpunet.engine.modes import mode
from gpunet.engine.tensors import wrap

_NO_ATTRS: dict = {}
_WIDE = FLOATS - HALF_TYPES  # a number beside these may take their type
_MOST_KNOWN = 4096  # answers of a rule that are remembered for an op


# ---- compute, wrap, record -----------------------------------------------------------------------------------------


def perform(op, inputs, arrays, attrs, device, found, tracked, shapes=None):
    """The result of a call whose inputs are checked: a tensor, or a tuple of them.

    found: the rule's answer, (shape, dtype) of the result or a sequence of these. tracked: whether an input requires
    gradients. shapes: of the inputs, where they were broadcast and gradients must be summed back to them.
    """
    if op.is_view:
        base = inputs[0]
        result: Any = wrap(op.body(device.xp, arrays[0], **attrs), device, base._version)
        recording = mode.grad
        if recording:
            views.register(result, base, op, attrs)
    else:
        if op.outputs == 1 and not extensions.observed:
            shape, dtype = found
            result = wrap(device.compute(op, shape, dtype, arrays, attrs), device)
        else:
            outs = device.allocate(op, (found,) if op.outputs == 1 else found, arrays, attrs)
            execute(device, op, outs, arrays, attrs, len(outs))
            result = wrap(outs[0], device) if op.outputs == 1 else tuple([wrap(out, device) for out in outs])
        recording = tracked and mode.grad
    if recording and tracked and op.differentiable:
        record(op, result, inputs, attrs, shapes)
    if extensions.adapts:
        _adapt(op, inputs, (result,) if op.outputs == 1 else result)
    return result


def perform_into(op, x, out, **attrs):
    """The result of an op of one tensor in `out`, a new array, which says how it lies in memory."""
    device = x._device
    execute(device, op, (out,), (x._array,), attrs, 1)
    result = wrap(out, device)
    if x._requires_grad and mode.grad:
        record(op, result, (x,), attrs)
    if extensions.adapts:
        _adapt(op, (x,), (result,))
    return result


def _adapt(op, inputs, results) -> None:
    """Results of inference_mode cannot be used for gradients; those of a subclass of Tensor are of that subclass."""
    if mode.inference:
        for each in results:
            each._version = None
    if extensions.subclassed and not mode.walking:
        plain = extensions.tensor
        kinds = {x.__class__: None for x in inputs if x.__class__ not in PLAIN and x.__class__ is not plain
                 and x._propagates}
        if kinds:
            kind = next((kind for kind in kinds if all(issubclass(kind, other) for other in kinds)), None)
            if kind is None:
                names = " and ".join(kind.__name__ for kind in kinds)
                raise TypeError(f"{op.name}: the tensors are of the classes {names}, neither of which is derived from "
                                "the other; turn one into a plain tensor by .as_subclass(gpunet.Tensor)")
            for each in results:
                each.__class__ = kind


def execute(device, op, outs, arrays, attrs, fresh=0) -> None:
    """Fills `outs` on the device, under the eyes of who looks on. The first `fresh` ones are new memory that nobody has
    written, the others some tensors'."""
    if extensions.observed:
        _observed(device, op, outs, arrays, attrs, fresh)
    else:
        device.run(op, outs, arrays, attrs)


def _observed(device, op, outs, arrays, attrs, fresh) -> None:
    recorder, watch, profiler = extensions.recorder, extensions.watch, extensions.profiler
    if profiler is not None:
        profiler.begin(op, outs, arrays, device, fresh)
    try:
        if recorder is None:
            device.run(op, outs, arrays, attrs)
        else:
            recorder.run(device, op, outs, arrays, attrs, fresh)
    finally:
        if profiler is not None:
            profiler.end()
    if watch is not None:
        watch.check(device, op, outs, arrays, attrs)


def into(op, outs, *inputs, fresh=0, **attrs) -> None:
    """Runs an op with existing tensors as outputs (optimizer updates, in-place forms, `out=`). No gradient. fresh: see
    `execute`."""
    arrays = [None if x is None else getattr(x, "_array", x) for x in inputs]
    execute(outs[0]._device, op, tuple([t._array for t in outs]), arrays, attrs, fresh)
    for t in outs:
        if t._version is not None:
            t._version[0] += 1


def record(op, result, inputs, attrs, shapes=None) -> None:
    """Gives the results of a call, those of floating-point types, their place in the graph: a Node that knows where the
    inputs came from and what the op's gradient needs."""
    single = op.outputs == 1
    if single:
        dtype = result._array.dtype
        if dtype is not FLOAT32_NP and dtype not in FLOATS:  # the first question spares most calls the slower one
            return
    if len(inputs) == 1:
        x = inputs[0]
        edges, wanted = [x._node or x], 3
    else:
        edges = []
        wanted = 1  # a bit for each input, which says whether it requires gradients
        for x in inputs:
            if x.__class__ not in PLAIN and x._requires_grad:
                edges.append(x._node or x)
                wanted += wanted + 1
            else:
                edges.append(None)
                wanted += wanted
    of_outputs, of_inputs = op.plans.get(wanted) or op.plan(wanted)
    saved = results = NOTHING
    if of_inputs:
        saved = [None] * len(inputs)
        for i, need in of_inputs:
            x = inputs[i]
            if x.__class__ in PLAIN:
                saved[i] = x
            elif need == META:
                array = x._array
                saved[i] = array.shape, array.dtype, x._device
            elif need == LAYOUT:
                array = x._array
                saved[i] = array.shape, array.dtype, x._device, array.strides
            else:
                version = x._version
                if version is None:
                    raise RuntimeError(f"{op.name}: a tensor made in inference_mode cannot take part in a backward "
                                       "pass; clone() it outside first")
                saved[i] = (x, version[0]) if need == KEEP else Spare(x, version[0])
    if of_outputs:
        results = [None] * op.outputs
        for i, need in of_outputs:
            y = result if single else result[i]
            array = y._array
            results[i] = (array, y._version, y._version[0], y._device) if need == KEEP else (array.shape, array.dtype,
                                                                                             y._device)
    node = new_node(op, attrs, edges, saved, results, shapes)
    if single:
        result._node = node
        result._requires_grad = True
        return
    for i, y in enumerate(result):
        if y._array.dtype in FLOATS:
            y._node, y._requires_grad = Slot(node, i), True


# ---- check ---------------------------------------------------------------------------------------------------------


def make_call(op) -> Callable:
    """The function of tensors for an op."""
    if op.is_view:
        return _of_view(op)
    op.general = _of_any(op)
    if op.outputs == 1 and not op.required and op.inputs in (1, 2):
        short = _short(op, _NO_ATTRS)
        return short if not op.attributes else _with_attributes(op, short)
    return op.general


def bind(operation, **attrs) -> Callable:
    """An op of one or two tensors with these attributes, as a function of the tensors that is called faster."""
    operation.op.check_attributes(attrs)
    return _short(operation.op, attrs)


def _short(op, attrs) -> Callable:
    return (_of_one if op.inputs == 1 else _of_two)(op, attrs)


def _of_any(op) -> Callable:
    """Of any inputs and attributes."""
    attributes, rule = op.attributes, op.rule

    def call(*inputs, **attrs):
        if attrs and attrs.keys() != attributes:
            op.check_attributes(attrs)
        if extensions.autocast is not None:
            inputs = extensions.autocast(op, inputs)
        runs, inputs, arrays, device, tracked, rounded_to = gather(op, inputs)
        if rounded_to is not None:
            return call(*inputs, **attrs).to(rounded_to)
        try:
            found = rule(*arrays, **attrs)
        except Mismatch:
            found = op.result(arrays, attrs)  # raises, with the op's name
        shapes = None
        if tracked and op.broadcasts:
            shapes = [() if a.__class__ in PLAIN else a.shape for a in arrays]
            if shapes == [found[0]] * len(shapes):
                shapes = None
        return perform(runs, inputs, arrays, attrs, device, found, tracked, shapes)

    return call


def _with_attributes(op, short) -> Callable:
    """Of an op whose attributes may all be left out."""

    def call(*inputs, **attrs):
        return op.general(*inputs, **attrs) if attrs else short(*inputs)

    return call


def _of_one(op, attrs) -> Callable:
    """Of one tensor: the rule is asked once for each shape and type, and not at all if the op is element-wise."""
    to_float, elementwise, known = op.promotes == "float", op.elementwise, {}

    def call(x):
        if extensions.autocast is not None:
            (x,) = extensions.autocast(op, (x,))
        try:
            array = x._array
        except AttributeError:
            return op.general(x, **attrs)  # which says what is wrong
        dtype = array.dtype
        if to_float and dtype is not FLOAT32_NP and dtype not in FLOATS:
            return op.general(x, **attrs)
        found = array.shape, dtype
        if not elementwise:
            key = found
            found = known.get(key)
            if found is None:
                found = op.result((array,), attrs)
                if len(known) < _MOST_KNOWN:
                    known[key] = found
        return perform(op, (x,), (array,), attrs, x._device, found, x._requires_grad)

    return call


def _of_two(op, attrs) -> Callable:
    """Of two tensors, the second of which may be a number."""
    to_float, promotes, elementwise, known = op.promotes == "float", op.promotes is not None, op.elementwise, {}
    broadcasts, batch = bool(op.broadcasts), op.broadcasts == "batch"

    def call(x, y):
        if extensions.autocast is not None:
            x, y = extensions.autocast(op, (x, y))
        try:
            array = x._array
            device = x._device
            shape = array.shape
            dtype = array.dtype
            kind = y.__class__
            if kind is float or kind is int:
                if not promotes or dtype is not FLOAT32_NP and dtype not in _WIDE:
                    return op.general(x, y, **attrs)
                other = y  # NumPy and CuPy give it the tensor's type
                size = shape if elementwise else kind
                tracked = x._requires_grad
            else:
                other = y._array
                size = other.shape
                if other.dtype is not dtype or y._device is not device or (to_float and dtype not in FLOATS):
                    return op.general(x, y, **attrs)
                tracked = x._requires_grad or y._requires_grad
        except AttributeError:
            return op.general(x, y, **attrs)
        if elementwise and size == shape:
            return perform(op, (x, y), (array, other), attrs, device, (shape, dtype), tracked)
        found = known.get((shape, size, dtype))
        if found is None:
            found = op.result((array, other), attrs)
            if len(known) < _MOST_KNOWN:
                known[shape, size, dtype] = found
        uneven = broadcasts and size is not kind and not (batch and len(found[0]) <= 2)
        return perform(op, (x, y), (array, other), attrs, device, found, tracked, (shape, size) if uneven else None)

    return call


def _of_view(op) -> Callable:
    def call(x, **attrs):
        try:
            array = x._array
        except AttributeError:
            raise TypeError(f"{op.name}: expected a Tensor, got {type(x).__name__}") from None
        return perform(op, (x,), (array,), attrs, x._device, None, x._requires_grad)

    return call
