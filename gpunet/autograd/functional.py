"""Jacobians, Hessians and their products with vectors, of functions of tensors.

Names and meanings are those of torch.autograd.functional.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from gpunet.dispatch import is_tensor
from gpunet.engine.differentiate import grad
from gpunet.engine.modes import enable_grad, is_grad_enabled, set_grad_enabled
from gpunet.ops.creation import zeros_like
from gpunet.ops.join import stack

if TYPE_CHECKING:
    from gpunet.tensor import Tensor

    Tensors = Tensor | tuple[Tensor, ...]

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]


def jacobian(func: Callable[..., Any], inputs: Tensors, create_graph: bool = False, strict: bool = False,
             vectorize: bool = False, strategy: str = "reverse-mode") -> Any:
    """The derivatives of all elements of `func(*inputs)` by all of the inputs: J[i, j] = d output_i / d input_j.

    One backward pass for each element of the output.

    Args:
        func: Takes tensors, returns a tensor or a tuple of tensors.
        inputs: What it takes: a tensor, or a tuple of tensors.
        create_graph: Whether the results can be differentiated themselves.
        strict: Whether an output that does not depend on an input is an error; otherwise its derivative is zeros.
        vectorize: PyTorch's faster way, which changes nothing here.
        strategy: "reverse-mode"; there is no other here.

    Shape:
        (*output's shape, *input's shape).

    Returns:
        A tensor; a tuple of them over the inputs if `inputs` is a tuple; a tuple of that over the outputs if `func`
        returns a tuple.

    Raises:
        RuntimeError: If `strict` says so.
        TypeError: If the inputs or outputs are not tensors.
        NotImplementedError: For "forward-mode".

    Examples:
        >>> gpunet.autograd.functional.jacobian(lambda x: x * x, gpunet.tensor([1.0, 2.0]))
        tensor([[2., 0.],
                [0., 4.]])
    """
    _refuse_forward(strategy, "jacobian", "strategy")
    with enable_grad():
        call = _Call("jacobian", func, inputs, create_graph, strict)
        rows = tuple(call.jacobian_of(i, out, strict) for i, out in enumerate(call.outputs))
    rows = tuple(call.inputs_like(row) for row in rows)
    return rows if call.many_outputs else rows[0]


def hessian(func: Callable[..., Any], inputs: Tensors, create_graph: bool = False, strict: bool = False,
            vectorize: bool = False, outer_jacobian_strategy: str = "reverse-mode") -> Any:
    """The second derivatives of `func(*inputs)`, a tensor with one element: H[i, j] = d2 output / d input_i d input_j.

    Args:
        func: Takes tensors, returns a tensor with one element.
        inputs: What it takes: a tensor, or a tuple of tensors.
        create_graph: Whether the results can be differentiated themselves.
        strict: Whether an output that does not depend on an input is an error; otherwise its derivative is zeros.
        vectorize: PyTorch's faster way, which changes nothing here.
        outer_jacobian_strategy: "reverse-mode"; there is no other here.

    Shape:
        (*input's shape, *input's shape).

    Returns:
        A tensor; for a tuple of inputs a tuple of tuples of tensors: [i][j] belongs to inputs i and j.

    Raises:
        RuntimeError: If the result is not one tensor with one element, or `strict` says so.
        TypeError: If the inputs are not tensors.
        NotImplementedError: For "forward-mode".

    Examples:
        >>> gpunet.autograd.functional.hessian(lambda x: (x ** 3).sum(), gpunet.tensor([1.0, 2.0]))
        tensor([[ 6.,  0.],
                [ 0., 12.]])
    """
    _refuse_forward(outer_jacobian_strategy, "hessian", "outer_jacobian_strategy")
    many = isinstance(inputs, tuple)

    def single(*given: Tensor) -> Tensor:
        out = func(*given)
        _check_scalar(out, "hessian")
        return out.reshape(())

    def first(*given: Tensor) -> tuple[Tensor, ...]:
        call = _Call("hessian", single, given, True, strict)
        slopes = call.jacobian_of(0, call.outputs[0], False)
        call.check(slopes, "jacobian")
        return slopes

    found = jacobian(first, inputs if many else (inputs,), create_graph, strict)
    return found if many else found[0][0]


def vjp(func: Callable[..., Any], inputs: Tensors, v: Tensors | None = None, create_graph: bool = False,
        strict: bool = False) -> tuple[Any, Any]:
    """`func(*inputs)`, and v times its Jacobian: v^T J.

    One backward pass.

    Args:
        func: Takes tensors, returns a tensor or a tuple of tensors.
        inputs: What it takes: a tensor, or a tuple of tensors.
        v: The vector, in the shape of the outputs. None stands for 1, if the output has one element.
        create_graph: Whether the results can be differentiated themselves.
        strict: Whether an output that does not depend on an input is an error; otherwise its derivative is zeros.

    Returns:
        The results of `func`, and the product, in the shape of the inputs.

    Raises:
        RuntimeError: If `v` does not fit, or `strict` says so.
        TypeError: If the inputs or outputs are not tensors.

    Examples:
        >>> x, v = gpunet.tensor([1.0, 2.0]), gpunet.tensor([1.0, 1.0])
        >>> gpunet.autograd.functional.vjp(lambda x: x * x, x, v)
        (tensor([1., 4.]), tensor([2., 4.]))
    """
    with enable_grad():
        call = _Call("vjp", func, inputs, create_graph, strict)
        vector = call.vector(v, call.outputs, call.many_outputs, "the user-provided function returns")
    with set_grad_enabled(create_graph or is_grad_enabled()):
        products = call.filled(_grad(call.outputs, call.inputs, vector, create_graph), call.inputs)
    return call.results(), call.inputs_like(products)


def jvp(func: Callable[..., Any], inputs: Tensors, v: Tensors | None = None, create_graph: bool = False,
        strict: bool = False) -> tuple[Any, Any]:
    """`func(*inputs)`, and its Jacobian times v: J v.

    Two backward passes, as the vector-Jacobian product is linear in its vector ("double backward trick").

    Args:
        func: Takes tensors, returns a tensor or a tuple of tensors.
        inputs: What it takes: a tensor, or a tuple of tensors.
        v: The vector, in the shape of the inputs. None stands for 1, if the input has one element.
        create_graph: Whether the results can be differentiated themselves.
        strict: Whether an output that does not depend on an input is an error; otherwise its derivative is zeros.

    Returns:
        The results of `func`, and the product, in the shape of the outputs.

    Raises:
        RuntimeError: If `v` does not fit, or `strict` says so.
        TypeError: If the inputs or outputs are not tensors.

    Examples:
        >>> x, v = gpunet.tensor([1.0, 2.0]), gpunet.tensor([1.0, 1.0])
        >>> gpunet.autograd.functional.jvp(lambda x: x * x, x, v)
        (tensor([1., 4.]), tensor([2., 4.]))
    """
    with enable_grad():
        call = _Call("jvp", func, inputs, create_graph, strict)
        vector = call.vector(v, call.inputs, call.many_inputs, "the input to the user-provided function is")
        dummies = tuple(zeros_like(out).requires_grad_() for out in call.outputs)
        products = _grad(call.outputs, call.inputs, dummies, True)
        call.check(products, "grad_inputs")
        found = call.filled(_grad(products, dummies, vector, create_graph), call.outputs)
    return call.results(), call.outputs_like(found)


def vhp(func: Callable[..., Any], inputs: Tensors, v: Tensors | None = None, create_graph: bool = False,
        strict: bool = False) -> tuple[Any, Any]:
    """`func(*inputs)`, a tensor with one element, and v times its Hessian: v^T H.

    Two backward passes: of the function, and of its gradient times v.

    Args:
        func: Takes tensors, returns a tensor with one element.
        inputs: What it takes: a tensor, or a tuple of tensors.
        v: The vector, in the shape of the inputs. None stands for 1, if the input has one element.
        create_graph: Whether the results can be differentiated themselves.
        strict: Whether an output that does not depend on an input is an error; otherwise its derivative is zeros.

    Returns:
        The results of `func`, and the product, in the shape of the inputs.

    Raises:
        RuntimeError: If `v` does not fit, the result has not one element, or `strict` says so.
        TypeError: If the inputs are not tensors.

    Examples:
        >>> x, v = gpunet.tensor([1.0, 2.0]), gpunet.tensor([1.0, 1.0])
        >>> gpunet.autograd.functional.vhp(lambda x: (x ** 3).sum(), x, v)
        (tensor(9.), tensor([ 6., 12.]))
    """
    return _second("vhp", func, inputs, v, create_graph, strict)


def hvp(func: Callable[..., Any], inputs: Tensors, v: Tensors | None = None, create_graph: bool = False,
        strict: bool = False) -> tuple[Any, Any]:
    """`func(*inputs)`, a tensor with one element, and its Hessian times v: H v.

    The same as `vhp`, the Hessian being symmetric. (PyTorch's hvp is another, slower computation with the same result.)

    Args:
        func: Takes tensors, returns a tensor with one element.
        inputs: What it takes: a tensor, or a tuple of tensors.
        v: The vector, in the shape of the inputs. None stands for 1, if the input has one element.
        create_graph: Whether the results can be differentiated themselves.
        strict: Whether an output that does not depend on an input is an error; otherwise its derivative is zeros.

    Returns:
        The results of `func`, and the product, in the shape of the inputs.

    Raises:
        RuntimeError: If `v` does not fit, the result has not one element, or `strict` says so.
        TypeError: If the inputs are not tensors.

    Examples:
        >>> x, v = gpunet.tensor([1.0, 2.0]), gpunet.tensor([1.0, 1.0])
        >>> gpunet.autograd.functional.hvp(lambda x: (x ** 3).sum(), x, v)
        (tensor(9.), tensor([ 6., 12.]))
    """
    return _second("hvp", func, inputs, v, create_graph, strict)


def _second(name: str, func: Callable[..., Any], inputs: Tensors, v: Tensors | None, create_graph: bool,
            strict: bool) -> tuple[Any, Any]:
    with enable_grad():
        call = _Call(name, func, inputs, create_graph, strict)
        vector = call.vector(v, call.inputs, call.many_inputs, "the input to the user-provided function is")
        _check_scalar(call.outputs if call.many_outputs else call.outputs[0], name)
        slopes = _grad(call.outputs, call.inputs, None, True)
        call.check(slopes, "jacobian")
    with set_grad_enabled(create_graph or is_grad_enabled()):
        products = call.filled(_grad(slopes, call.inputs, vector, create_graph), call.inputs)
    return call.results(), call.inputs_like(products)


class _Call:
    """A call of the user's function, with inputs through which gradients flow, and what is returned about it."""

    def __init__(self, name: str, func: Callable[..., Any], inputs: Tensors, create_graph: bool, strict: bool) -> None:
        self.name, self.create_graph, self.strict = name, create_graph, strict
        self.many_inputs, given = _tuple(inputs, "inputs", name)
        self.inputs = self._own(given, True)
        self.many_outputs, self.outputs = _tuple(func(*self.inputs), "outputs of the user-provided function", name)
        self.check(self.outputs, "outputs")

    def _own(self, tensors: tuple[Tensor, ...], wanted: bool) -> tuple[Tensor, ...]:
        """Copies apart from the caller's graph, unless the result is to be differentiated with respect to it."""
        return tuple(t.view_as(t) if self.create_graph and t.requires_grad else t.detach().requires_grad_(wanted)
                     for t in tensors)

    def vector(self, v: Tensors | None, like: tuple[Tensor, ...], many: bool, what: str) -> tuple[Tensor, ...] | None:
        if v is None:
            if len(like) != 1 or like[0].numel() != 1:
                raise RuntimeError(f"The vector v can only be None if {what} a single Tensor with a single element.")
            return None
        vector = self._own(_tuple(v, "v", self.name)[1], False)
        if len(vector) != len(like):
            raise RuntimeError(f"v is a tuple of invalid length: should be {len(like)} but got {len(vector)}." if many
                               else "The given v should contain a single Tensor.")
        for i, (one, other) in enumerate(zip(vector, like, strict=True)):
            if one.shape != other.shape:
                raise RuntimeError(f"{f'Entry {i} in ' if many else ''}v has invalid size: should be {other.shape} but "
                                   f"got {one.shape}.")
        return vector

    def check(self, tensors: Sequence[Tensor | None], what: str) -> None:
        """In strict mode, raises for tensors without a gradient."""
        for i, t in enumerate(tensors if self.strict else ()):
            if t is None:
                raise RuntimeError(f"The output of the user-provided function is independent of input {i}. This is not "
                                   "allowed in strict mode.")
            if not t.requires_grad:
                raise RuntimeError(f"{_INDEPENDENT[what].format(i)} This is not allowed in strict mode.")

    def filled(self, gradients: Sequence[Tensor | None], like: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Zeros where there is no gradient; in strict mode, an error."""
        for i, g in enumerate(gradients if self.strict else ()):
            if g is None or self.create_graph and not g.requires_grad:
                raise RuntimeError(_INDEPENDENT["hessian"].format(i) + " This is not allowed in strict mode.")
        return self.returned(zeros_like(x) if g is None else g for g, x in zip(gradients, like, strict=True))

    def jacobian_of(self, i: int, out: Tensor, strict: bool) -> tuple[Tensor, ...]:
        columns: list[list[Tensor]] = [[] for _ in self.inputs]
        for j in range(out.numel()):
            found: Any = _grad((out.reshape(-1)[j],), self.inputs, None, self.create_graph, True)
            for k, (column, g, x) in enumerate(zip(columns, found, self.inputs, strict=True)):
                if strict and g is None:
                    raise RuntimeError(f"Output {i} of the user-provided function is independent of input {k}. This is "
                                       "not allowed in strict mode.")
                if strict and self.create_graph and not g.requires_grad:
                    raise RuntimeError(f"The jacobian of the user-provided function is independent of input {i}. This "
                                       "is not allowed in strict mode when create_graph=True.")
                column.append(zeros_like(x) if g is None else g)
        return self.returned((stack(column) if column else x.new_zeros(0)).reshape(*out.shape, *x.shape)
                             for column, x in zip(columns, self.inputs, strict=True))

    def returned(self, tensors: Iterable[Tensor]) -> tuple[Tensor, ...]:
        return tuple(t if self.create_graph else t.detach() for t in tensors)

    def results(self) -> Tensors:
        return self.outputs_like(self.returned(self.outputs))

    def outputs_like(self, tensors: tuple[Tensor, ...]) -> Tensors:
        return tensors if self.many_outputs else tensors[0]

    def inputs_like(self, tensors: tuple[Tensor, ...]) -> Tensors:
        return tensors if self.many_inputs else tensors[0]


_INDEPENDENT = {
    "outputs": "Output {} of the user-provided function does not require gradients. The outputs must be computed in a "
               "differentiable manner from the input when running in strict mode.",
    "grad_inputs": "The gradient with respect to input {} is independent of the inputs of the user-provided function.",
    "jacobian": "While computing the hessian, found that the jacobian of the user-provided function with respect to "
                "input {} is independent of the input: the function must be twice differentiable, and not linear.",
    "hessian": "The derivative of the user-provided function with respect to input {} is independent of the input.",
}


def _tuple(value: Any, what: str, name: str) -> tuple[bool, tuple[Tensor, ...]]:
    """(whether it is a tuple, the tuple)."""
    many = isinstance(value, tuple)
    for i, t in enumerate(value if many else (value,)):
        if not is_tensor(t):
            raise TypeError(f"The {what} given to {name} must be either a Tensor or a tuple of Tensors but the "
                            f"{f'value at index {i}' if many else f'given {what}'} has type {type(t)}.")
    return many, value if many else (value,)


def _check_scalar(out: Any, name: str) -> None:
    if not is_tensor(out):
        raise RuntimeError(f"The function given to {name} should return a single Tensor")
    if out.numel() != 1:
        raise RuntimeError(f"The Tensor returned by the function given to {name} should contain a single element")


def _refuse_forward(strategy: str, name: str, argument: str) -> None:
    if strategy not in ("forward-mode", "reverse-mode"):
        raise AssertionError(f'{name}: expected {argument} to be "reverse-mode", got {strategy!r}')
    if strategy == "forward-mode":
        raise NotImplementedError(f'{name}: {argument}="forward-mode" is not supported; use "reverse-mode"')


def _grad(outputs: Sequence[Tensor | None], inputs: tuple[Tensor, ...], vectors: Sequence[Tensor] | None,
          create_graph: bool, retain_graph: bool | None = None) -> tuple[Tensor | None, ...]:
    """Gradients of the outputs that have any; None for inputs that they do not depend on."""
    given = (None,) * len(outputs) if vectors is None else vectors
    pairs = [(y, v) for y, v in zip(outputs, given, strict=True) if y is not None and y.requires_grad]
    if not pairs:
        return (None,) * len(inputs)
    return grad([y for y, _ in pairs], inputs, [v for _, v in pairs], retain_graph, create_graph, allow_unused=True)
