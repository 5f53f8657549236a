"""Functions made into functions of their derivatives, as `torch.func` has them.

They take and return nested tuples, lists and dictionaries of tensors, and can be put into each other. All are made of
backward passes, one by one: Jacobians take one for each row or column.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from functools import wraps
from typing import Any

from gpunet.dispatch import is_tensor
from gpunet.engine.differentiate import grad as gradients_of
from gpunet.engine.graph import Slot, source
from gpunet.engine.modes import enable_grad, inference_mode, is_grad_enabled, is_inference_mode_enabled
from gpunet.func.trees import leaves_of, mapped, rebuilt, structure
from gpunet.ops.creation import zeros_like
from gpunet.ops.join import stack
from gpunet.tensor import Tensor

__all__ = ["grad", "grad_and_value", "hessian", "jacfwd", "jacrev", "jvp", "linearize", "vjp"]

Function = Callable[..., Any]
Numbers = int | tuple[int, ...]


def grad(func: Function, argnums: Numbers = 0, has_aux: bool = False) -> Function:
    """The function that returns the gradient of `func`, whose result is a tensor of one number without dimensions.

    Args:
        func: the function, of tensors or of nested tuples, lists and dictionaries of them.
        argnums: by which of its arguments, counted from 0: a number, or a tuple of numbers.
        has_aux: `func` returns a pair, of which only the first is differentiated; so does the new function.

    Returns:
        A function of the same arguments, whose result is like the argument; for a tuple of numbers a tuple.

    Raises:
        RuntimeError: when it is called: the result of `func` is something else, or there is no such argument.

    Examples:
        >>> cube = lambda x: x ** 3
        >>> gpunet.func.grad(cube)(gpunet.tensor(2.0))
        tensor(12.)
        >>> gpunet.func.grad(gpunet.func.grad(cube))(gpunet.tensor(2.0))
        tensor(12.)
    """
    both = grad_and_value(func, argnums, has_aux)

    @wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        gradient, value = both(*args, **kwargs)
        return (gradient, value[1]) if has_aux else gradient

    return wrapper


def grad_and_value(func: Function, argnums: Numbers = 0, has_aux: bool = False) -> Function:
    """The function that returns the gradient of `func`, as `grad` has it, and the value.

    Args:
        func: the function, of tensors or of nested tuples, lists and dictionaries of them.
        argnums: by which of its arguments, counted from 0: a number, or a tuple of numbers.
        has_aux: `func` returns a pair, of which only the first is differentiated; in place of the value stands the
            pair.

    Returns:
        A function of the same arguments, which returns the pair (gradient, value).

    Raises:
        RuntimeError: when it is called: the result of `func` is something else, or there is no such argument.

    Examples:
        >>> gpunet.func.grad_and_value(lambda x: x ** 3)(gpunet.tensor(2.0))
        (tensor(12.), tensor(8.))
    """
    name = "grad_and_value(f)(*args)"

    @wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        with _Followed(args, argnums) as call:
            value, aux = _with_aux(name, func(*call.args, **kwargs), has_aux)
            if not is_tensor(value):
                raise RuntimeError(f"{name}: Expected f(*args) to return a Tensor, got {type(value)}")
            if value.ndim:
                raise RuntimeError(f"{name}: Expected f(*args) to return a scalar Tensor, got tensor with {value.ndim} "
                                   "dims. Maybe you wanted to use the vjp or jacrev APIs instead?")
            found = _gradients([value], call.leaves, None, call.outlives([value]))
        value = call.released(value)
        return call.like_inputs(found), (value, call.released(aux)) if has_aux else value

    return wrapper


def vjp(func: Function, *primals: Any, has_aux: bool = False) -> Any:
    """The value of `func`, and the function of vectors v that returns v times the Jacobian, v^T J.

    Args:
        func: the function, of tensors or of nested tuples, lists and dictionaries of them.
        primals: its arguments.
        has_aux: `func` returns a pair, of which only the first is differentiated.

    Returns:
        The pair (value, function), with `has_aux` (value, function, aux). The function takes vectors like the value,
        may be called any number of times, and returns a tuple with a product for each argument.

    Raises:
        RuntimeError: `func` returns something else than tensors, or vectors have another structure than the value.

    Examples:
        >>> value, function = gpunet.func.vjp(lambda x: x * x, gpunet.tensor([1.0, 2.0]))
        >>> function(gpunet.tensor([1.0, 1.0]))
        (tensor([2., 4.]),)
    """
    with _Followed(primals, tuple(range(len(primals)))) as call:
        out, aux = _with_aux("vjp(f, *primals)", func(*call.args), has_aux)
        outputs = _only_floating("vjp(f, *primals)", out)
        outlives = call.outlives(outputs)

    def function(cotangents: Any, retain_graph: bool = True, create_graph: bool | None = None) -> Any:
        if structure(cotangents) != structure(out):
            raise RuntimeError("Expected pytree structure of cotangents to be the same as pytree structure of outputs "
                               f"to the function. cotangents: {structure(cotangents)}, primal output: "
                               f"{structure(out)}")
        vectors = leaves_of(cotangents)
        again = is_grad_enabled() and (outlives or any(v.requires_grad for v in vectors))
        return call.like_inputs(_gradients(outputs, call.leaves, vectors,
                                           again if create_graph is None else create_graph, retain_graph))

    value = call.released(out)
    return (value, function, call.released(aux)) if has_aux else (value, function)


def jvp(func: Function, primals: Any, tangents: Any, *, strict: bool = False, has_aux: bool = False) -> Any:
    """The value of `func`, and its Jacobian times a vector, J v: how the value changes in the direction of v.

    Two backward passes, as the product of a vector and the Jacobian is linear in its vector.

    Args:
        func: the function, of tensors or of nested tuples, lists and dictionaries of them.
        primals: a tuple of its arguments.
        tangents: the vector, likewise.
        strict: whether a result that does not depend on the arguments is an error, else its product is zeros.
        has_aux: `func` returns a pair, of which only the first is differentiated.

    Returns:
        The pair (value, product), with `has_aux` (value, product, aux).

    Raises:
        RuntimeError: `func` returns something else than tensors, or the vector does not fit the arguments.

    Examples:
        >>> x, v = gpunet.tensor([1.0, 2.0]), gpunet.tensor([1.0, 1.0])
        >>> gpunet.func.jvp(lambda x: x * x, (x,), (v,))
        (tensor([1., 4.]), tensor([2., 4.]))
    """
    name = "jvp(f, primals, tangents)"
    if not isinstance(primals, tuple):
        raise RuntimeError(f"{name}: Expected primals to be a tuple. E.g. it should be valid to call f(*primals).")
    linear = _Linear(name, func, primals, has_aux)
    product = linear(name, tangents)
    if strict and not all(out.requires_grad for out in linear.outputs):
        raise RuntimeError("jvp(f, primals, tangents, strict=True): The output of f is independent of the inputs. This "
                           "is not allowed with strict=True.")
    return (linear.value, product, linear.aux) if has_aux else (linear.value, product)


def linearize(func: Function, *primals: Any) -> tuple[Any, Function]:
    """The value of `func`, and the function of vectors that returns the Jacobian times them, J v.

    Args:
        func: the function, of tensors or of nested tuples, lists and dictionaries of them.
        primals: its arguments.

    Returns:
        The pair (value, function). The function takes a vector for each argument, any number of times, and runs one
        backward pass each time.

    Raises:
        RuntimeError: `func` returns something else than tensors, or the vectors do not fit the arguments.

    Examples:
        >>> value, function = gpunet.func.linearize(lambda x: x * x, gpunet.tensor([1.0, 2.0]))
        >>> function(gpunet.tensor([1.0, 1.0]))
        tensor([2., 4.])
    """
    linear = _Linear("linearize(f, *primals)", func, primals, False)
    return linear.value, lambda *tangents: linear("linearize(f, *primals)", tangents)


def jacrev(func: Function, argnums: Numbers = 0, *, has_aux: bool = False, chunk_size: int | None = None,
           _preallocate_and_copy: bool = False) -> Function:
    """The function that returns the Jacobian of `func`, by rows: one backward pass for each number of the result.

    Args:
        func: the function, of tensors or of nested tuples, lists and dictionaries of them.
        argnums: by which of its arguments, counted from 0: a number, or a tuple of numbers.
        has_aux: `func` returns a pair, of which only the first is differentiated; so does the new function.
        chunk_size: how many rows PyTorch computes at once, which changes nothing here; at least 1.

    Shape:
        (*output's shape, *input's shape).

    Returns:
        A function of the same arguments, whose result is like that of `func`, with for each tensor in it what `grad`
        would return.

    Raises:
        RuntimeError: when it is called: `func` returns something else than tensors, or there is no such argument.

    Examples:
        >>> gpunet.func.jacrev(lambda x: x * x)(gpunet.tensor([1.0, 2.0]))
        tensor([[2., 0.],
                [0., 4.]])
    """
    if chunk_size is not None and chunk_size <= 0:
        raise ValueError("jacrev: `chunk_size` should be greater than 0.")
    name = "vjp(f, *primals)"

    @wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        with _Followed(args, argnums) as call:
            out, aux = _with_aux(name, func(*call.args, **kwargs), has_aux)
            again = call.outlives(_only_floating(name, out))

            def rows(y: Tensor) -> Any:
                parts = y.reshape(-1)
                found = [_gradients([parts[i]], call.leaves, None, again, True) for i in range(y.numel())]
                return call.like_inputs([_stacked(each, x, (*y.shape, *x.shape))
                                         for each, x in zip(_turned(found, call.leaves), call.leaves, strict=True)])

            jacobian = mapped(rows, out)
        return (jacobian, call.released(aux)) if has_aux else jacobian

    return wrapper


def jacfwd(func: Function, argnums: Numbers = 0, has_aux: bool = False, *, randomness: str = "error") -> Function:
    """The function that returns the Jacobian of `func`, by columns: one backward pass for each number of the argument.

    Args:
        func: the function, of tensors or of nested tuples, lists and dictionaries of them.
        argnums: by which of its arguments, counted from 0: a number, or a tuple of numbers.
        has_aux: `func` returns a pair, of which only the first is differentiated; so does the new function.
        randomness: what PyTorch does with random numbers in `func`; here it runs once, so that it changes nothing.

    Shape:
        (*output's shape, *input's shape).

    Returns:
        A function of the same arguments, whose result is that of `jacrev`.

    Raises:
        RuntimeError: when it is called: `func` returns something else than tensors, or there is no such argument.

    Examples:
        >>> gpunet.func.jacfwd(lambda x: x * x)(gpunet.tensor([1.0, 2.0]))
        tensor([[2., 0.],
                [0., 4.]])
    """
    @wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        linear = _Linear("jvp(f, primals, tangents)", func, args, has_aux, argnums, kwargs)
        with enable_grad():
            columns: list[list[Tensor]] = [[] for _ in linear.outputs]  # for each output a block for each input
            for k, x in enumerate(linear.call.leaves):
                found = [linear.along(k, _unit(x, i)) for i in range(x.numel())]
                for each, y, blocks in zip(_turned(found, linear.outputs), linear.outputs, columns, strict=True):
                    block = _stacked(each, y, (x.numel(), *y.shape))
                    blocks.append(block.movedim(0, -1).reshape(*y.shape, *x.shape))
            jacobian = rebuilt(linear.value, [linear.call.like_inputs(blocks) for blocks in columns])
        return (jacobian, linear.aux) if has_aux else jacobian

    return wrapper


def hessian(func: Function, argnums: Numbers = 0) -> Function:
    """The function that returns the second derivatives of `func`, whose result is a tensor: `jacrev` of `jacrev`.

    Args:
        func: the function, of tensors or of nested tuples, lists and dictionaries of them.
        argnums: by which of its arguments, counted from 0: a number, or a tuple of numbers.

    Shape:
        (*output's shape, *input's shape, *input's shape).

    Returns:
        A function of the same arguments; for a tuple of numbers [i][j] of its result belongs to arguments i and j.

    Raises:
        RuntimeError: when it is called: `func` returns something else than tensors, or there is no such argument.

    Examples:
        >>> gpunet.func.hessian(lambda x: (x ** 3).sum())(gpunet.tensor([1.0, 2.0]))
        tensor([[ 6.,  0.],
                [ 0., 12.]])
    """
    return jacrev(jacrev(func, argnums), argnums)


# ---- a call through which gradients flow ---------------------------------------------------------------------------


class _Followed:
    """A call of the user's function, with gradients recorded: its arguments as tensors of their own, through which they
    flow. `with` it the function is called, whatever the mode outside.

    Attributes:
        args: the arguments that the function receives.
        leaves: the tensors by which is differentiated.
    """

    def __init__(self, args: tuple[Any, ...], argnums: Numbers) -> None:
        self._outside = is_grad_enabled()
        self._single = isinstance(argnums, int)
        numbers: Any = (argnums,) if isinstance(argnums, int) else argnums
        if not isinstance(numbers, tuple) or not all(isinstance(n, int) for n in numbers):
            raise RuntimeError(f"argnums must be int or Tuple[int, ...], got: {type(argnums)}")
        if not numbers and args:
            raise RuntimeError("argnums must be non-empty")
        for n in numbers:
            if not -len(args) <= n < len(args):
                raise RuntimeError(f"Got argnum={n}, but only {len(args)} positional inputs")
        self._numbers, self._given = [n % len(args) for n in numbers], args
        if len(set(self._numbers)) < len(self._numbers):
            raise RuntimeError(f"argnums elements must be unique, got {argnums}")

    def __enter__(self) -> _Followed:
        self._mode, inference = ExitStack(), is_inference_mode_enabled()
        if inference:
            self._mode.enter_context(inference_mode(False))
        self._mode.enter_context(enable_grad())
        try:
            args = [mapped(_recordable, x) for x in self._given] if inference else list(self._given)
            for n in self._numbers:
                args[n] = mapped(self._own, args[n])
        except BaseException:
            self._mode.close()
            raise
        self.args, self._inputs = tuple(args), tuple(args[n] for n in self._numbers)
        self.leaves = leaves_of(self._inputs)
        return self

    def __exit__(self, *exception: Any) -> None:
        self._mode.__exit__(*exception)

    def _own(self, x: Any) -> Tensor:
        if not is_tensor(x):
            raise ValueError(f"Thing passed to transform API must be Tensor, got {type(x)}")
        if self._outside and x.requires_grad:
            return x.view_as(x)
        return _recordable(x).detach().requires_grad_()

    def outlives(self, outputs: Iterable[Tensor]) -> bool:
        """Whether something outside can be differentiated by what outputs depend on: then so must be the gradients."""
        return self._outside and _reaches_others(outputs, {id(x) for x in self.leaves})

    def released(self, tree: Any) -> Any:
        """What is returned, apart from the call's graph unless it leads out of it."""
        return mapped(lambda y: y if not is_tensor(y) or self.outlives([y]) else y.detach(), tree)

    def like_inputs(self, leaves: Sequence[Any]) -> Any:
        """A result for each input, as they were given."""
        found = rebuilt(self._inputs, leaves)
        return found[0] if self._single else found


def _recordable(x: Any) -> Any:
    """A copy of what was made in inference mode, which could not take part in a backward pass."""
    return x.clone() if is_tensor(x) and x.is_inference() else x


def _reaches_others(outputs: Iterable[Tensor], own: set[int]) -> bool:
    """Whether gradients of the outputs flow to leaves that are not among `own`, by id."""
    seen: set[int] = set()
    edges = [source(y) for y in outputs if y.requires_grad]
    while edges:
        edge: Any = edges.pop()
        edge = edge[0] if type(edge) is Slot else edge
        if edge is None or id(edge) in seen:
            continue
        seen.add(id(edge))
        if not is_tensor(edge):
            edges += edge.edges
        elif id(edge) not in own:
            return True
    return False


class _Linear:
    """The Jacobian of a function as a function of vectors, J v: the derivative by u of u^T J, in the direction of v.

    Attributes:
        call: the call of the user's function.
        outputs: the tensors in its result.
        value: its result; aux: what else it returned.
    """

    def __init__(self, name: str, func: Function, args: tuple[Any, ...], has_aux: bool, argnums: Numbers | None = None,
                 kwargs: dict[str, Any] | None = None) -> None:
        with _Followed(args, tuple(range(len(args))) if argnums is None else argnums) as self.call:
            if not self.call.leaves:
                raise RuntimeError(f"{name}: Expected primals to contain at least one Tensor.")
            out, aux = _with_aux(name, func(*self.call.args, **kwargs or {}), has_aux)
            self.outputs = _only_tensors(name, out)
            self._outlives = self.call.outlives(self.outputs)
            self._vectors = [zeros_like(y.detach()).requires_grad_(y.is_floating_point()) for y in self.outputs]
            self._products = _gradients(self.outputs, self.call.leaves, self._vectors, True)
        self.value, self.aux = self.call.released(out), self.call.released(aux)

    def __call__(self, name: str, tangents: Any) -> Any:
        if structure(tangents) != structure(self.call.args):
            raise RuntimeError(f"{name}: Expected primals and tangents to have the same python structure. For example, "
                               "if primals is a tuple of 3 tensors, tangents also must be. Got primals with structure "
                               f"{structure(self.call.args)} and tangents with structure {structure(tangents)}")
        vectors = leaves_of(tangents)
        for v in vectors:
            if not is_tensor(v):
                raise RuntimeError(f"{name}: Expected tangents to only contain Tensors, got {type(v)}")
        return rebuilt(self.value, self._derivatives(self._products, vectors))

    def along(self, k: int, vector: Tensor) -> list[Tensor]:
        """The product with a vector of one of the inputs."""
        return self._derivatives(self._products[k : k + 1], [vector])

    def _derivatives(self, products: list[Tensor], vectors: list[Tensor]) -> list[Tensor]:
        again = is_grad_enabled() and (self._outlives or any(v.requires_grad for v in vectors))
        found = iter(_gradients(products, [v for v in self._vectors if v.requires_grad], vectors, again, True))
        return [next(found) if v.requires_grad else v for v in self._vectors]  # integers do not change: zeros


def _gradients(outputs: Sequence[Tensor], inputs: Sequence[Tensor], vectors: Sequence[Tensor] | None,
               create_graph: bool, retain_graph: bool | None = None) -> list[Tensor]:
    """v^T J for each input, zeros where there is none."""
    pairs = [(y, None if vectors is None else vectors[i]) for i, y in enumerate(outputs) if y.requires_grad]
    found: Any = [None] * len(inputs)
    if pairs:
        found = gradients_of([y for y, _ in pairs], list(inputs), [v for _, v in pairs], retain_graph, create_graph,
                             allow_unused=True)
    return [zeros_like(x.detach()) if g is None else g for g, x in zip(found, inputs, strict=True)]


def _with_aux(name: str, out: Any, has_aux: bool) -> tuple[Any, Any]:
    if not has_aux:
        return out, None
    if not isinstance(out, tuple) or len(out) != 2:
        raise RuntimeError(f"{name}: output of function f should be a tuple: (output, aux) if has_aux is True")
    return out


def _only_tensors(name: str, out: Any) -> list[Tensor]:
    leaves = leaves_of(out)
    for y in leaves:
        if not is_tensor(y):
            raise RuntimeError(f"{name}: expected f(*primals) to return only tensors, got unsupported type {type(y)}")
    return leaves


def _only_floating(name: str, out: Any) -> list[Tensor]:
    leaves = _only_tensors(name, out)
    for y in leaves:
        if not y.is_floating_point():
            raise RuntimeError(f"vjp(f, ...): All outputs of f must be floating-point or complex Tensors, got Tensor "
                               f"with dtype {y.dtype}")
    return leaves


def _turned(found: list[list[Tensor]], like: Sequence[Tensor]) -> list[list[Tensor]]:
    """Lists of one entry for each pass in place of one list for each pass."""
    return [[each[k] for each in found] for k in range(len(like))]


def _stacked(each: list[Tensor], like: Tensor, shape: tuple[int, ...]) -> Tensor:
    return stack(each).reshape(*shape) if each else like.new_zeros(shape)


def _unit(x: Tensor, i: int) -> Tensor:
    unit = x.new_zeros(x.numel())
    unit[i] = 1
    return unit.reshape(x.shape)
