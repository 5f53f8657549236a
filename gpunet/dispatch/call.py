"""The path by which every call of every op goes: check the inputs, compute, wrap the result, record it for gradients.

The function that `make_call` gives an op does the checks; there is a short way for the one or two tensors that most
calls are about, and a general way. All ways end in `perform`, which does the rest.
"""

from __future__ import annotations

from collections.abc import Callable

from gpunet.dispatch.operands import FLOATS, PLAIN, gather
from gpunet.engine import views
from gpunet.engine.extensions import extensions
from gpunet.engine.graph import KEEP, META, NOTHING, Node, Slot
from gpunet.engine.modes import mode
from gpunet.engine.tensors import wrap

_NO_ATTRS: dict = {}
_MOST_KNOWN = 4096  # answers of a rule that are remembered for an op


# ---- compute, wrap, record -----------------------------------------------------------------------------------------


def perform(op, inputs, arrays, attrs, device, found, tracked):
    """The result of a call whose inputs are checked: a tensor, or a tuple of them.

    found: the rule's answer, (shape, dtype) of the result or a sequence of these. tracked: whether an input requires
    gradients.
    """
    if op.outputs != 1:
        outs = tuple([device.empty(shape, dtype) for shape, dtype in found])
        execute(device, op, outs, arrays, attrs)
        result = tuple([wrap(out, device) for out in outs])
    elif op.is_view:
        result = wrap(op.body(device.xp, *arrays, **attrs), device)
        result._version = inputs[0]._version
        if mode.grad:
            views.register(result, inputs[0], op, attrs)
    elif extensions.observed:
        out = device.empty(*found)
        execute(device, op, (out,), arrays, attrs)
        result = wrap(out, device)
    else:
        result = wrap(device.compute(op, *found, arrays, attrs), device)
    if mode.grad:
        if tracked and op.differentiable:
            record(op, result, inputs, arrays, attrs)
    elif mode.inference:
        for each in result if result.__class__ is tuple else (result,):
            each._version = None
    return result


def execute(device, op, outs, arrays, attrs) -> None:
    """Fills `outs` on the device, under the eyes of a recorder or a watch if there is one."""
    recorder, watch = extensions.recorder, extensions.watch
    if recorder is None:
        device.run(op, outs, arrays, attrs)
    else:
        recorder.run(device, op, outs, arrays, attrs)
    if watch is not None:
        watch.check(device, op, outs, arrays, attrs)


def into(operation, outs, *inputs, **attrs) -> None:
    """Runs an op with existing tensors as outputs (optimizer updates, in-place forms, `out=`). No gradient."""
    arrays = [None if x is None else getattr(x, "_array", x) for x in inputs]
    execute(outs[0]._device, operation.op, tuple([t._array for t in outs]), arrays, attrs)
    for t in outs:
        if t._version is not None:
            t._version[0] += 1


def record(op, result, inputs, arrays, attrs) -> None:
    """Gives the results of a call, those of floating-point types, their place in the graph: a Node that knows where the
    inputs came from and what the op's gradient needs."""
    if result.__class__ is not tuple:
        array = result._array
        if array.dtype not in FLOATS:
            return
        result._node = node = _node(op, attrs, inputs, (result,))
        result._requires_grad = True
        if op.broadcasts:
            shapes = [() if a.__class__ in PLAIN else a.shape for a in arrays]
            if shapes != [array.shape] * len(shapes):
                node.shapes = shapes
        return
    node = _node(op, attrs, inputs, result)
    for i, r in enumerate(result):
        if r._array.dtype in FLOATS:
            r._node, r._requires_grad = Slot(node, i), True


def _node(op, attrs, inputs, results) -> Node:
    if len(inputs) == 1:
        edges, wanted = [inputs[0]._node or inputs[0]], 3
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
    node = Node(op, attrs, edges, _saved(op, inputs, of_inputs) if of_inputs else NOTHING)
    if of_outputs:
        node.results = kept = [None] * len(results)
        for i, need in of_outputs:
            r = results[i]
            array = r._array
            kept[i] = (array, r._version, r._version[0], r._device) if need == KEEP else (array.shape, array.dtype,
                                                                                          r._device)
    return node


def _saved(op, inputs, picks) -> list:
    """What a gradient needs of the inputs, by picks of (index, META or KEEP): a saved tensor with its version; for META
    shape, type and device; a number as it is."""
    saved = [None] * len(inputs)
    for i, need in picks:
        x = inputs[i]
        if x.__class__ in PLAIN:
            saved[i] = x
        elif need == META:
            array = x._array
            saved[i] = array.shape, array.dtype, x._device
        else:
            version = x._version
            if version is None:
                raise RuntimeError(f"{op.name}: a tensor made in inference_mode cannot take part in a backward pass; "
                                   "clone() it outside first")
            saved[i] = x, version[0]
    return saved


# ---- check ---------------------------------------------------------------------------------------------------------


def make_call(op) -> Callable:
    """The function of tensors for an op."""
    if op.is_view:
        return _of_view(op)
    if op.outputs == 1 and not op.required and op.inputs in (1, 2):
        short = bind_op(op, _NO_ATTRS)
        return short if not op.attributes else _with_attributes(op, short)
    return _of_any(op)


def bind(operation, **attrs) -> Callable:
    """An op of one or two tensors with these attributes, as a function of the tensors that is called faster."""
    operation.op.check_attributes(attrs)
    return bind_op(operation.op, attrs)


def bind_op(op, attrs) -> Callable:
    return (_of_one if op.inputs == 1 else _of_two)(op, attrs)


def _general(op, inputs, attrs):
    """A call with any inputs and attributes."""
    if extensions.autocast is not None:
        inputs = extensions.autocast(op, inputs)
    inputs, arrays, device, tracked = gather(op, inputs)
    return perform(op, inputs, arrays, attrs, device, op.result(arrays, attrs), tracked)


def _of_any(op) -> Callable:
    attributes, check = op.attributes, op.check_attributes

    def call(*inputs, **attrs):
        if attrs.keys() != attributes:
            check(attrs)
        return _general(op, inputs, attrs)

    return call


def _with_attributes(op, short) -> Callable:
    """Of an op whose attributes may all be left out."""

    def call(*inputs, **attrs):
        if not attrs:
            return short(*inputs)
        op.check_attributes(attrs)
        return _general(op, inputs, attrs)

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
            return _general(op, (x,), attrs)  # which says what is wrong
        dtype = array.dtype
        if to_float and dtype not in FLOATS:
            return _general(op, (x,), attrs)
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
                if not promotes or dtype not in FLOATS:
                    return _general(op, (x, y), attrs)
                other = y  # NumPy and CuPy give it the tensor's type
                size = shape if elementwise else kind
                tracked = x._requires_grad
            else:
                other = y._array
                size = other.shape
                if other.dtype is not dtype or y._device is not device or (to_float and dtype not in FLOATS):
                    return _general(op, (x, y), attrs)
                tracked = x._requires_grad or y._requires_grad
        except AttributeError:
            return _general(op, (x, y), attrs)
        if elementwise and size == shape:
            found = shape, dtype
        else:
            found = known.get((shape, size, dtype))
            if found is None:
                found = op.result((array, other), attrs)
                if len(known) < _MOST_KNOWN:
                    known[shape, size, dtype] = found
        return perform(op, (x, y), (array, other), attrs, device, found, tracked)

    return call


def _of_view(op) -> Callable:
    def call(x, **attrs):
        try:
            array = x._array
        except AttributeError:
            raise TypeError(f"{op.name}: expected a Tensor, got {type(x).__name__}") from None
        return perform(op, (x,), (array,), attrs, x._device, None, x._requires_grad)

    return call
