"""Ops, and the one place that every computation passes: `Op.__call__`.

An op is declared once: a rule (shape and type of the result, and all checks), a body that fills `out` with an array
module's functions, perhaps a CUDA launch, and a gradient written in tensor operations.

    @op(rule)
    def relu(xp, out, x):
        xp.maximum(x, 0, out=out)

    @relu.gradient
    def _(g, y):                      # names after g: the outputs, then the inputs, as far as they are needed
        return (relu_grad(g, y),)

In a gradient's signature a name that begins with `_` is not kept (None comes in its place), `x_meta` keeps only shape,
type and device (a `Meta`), any other name keeps the tensor. What comes last and is not needed may be left out. It
returns one entry for each input: a tensor, None, or a function that computes it if it is wanted. Where inputs need
different values, `gradient(needs=...)` names them for each input, and only what the inputs that require gradients need
is kept: x * 2 does not keep x.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cached_property, partial
from types import FunctionType

import numpy as np

from gpunet import dtypes
from gpunet.autograd import graph, views
from gpunet.autograd.graph import DROP, KEEP, META, NOTHING, SPARE, Node, Slot, Spare
from gpunet.autograd.modes import mode
from gpunet.dtypes import HALF_TYPES
from gpunet.promotion import NUMBERS, in_float32, needs_float32, promote_for
from gpunet.promotion import promote as promote

# The Tensor class, which stands a floor above, sets this when it is defined.
Tensor: type = None

# The recorder of a step that is being recorded (see record.py), else None.
recorder = None

# autocast(op, inputs) -> inputs, while some thread is in mixed precision (see amp/autocasting.py), else None.
autocast = None

_FLOATS = {d.numpy for d in (dtypes.float16, dtypes.bfloat16, dtypes.float32, dtypes.float64)}
_FULL = _FLOATS - HALF_TYPES  # a number beside these may take their type

_PLAIN = NUMBERS | {type(None)}


def wrap(array, device):
    """A tensor around an array that nobody else holds."""
    t = _new(Tensor)
    t._array = array
    t._device = device
    t._version = [0]
    t._requires_grad = False
    t._node = t._hooks = t._post_hooks = t._view = t.grad = None
    return t


graph.wrap = wrap
_new = object.__new__


def execute(device, op, outs, arrays, attrs) -> None:
    """Runs a call on its device, under the eyes of the recorder if there is one."""
    if recorder is None:
        device.run(op, outs, arrays, attrs)
    else:
        recorder.run(device, op, outs, arrays, attrs)


class Mismatch(RuntimeError):
    """What a rule that many ops share raises for inputs that do not fit; the op's name is put in front."""


def _save(op, inputs, picks) -> list:
    """What a gradient needs of the inputs, by picks of (index, need): a kept tensor with its version; for META its
    shape, type and device; a number as it is."""
    saved = [None] * len(inputs)
    for i, need in picks:
        x = inputs[i]
        if x.__class__ in _PLAIN:
            saved[i] = x
        elif need == META:
            array = x._array
            saved[i] = array.shape, array.dtype, x._device
        else:
            version = x._version
            if version is None:
                raise RuntimeError(f"{op.name}: a tensor made in inference_mode cannot take part in a backward pass; "
                                   "clone() it outside first")
            saved[i] = (x, version[0]) if need == KEEP else Spare(x, version[0])
    return saved


class Op:
    """A computation on tensors. Calling it checks, allocates the result, runs the body on the tensors' device and
    records the call for the backward pass.

    rule(*arrays, **attrs) gives (shape, dtype) of the result; for `outputs` > 1, a sequence of them. `promotes` says
    which inputs are brought to one type first: "same" all tensors and numbers, "float" likewise with integers turned
    into the default floating-point type, None none. `opmath`: a number beside half tensors is taken in float32 (see
    promotion.py). `broadcasts`: gradients are summed to the inputs' shapes; "batch" says that only what stands before
    the last two dimensions broadcasts.
    """

    unwrapped = None  # the input that is left as it is where it is a number that an integer type does not hold

    def __init__(self, name: str, rule: Callable, body: Callable, *, outputs=1, promotes=None, opmath=False,
                 broadcasts=False, strided=False, differentiable=True, ufunc=None):
        self.name, self.rule, self.body, self.outputs = name, rule, body, outputs
        self.promotes, self.broadcasts, self.differentiable = promotes, broadcasts, differentiable
        self.opmath = opmath
        self.elementwise = False  # see Direct
        self.strided = strided  # the CUDA launch takes arrays that are not C-contiguous
        # Does all that the body does in NumPy, and allocates the result: a name, or a function of arrays and `order`.
        self.ufunc = getattr(np, ufunc) if isinstance(ufunc, str) else ufunc
        self.launch = None
        self.vjp = None
        self.arity = None  # how many of the outputs and inputs the gradient takes; None: all
        self.needs = None  # per input: the names of the values that its gradient uses
        self.via = None
        self.second_by_via = False
        self.repeatable = False  # an output that was changed before the way back is computed again from the inputs
        self._plan = {}
        self.__doc__ = body.__doc__

    def __repr__(self):
        return f"<op {self.name}>"

    def method(self) -> Callable:
        """The op as a method of Tensor: a plain function, since binding an object that is callable takes far longer."""
        call = self.__call__

        def method(self, *others, **attrs):
            return call(self, *others, **attrs)

        method.__name__, method.__doc__ = self.name, self.__doc__
        return method

    def bind(self, **attrs) -> Callable:
        """The op with these attributes, as a function of its one tensor that is called faster than the op."""
        return _one_input(self, attrs)

    # ---- declaration

    def kernel(self, launch: Callable) -> Callable:
        """Decorator: the CUDA launch `launch(cuda, *outs, *arrays, **attrs)`, used on cuda and sim. It may return
        NotImplemented before doing anything, for types or shapes that it leaves to the body."""
        self.launch = launch
        return launch

    def gradient(self, vjp: Callable | None = None, *, needs: tuple[str, ...] | None = None,
                 repeatable: bool = False) -> Callable:
        """Decorator: the vector-Jacobian product (see the module's docstring).

        needs: for each input the names of the values that its gradient uses, where they differ: ("y", "x y").
        repeatable: an output that the gradient uses may be changed all the same, as PyTorch does not keep it: it is
        then computed again, from the inputs, which are kept.
        """
        if vjp is None:
            return lambda vjp: self.gradient(vjp, needs=needs, repeatable=repeatable)
        self.vjp, self.needs, self.repeatable = vjp, needs and [names.split() for names in needs], repeatable
        self._plan = {}
        names, rest, _ = _parameters(vjp)
        self.arity = None if rest else len(names) - 1
        return vjp

    def composition(self, via: Callable | None = None, *, second: bool = True) -> Callable:
        """Decorator: the plain ops that a fused op stands for: its test oracle and, unless second=False because the
        gradient can itself be differentiated, its second derivative."""
        if via is None:
            return lambda via: self.composition(via, second=second)
        self.via, self.second_by_via = via, second
        self._plan = {}
        return via

    def plan(self, wanted: int) -> tuple[list, list]:
        """What the gradient needs of the outputs and of the inputs: lists of (index, META, KEEP or SPARE).

        wanted: in binary a 1, then for each input whether it requires gradients.
        """
        found = self._plan.get(wanted)
        if found is None:
            if self.vjp is None:
                raise RuntimeError(f"{self.name} has no gradient")
            bits = [bit == "1" for bit in f"{wanted:b}"[1:]]
            count, needs = len(bits), []
            used = self.needs and {name for names, bit in zip(self.needs, bits, strict=True) if bit for name in names}
            names, rest, _ = _parameters(self.vjp)
            for name in names[1:] + ((rest,) * (self.outputs + count - len(names) + 1) if rest else ()):
                unused = name[0] == "_" or used is not None and name not in used
                needs.append(META if name.endswith("_meta") else DROP if unused else KEEP)
            needs += [DROP] * (self.outputs + count - len(needs))
            if self.second_by_via or self.repeatable:
                needs[self.outputs :] = [KEEP if need == KEEP else SPARE for need in needs[self.outputs :]]
            both = needs[: self.outputs], needs[self.outputs :]
            found = self._plan[wanted] = tuple([(i, need) for i, need in enumerate(needs) if need != DROP]
                                               for needs in both)
        return found

    # ---- the choke point

    def __call__(self, *inputs, **attrs):
        if autocast is not None:
            inputs = autocast(self, inputs)
        promotes = self.promotes
        try:
            x = inputs[0]
            array = x._array
            device = x._device
            tracked = x._requires_grad
            arrays = [array]
            dtype = array.dtype
            if promotes == "float" and dtype not in _FLOATS:
                device = None
            for x in inputs[1:]:
                array = x._array
                if x._device is not device or (promotes is not None and array.dtype is not dtype):
                    device = None
                    break
                if x._requires_grad:
                    tracked = True
                arrays.append(array)
        except (AttributeError, IndexError):
            device = None
        compute = self._compute
        if device is None:  # numbers, several types or devices: the long way
            inputs, arrays, device, rounded_to = self._prepare(inputs)
            if rounded_to is not None:
                return self(*inputs, **attrs).to(rounded_to)
            compute = self.computing(arrays)._compute
            tracked = any([getattr(x, "_requires_grad", False) for x in inputs])

        if self.outputs == 1:
            try:
                shape, dtype = self.rule(*arrays, **attrs)
            except Mismatch:
                shape, dtype = self.result(arrays, attrs)  # raises, with the op's name
            result = compute(device, shape, dtype, arrays, attrs)
            if mode.grad:
                if tracked and self.differentiable and dtype in _FLOATS:
                    result._node = node = self._record(inputs, attrs, (result,))
                    result._requires_grad = True
                    if self.broadcasts:
                        shapes = [() if a.__class__ in _PLAIN else a.shape for a in arrays]
                        if shapes != [shape] * len(shapes):
                            node.shapes = shapes
            elif mode.inference:
                result._version = None
            return result

        outs = tuple([device.empty(shape, dtype) for shape, dtype in self.result(arrays, attrs)])
        execute(device, self, outs, arrays, attrs)
        results = tuple([wrap(out, device) for out in outs])
        if mode.grad:
            if tracked and self.differentiable:
                node = self._record(inputs, attrs, results)
                for i, r in enumerate(results):
                    if r._array.dtype in _FLOATS:
                        r._node, r._requires_grad = Slot(node, i), True
        elif mode.inference:
            for r in results:
                r._version = None
        return results

    def result(self, arrays, attrs):
        """The rule's answer: shape and type of the result; RuntimeError, IndexError or TypeError for what cannot be."""
        try:
            return self.rule(*arrays, **attrs)
        except Mismatch as error:
            raise RuntimeError(f"{self.name}: {error}") from None

    def _compute(self, device, shape, dtype, arrays, attrs):
        """The result of a call with one output, without history."""
        if recorder is None:
            out = device.compute(self, shape, dtype, arrays, attrs)
        else:
            out = device.empty(shape, dtype)
            recorder.run(device, self, (out,), arrays, attrs)
        t = _new(Tensor)  # wrap(), without its call
        t._array = out
        t._device = device
        t._version = [0]
        t._requires_grad = False
        t._node = t._hooks = t._post_hooks = t._view = t.grad = None
        return t

    def _record(self, inputs, attrs, results) -> Node:
        """The Node of a call: where its inputs came from, and what its gradient needs."""
        if len(inputs) == 1:
            edges, wanted = [inputs[0]._node or inputs[0]], 3
        else:
            edges = []
            wanted = 1  # a bit for each input, which says whether it requires gradients
            for x in inputs:
                if x.__class__ not in _PLAIN and x._requires_grad:
                    edges.append(x._node or x)
                    wanted += wanted + 1
                else:
                    edges.append(None)
                    wanted += wanted
        of_outputs, of_inputs = self._plan.get(wanted) or self.plan(wanted)
        node = Node(self, attrs, edges, _save(self, inputs, of_inputs) if of_inputs else NOTHING)
        if of_outputs:
            node.results = kept = [None] * len(results)
            for i, need in of_outputs:
                r = results[i]
                array = r._array
                kept[i] = (array, r._version, r._version[0], r._device) if need == KEEP else (array.shape, array.dtype,
                                                                                              r._device)
        return node

    # ---- the long way: numbers, several types, several devices

    def _prepare(self, inputs):
        """Brings inputs to one type and one device; numbers and None become constants. Returns inputs, arrays, device,
        and the half type to which the result is to be rounded where the inputs are in float32 instead, else None."""
        tensors = [x for x in inputs if isinstance(x, Tensor)]
        # A zero-dimensional CPU tensor follows the others, as in PyTorch.
        device = next((x._device for x in tensors if x._array.ndim or x._device.type != "cpu"),
                      tensors[0]._device if tensors else None)
        if device is None:
            raise TypeError(f"{self.name}: expected a Tensor, got {', '.join(type(x).__name__ for x in inputs)}")
        operands = []
        for x in inputs:
            if isinstance(x, Tensor):
                x = x if x._device is device else self._move(x, device)
            elif isinstance(x, np.generic):
                x = x.item()
            elif isinstance(x, np.ndarray):
                raise TypeError(f"{self.name}: got a NumPy array; make it a tensor with gpunet.tensor() first")
            elif isinstance(x, float):
                x = float(x)
            elif isinstance(x, int) and x.__class__ is not bool:
                x = int(x)
            elif x.__class__ is not bool and (x is not None or self.promotes is not None):
                raise TypeError(f"{self.name}: expected a Tensor or a number, got {type(x).__name__}")
            operands.append(x)
        rounded_to = None
        if self.promotes is not None:
            operands, rounded_to = promote_for(self, operands)
        return operands, [x if x.__class__ in _PLAIN else x._array for x in operands], device, rounded_to

    def _move(self, x, device):
        """A zero-dimensional CPU tensor may meet tensors of any device; all else must share one."""
        if x._device.type == "cpu" and x._array.ndim == 0:
            return x.to(device.name)
        raise RuntimeError(f"{self.name}: expected all tensors on one device, but found {x._device.name} and "
                           f"{device.name}; move one with .to({str(device.name)!r})")

    def computing(self, arrays) -> Op:
        """The op whose body runs for these arrays and numbers: this one, or `in_float32`."""
        return self.in_float32 if self.opmath and needs_float32(arrays) else self

    @cached_property
    def in_float32(self) -> Op:
        """This op for half arrays beside numbers. Its launch is the same: kernels compute with half types in float32,
        and take numbers as they come."""
        op = Op(self.name, self.rule, in_float32(self.body), strided=self.strided)
        op.launch = self.launch
        return op

    # ---- results written into existing tensors

    def into(self, outs, *inputs, **attrs):
        """Runs the body with existing tensors as outputs (optimizer updates, in-place forms). No gradient."""
        device = outs[0]._device
        arrays = [None if x is None else getattr(x, "_array", x) for x in inputs]
        execute(device, self, tuple([t._array for t in outs]), arrays, attrs)
        for t in outs:
            if t._version is not None:
                t._version[0] += 1


def is_tensor(x) -> bool:
    """Whether `x` is a gpunet tensor."""
    return isinstance(x, Tensor)


class Direct(Op):
    """An op of one or two inputs that goes straight to the computation when it is called without attributes and nothing
    has to be brought to one type or device. Its rule is asked once for each combination of shapes and types, and not at
    all where it is `elementwise` and the inputs are alike: the result is then like them."""

    def __init__(self, name, rule, body, **options):
        super().__init__(name, rule, body, **options)
        self.elementwise = getattr(rule, "elementwise", False)
        self._short = _one_input(self, _NO_ATTRS) if _arrays_of(body) == 1 else _two_inputs(self, _NO_ATTRS)

    def __call__(self, *inputs, **attrs):
        return super().__call__(*inputs, **attrs) if attrs else self._short(*inputs)

    def method(self):
        short = self._short
        method = FunctionType(short.__code__, short.__globals__, self.name, short.__defaults__, short.__closure__)
        method.__doc__ = self.__doc__
        return method


_MOST_KNOWN = 4096


def _one_input(op: Op, attrs: dict) -> Callable:
    """`op(x, **attrs)` with these attributes, as a function of x: the rule is asked once for each shape and type."""
    compute, record, rule, general = op._compute, op._record, op.result, partial(Op.__call__, op, **attrs)
    to_float, differentiable, elementwise, known = op.promotes == "float", op.differentiable, op.elementwise, {}

    def call(x):
        if autocast is not None:
            (x,) = autocast(op, (x,))
        try:
            array = x._array
        except AttributeError:
            return general(x)  # which says what is wrong
        shape = array.shape
        dtype = array.dtype
        if to_float and dtype not in _FLOATS:
            return general(x)
        if not elementwise:
            found = known.get((shape, dtype))
            if found is None:
                found = rule((array,), attrs)
                if len(known) < _MOST_KNOWN:
                    known[shape, dtype] = found
            shape, dtype = found
        result = compute(x._device, shape, dtype, (array,), attrs)
        if mode.grad:
            if x._requires_grad and differentiable and dtype in _FLOATS:
                result._node = record((x,), attrs, (result,))
                result._requires_grad = True
        elif mode.inference:
            result._version = None
        return result

    return call


def _two_inputs(op: Op, attrs: dict) -> Callable:
    """`op(x, y, **attrs)` with these attributes, as a function of x and y."""
    compute, record, rule, general = op._compute, op._record, op.result, partial(Op.__call__, op, **attrs)
    to_float, promotes, broadcasts = op.promotes == "float", op.promotes is not None, op.broadcasts
    differentiable, elementwise, known = op.differentiable, op.elementwise, {}

    def call(x, y):
        if autocast is not None:
            x, y = autocast(op, (x, y))
        uneven = False
        try:
            array = x._array
            device = x._device
            shape = array.shape
            dtype = array.dtype
            kind = y.__class__
            if kind is float or kind is int:
                if not promotes or dtype not in _FULL:
                    return general(x, y)
                other = y  # NumPy and CuPy give it the tensor's type
                size = shape if elementwise else kind
                tracked = x._requires_grad
            else:
                other = y._array
                size = other.shape
                if other.dtype is not dtype or y._device is not device or (to_float and dtype not in _FLOATS):
                    return general(x, y)
                tracked = x._requires_grad or y._requires_grad
            if not elementwise or size != shape:
                found = known.get((shape, size, dtype))
                if found is None:
                    found = rule((array, other), attrs)
                    if len(known) < _MOST_KNOWN:
                        known[shape, size, dtype] = found
                shape, dtype = found
                uneven = size is not kind and broadcasts and (broadcasts is True or len(shape) > 2)
        except AttributeError:
            return general(x, y)
        result = compute(device, shape, dtype, (array, other), attrs)
        if mode.grad:
            if tracked and differentiable and dtype in _FLOATS:
                result._node = node = record((x, y), attrs, (result,))
                result._requires_grad = True
                if uneven:
                    node.shapes = array.shape, other.shape
        elif mode.inference:
            result._version = None
        return result

    return call


_NO_ATTRS: dict = {}


def op(rule: Callable, **options) -> Callable[[Callable], Op]:
    """Decorator that declares an op from its body; see `Op`."""

    def declare(body):
        direct = options.get("outputs", 1) == 1 and _arrays_of(body) in (1, 2)
        return (Direct if direct else Op)(body.__name__.strip("_").removesuffix("_op"), rule, body, **options)

    return declare


def _parameters(function) -> tuple[tuple[str, ...], str | None, bool]:
    """The names that a body or a gradient takes by place, the name that takes all further ones (None without), and
    whether it needs attributes. (inspect.signature would take a third of the time of `import gpunet`.)"""
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    code, count = function.__code__, function.__code__.co_argcount
    rest = code.co_varnames[count + code.co_kwonlyargcount] if code.co_flags & inspect.CO_VARARGS else None
    needs = code.co_kwonlyargcount > len(function.__kwdefaults__ or ()) or bool(code.co_flags & inspect.CO_VARKEYWORDS)
    return code.co_varnames[:count], rest, needs


def _arrays_of(body) -> int | None:
    """How many arrays a body takes after `xp` and `out`; None if any number, or if it needs attributes."""
    names, rest, needs = _parameters(body)
    return None if rest or needs else len(names) - 2


class View(Op):
    """An op whose result shares its input's memory. The body returns the view instead of filling `out`.

    The result shares the version counter of its base, and remembers how it was made, so that an in-place operation
    on the view reaches the base's gradient.
    """

    def __init__(self, name, body):
        super().__init__(name, None, body)

    def __call__(self, x, **attrs):
        try:
            array = self.body(x._device.xp, x._array, **attrs)
        except AttributeError:
            if isinstance(x, Tensor):
                raise
            raise TypeError(f"{self.name}: expected a Tensor, got {type(x).__name__}") from None
        t = _new(Tensor)
        t._array = array
        t._device = x._device
        t._version = x._version
        t._requires_grad = False
        t._node = t._hooks = t._post_hooks = t._view = t.grad = None
        if mode.grad:
            views.register(t, x, self, attrs)
            if x._requires_grad and array.dtype in _FLOATS:
                t._node = self._record((x,), attrs, (t,))
                t._requires_grad = True
        elif mode.inference:
            t._version = None
        return t


def view(body: Callable) -> View:
    """Decorator that declares a view op: `body(xp, x, **attrs)` returns a view of `x`."""
    return View(body.__name__.strip("_"), body)


def host_read(tensor, what: str):
    """The tensor's values as a NumPy array, after waiting for the device. Not while a step is being recorded."""
    if recorder is not None:
        raise RuntimeError(
            f"{what}: values cannot be read on the host inside a recorded function (gpunet.compile), because the "
            "recording replays without Python; return the tensor and read it outside"
        )
    return tensor._device.to_host(tensor._array)

