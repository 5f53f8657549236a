"""How an op is declared: a rule, a body, perhaps a CUDA launch, and a gradient written in tensor operations.

    @op(rule)
    def relu_op(xp, out, x):
        xp.maximum(x, 0, out=out)

    @relu_op.gradient
    def _(g, y):                      # after g the outputs, then the inputs, as far as they are needed
        return (relu_grad(g, y),)

`relu_op` is now a plain function of tensors; `relu_op.op` is its declaration, an `Op`.

In a gradient's signature a parameter whose name begins with `_` receives None, and nothing is saved for it; `x_meta`
receives only shape, type and device (a `Meta`), an input's `x_layout` its strides, too; any other name receives the
tensor. Trailing parameters that the gradient does not use may be left out. It returns one entry for each input: a
tensor, None, or a function that computes the tensor if it is wanted; these are called from the last to the first. Where
inputs need different values, `gradient(needs=...)` names them for each input, and only what the inputs that require
gradients need is saved: x * 2 does not save x.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection
from copy import copy
from typing import Any, Protocol

import numpy as np

from gpunet._promotion import in_float32, needs_float32
from gpunet.dispatch.call import make_call
from gpunet.dispatch.operands import Mismatch
from gpunet.engine.graph import DROP, KEEP, LAYOUT, META, SPARE
from gpunet.native import ops as native


class Op:
    """The declaration of an op: what a call of it needs to know. It computes nothing itself.

    rule(*arrays, **attrs) gives (shape, dtype) of the result; for `outputs` > 1, a sequence of them. `promotes` says
    which inputs are brought to one type first: "same" all tensors and numbers, "float" likewise with integers turned
    into the default floating-point type, None none. `opmath`: a number beside half tensors is taken in float32 (see
    _promotion.py). `broadcasts`: gradients are summed to the inputs' shapes; "batch" says that only what stands before
    the last two dimensions broadcasts. `strided`: the CUDA launch takes arrays that
    are not C-contiguous. `ufunc` does all that the body does in NumPy and allocates the result: a name, or a function
    of arrays and `order`. `is_view`: the body returns a view of its input instead of filling `out`.
    `unwrapped`: the number of an input that stays as it is where it is an integer beyond the type of the others.
    `by_element`: each element of the result depends on those at its place alone, whichever order they are taken in; so
    that the op works on arrays in channels last as they lie. Rules may say it of all their ops.
    """

    __slots__ = ("name", "rule", "body", "outputs", "promotes", "broadcasts", "strided", "differentiable", "ufunc",
                 "is_view", "elementwise", "inputs", "required", "attributes", "launch", "pointwise", "vjp", "arity",
                 "needs", "via", "second_by_via", "plans", "general", "call", "opmath", "wide", "repeatable",
                 "unwrapped", "native", "replayable", "joint", "with_epilogue", "keeps",
                 "norms", "activations", "is_norm", "beginnings", "by_element", "takes_channels_last")

    def __init__(self, name: str, rule: Callable | None, body: Callable, *, outputs=1, promotes=None, opmath=False,
                 broadcasts=False, strided=False, differentiable=True, ufunc=None, is_view=False,
                 unwrapped=None, by_element=False):
        self.name, self.body, self.outputs = name, body, outputs
        self.rule: Any = rule  # None where the outputs are given, and for views
        self.promotes, self.broadcasts, self.differentiable = promotes, broadcasts, differentiable
        self.opmath, self.strided, self.is_view, self.unwrapped = opmath, strided, is_view, unwrapped
        self.ufunc = getattr(np, ufunc) if isinstance(ufunc, str) else ufunc
        # Results of inputs that are alike are like them: the rule need not be asked.
        self.elementwise = getattr(rule, "elementwise", False)
        self.by_element = by_element or getattr(rule, "by_element", False)
        names, rest, required, options = parameters(body)
        # How many arrays it takes, and the attributes without which it cannot be called; None: any.
        self.inputs = None if rest else len(names) - (1 if is_view else 2)
        self.required, self.attributes = required, options
        self.launch: Any = None  # launch(cuda, *outs, *arrays, **attrs): see kernel/
        self.takes_channels_last: Any = None  # takes_channels_last(cuda, *arrays, **attrs): see channels_last()
        self.native: Any = None  # native(*outs, *arrays, **attrs): the CPU's kernel while it serves, see native/
        self.replayable = False  # whether repeating its kernels' calls does all that it does
        self.pointwise = None  # the function of pointwise.cuh that does it, of which chains are made
        self.with_epilogue: Any = None  # the launch with what follows the op, see finishes()
        self.keeps = self.norms = False  # whether that can store the value before an activation; take a batch norm
        self.activations = None  # those that it takes; None: all of joined.py
        self.is_norm = False  # whether it is one, as an Epilogue has it
        self.beginnings: dict = {}  # the functions of pointwise.cuh that it can do first, see begins()
        self.vjp = None
        self.arity = None  # how many of the outputs and inputs the gradient takes; None: all
        self.needs = None  # per input: the names of the values that its gradient uses
        self.via = None  # the plain ops that a fused op stands for
        self.second_by_via = False
        self.repeatable = False  # an output that was changed before the way back is computed again from the inputs
        self.joint = False  # its gradient takes what is known of the walk: see gradient()
        self.plans: dict = {}
        self.wide: Op | None = None  # see computing()
        self.general: Callable  # the function of any tensors, numbers and attributes
        self.call: Callable  # the same, or a faster one for what is most often called

    def __repr__(self):
        return f"<op {self.name}>"

    def kernel(self, launch: Callable) -> Callable:
        """Decorator: the CUDA launch `launch(cuda, *outs, *arrays, **attrs)`, used on cuda and sim. It may return
        NotImplemented before doing anything, for types or shapes that it leaves to the body."""
        self.launch = launch
        return launch

    def channels_last(self, serves: Callable) -> Callable:
        """Decorator: `serves(cuda, *arrays, **attrs)`, whether the launch takes these arrays, of which at least one is
        in channels last, as they lie, and writes its results of four dimensions in channels last. Where it does not,
        and for an op without it, arrays are copied, and the results are C-contiguous. It is asked before results are
        made and again before the launch, so that it must not depend on anything else."""
        self.takes_channels_last = serves
        return serves

    def finishes(self, launch: Callable | None = None, *, keeps: bool = False, norms: bool = False,
                 activations: Collection[str] | None = None) -> Callable:
        """Decorator: the CUDA launch `launch(cuda, out, arrays, attrs, epilogue)` of the op and of calls that follow it
        in a recording, an Epilogue (devices/joined.py); further outputs come last. It may return NotImplemented before
        doing anything. keeps, norms: it takes an Epilogue with `kept`, with `norm`. activations: those that it takes;
        None: all."""
        if launch is None:
            return lambda launch: self.finishes(launch, keeps=keeps, norms=norms, activations=activations)
        self.with_epilogue, self.keeps, self.norms, self.activations = launch, keeps, norms, activations
        return launch

    def begins(self, function: str, serves: Callable) -> Callable:
        """Decorator: the CUDA launch `launch(cuda, outs, arrays, attrs, other, kept)` of the op and of a call before it
        in a recording, an element-wise function of two arrays whose result is the op's first array: arrays[0] is the
        first of the two, `other` the second; `kept` receives the result, unless it is None. It may return
        NotImplemented before doing anything. serves(*arrays, **attrs): whether it does that."""
        def declare(launch: Callable) -> Callable:
            self.beginnings[function] = serves, launch
            return launch

        return declare

    def cpu(self, function: Callable | None = None, *, types: native.Types = ("float32",), strided: bool = False,
            replayable: bool = True, halves: tuple[int, ...] = ()) -> Callable:
        """Decorator: the CPU's native kernel, `function(*outs, *arrays, **attrs)`, in place of the NumPy body where
        kernels serve. It may return NotImplemented before doing anything.

        types: what floating-point arrays it takes, all of one of these types (none: it looks itself), or a function
        that says so once the library is there. Half types that are not among them are converted to float32, and the
        results back; others go to the body, and arrays that are not C-contiguous are copied. strided: it takes any
        strides itself.
        replayable: all that it does beside calling kernels is to decide and to allocate, so that gpunet.compile may
        repeat the calls alone.
        halves: the places of arguments that it also takes of half types as they are, beside others of float32.
        """
        if function is None:
            return lambda function: self.cpu(function, types=types, strided=strided, replayable=replayable,
                                             halves=halves)
        self.replayable = replayable
        native.declare(self, function, types, strided, halves)
        return function

    def gradient(self, vjp: Callable | None = None, *, needs: tuple[str, ...] | None = None,
                 repeatable: bool = False, joint: bool = False) -> Callable:
        """Decorator: the vector-Jacobian product (see the module's docstring).

        needs: for each input the names of the values that its gradient uses, where they differ: ("y", "x y").
        repeatable: an output that the gradient uses may be changed all the same, as PyTorch does not keep it: it is
        then computed again, from the inputs, which are kept.
        joint: the formula takes a keyword `joint`: on devices whose kernels compute several gradients at once, where
        they are not differentiated in turn, a Joint (see engine/graph.py); else None, or nothing.
        """
        if vjp is None:
            return lambda vjp: self.gradient(vjp, needs=needs, repeatable=repeatable, joint=joint)
        self.joint = joint
        self.vjp, self.needs, self.repeatable = vjp, needs and [names.split() for names in needs], repeatable
        self.plans.clear()
        names, rest, _, _ = parameters(vjp)
        self.arity = None if rest else len(names) - 1
        return vjp

    def composition(self, via: Callable | None = None, *, second: bool = True) -> Callable:
        """Decorator: the plain ops that a fused op stands for: its test oracle and, unless second=False because the
        gradient can itself be differentiated, its second derivative."""
        if via is None:
            return lambda via: self.composition(via, second=second)
        self.via, self.second_by_via = via, second
        self.plans.clear()
        return via

    def result(self, arrays, attrs):
        """The rule's answer: shape and type of the result; RuntimeError, IndexError or TypeError for what cannot be."""
        try:
            return self.rule(*arrays, **attrs)
        except Mismatch as error:
            raise RuntimeError(f"{self.name}: {error}") from None

    def computing(self, arrays) -> Op:
        """The op whose body runs for these arrays and numbers: this one, or its twin that computes in float32. A launch
        is the same: kernels compute with half types in float32, and take numbers as they come."""
        if not self.opmath or not needs_float32(arrays):
            return self
        if self.wide is None:
            self.wide = copy(self)
            self.wide.body, self.wide.ufunc, self.wide.native = in_float32(self.body), None, None
        return self.wide

    def check_attributes(self, attrs) -> None:
        """TypeError for a keyword that the op does not take."""
        if self.attributes is not None:
            for name in attrs:
                if name not in self.attributes:
                    raise TypeError(f"{self.name}() got an unexpected keyword argument '{name}'")

    def plan(self, wanted: int) -> tuple[list, list]:
        """What the gradient needs of the outputs and of the inputs: lists of (index, META, LAYOUT, KEEP or SPARE).

        wanted: in binary a 1, then for each input whether it requires gradients.
        """
        found = self.plans.get(wanted)
        if found is None:
            if self.vjp is None:
                raise RuntimeError(f"{self.name} has no gradient")
            bits = [bit == "1" for bit in f"{wanted:b}"[1:]]
            count, needs = len(bits), []
            used = self.needs and {name for names, bit in zip(self.needs, bits, strict=True) if bit for name in names}
            names, rest, _, _ = parameters(self.vjp)
            for name in names[1:] + ((rest,) * (self.outputs + count - len(names) + 1) if rest else ()):
                unused = name[0] == "_" or used is not None and name not in used
                needs.append(META if name.endswith("_meta") else LAYOUT if name.endswith("_layout") else DROP if unused
                             else KEEP)
            needs += [DROP] * (self.outputs + count - len(needs))
            if self.second_by_via or self.repeatable:
                needs[self.outputs :] = [KEEP if need == KEEP else SPARE for need in needs[self.outputs :]]
            found = self.plans[wanted] = _kept(needs[: self.outputs]), _kept(needs[self.outputs :])
        return found


def _kept(needs: list[int]) -> list[tuple[int, int]]:
    return [(i, need) for i, need in enumerate(needs) if need != DROP]


class OpFunction(Protocol):
    """What `@op` makes of a body: a plain function of tensors that carries its declaration."""

    __name__: str
    op: Op

    def __call__(self, *inputs: Any, **attrs: Any) -> Any: ...

    def kernel(self, launch: Callable) -> Callable: ...

    def channels_last(self, serves: Callable) -> Callable: ...

    def finishes(self, launch: Callable | None = None, *, keeps: bool = False, norms: bool = False,
                 activations: Collection[str] | None = None) -> Callable: ...

    def begins(self, function: str, serves: Callable) -> Callable: ...

    def cpu(self, function: Callable | None = None, *, types: native.Types = ("float32",), strided: bool = False,
            replayable: bool = True, halves: tuple[int, ...] = ()) -> Callable: ...

    def gradient(self, vjp: Callable | None = None, *, needs: tuple[str, ...] | None = None,
                 repeatable: bool = False, joint: bool = False) -> Callable: ...

    def composition(self, via: Callable | None = None, *, second: bool = True) -> Callable: ...


def op(rule: Callable | None, **options) -> Callable[[Callable], OpFunction]:
    """Decorator that declares an op from its body; see `Op` for the options."""
    return lambda body: _declare(rule, body, options)


def view(body: Callable) -> OpFunction:
    """Decorator that declares a view op: `body(xp, x, **attrs)` returns a view of `x`.

    The result shares the version counter of its base, and remembers how it was made, so that an in-place operation on
    the view reaches the base's gradient.
    """
    return _declare(None, body, {"is_view": True})


def _declare(rule, body, options) -> Any:
    declared = Op(body.__name__.strip("_").removesuffix("_op"), rule, body, **options)
    function: Any = make_call(declared)
    function.__name__ = function.__qualname__ = declared.name
    function.__module__, function.__doc__ = body.__module__, body.__doc__
    body.__qualname__ = declared.name  # which Python's own errors about a body's arguments name
    function.op, declared.call = declared, function
    function.kernel, function.cpu = declared.kernel, declared.cpu
    function.finishes, function.begins = declared.finishes, declared.begins
    function.gradient, function.composition = declared.gradient, declared.composition
    function.channels_last = declared.channels_last
    return function


def parameters(function) -> tuple[tuple[str, ...], str | None, bool, frozenset | None]:
    """Of a body or a gradient: the names of the parameters that it takes by place, the name that takes all further ones
    (None without), whether it needs attributes, and their names (None: any). inspect.signature would take a third of
    the time of `import gpunet`."""
    wrapped = hasattr(function, "__wrapped__")
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    code, count = function.__code__, function.__code__.co_argcount
    last = count + code.co_kwonlyargcount
    rest = code.co_varnames[last] if code.co_flags & inspect.CO_VARARGS else None
    open_ended = bool(code.co_flags & inspect.CO_VARKEYWORDS)
    required = code.co_kwonlyargcount > len(function.__kwdefaults__ or ()) or open_ended
    attributes = None if open_ended or wrapped else frozenset(code.co_varnames[count:last])
    return code.co_varnames[:count], rest, required, attributes
