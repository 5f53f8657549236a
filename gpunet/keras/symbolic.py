"""KerasTensor: a tensor of which only the shape is known yet, and the graph that leads to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import gpunet
from gpunet import Tensor
from gpunet.keras.naming import automatic

Shape = tuple[int | None, ...]


class KerasTensor:
    """What `keras.Input` and layers called on it give: a shape, and how the tensor is computed.

    `+`, `-`, `*`, `/`, `**`, `@` and indexing work as on tensors.

    Args:
        shape: its shape; None where a size is not known yet.
        dtype: the type of its elements.
        name: its name.

    Examples:
        >>> x = keras.Input((3,))
        >>> (x * 2)[:, 0].shape
        (None,)
    """

    def __init__(self, shape: Shape, dtype: str = "float32", name: str | None = None) -> None:
        self.shape, self.dtype = tuple(shape), dtype
        self.name = name or automatic("keras_tensor")
        self.node: Any = None
        self.index = 0

    @property
    def ndim(self) -> int:
        """The number of its axes."""
        return len(self.shape)

    def __repr__(self) -> str:
        return f"<KerasTensor shape={self.shape}, dtype={self.dtype}, name={self.name}>"

    def __bool__(self) -> bool:
        raise TypeError(f"{self.name} has no value yet: a model's graph cannot branch by it; write a Layer for that.")

    def __iter__(self) -> Iterator[Any]:
        raise TypeError(f"{self.name} has no values yet to iterate over.")

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError(f"{self.name} has no values yet; a function of arrays belongs into the call of a Layer.")

    def __getitem__(self, key: Any) -> Any:
        return Operation("get_item", lambda x: x[key])(self)

    def __neg__(self) -> Any:
        return Operation("negative", lambda x: -x)(self)


def _operator(method: str, name: str) -> None:
    def operator(self: Any, other: Any) -> Any:
        return Operation(name, lambda x, y: getattr(x, method)(y))(self, other)

    setattr(KerasTensor, method, operator)


for _method, _name in (("add", "add"), ("sub", "subtract"), ("mul", "multiply"), ("truediv", "divide"),
                       ("pow", "power"), ("matmul", "matmul")):
    _operator(f"__{_method}__", _name)
    _operator(f"__r{_method}__", _name)


class Node:
    """A call: of a layer or an operation, on symbolic tensors."""

    def __init__(self, operation: Any, args: Any, kwargs: dict[str, Any]) -> None:
        self.operation, self.args, self.kwargs = operation, args, kwargs
        self.inputs = list(tensors_in((args, kwargs)))
        self.outputs: Any = None


class Operation:
    """A function in a graph that has no weights."""

    def __init__(self, name: str, function: Callable[..., Any]) -> None:
        self.name, self.function = automatic(name), function
        self.kind = "".join(part.capitalize() for part in name.split("_"))
        self.nodes: list[Node] = []

    def __call__(self, *args: Any) -> Any:
        if any(True for _ in tensors_in(args)):
            return connect(self, args, {})
        return self.function(*args)


def tensors_in(value: Any) -> Iterator[KerasTensor]:
    """The symbolic tensors in tuples, lists and dictionaries."""
    if isinstance(value, KerasTensor):
        yield value
    elif isinstance(value, tuple | list):
        for each in value:
            yield from tensors_in(each)
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from tensors_in(each)


def mapped(value: Any, function: Callable[[Any], Any], kinds: Any = KerasTensor) -> Any:
    """The same structure with `function` of each symbolic tensor."""
    if isinstance(value, kinds):
        return function(value)
    if isinstance(value, tuple | list):
        return type(value)(mapped(each, function, kinds) for each in value)
    if isinstance(value, Mapping):
        return {name: mapped(each, function, kinds) for name, each in value.items()}
    return value


def connect(operation: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """The outputs of a call on symbolic tensors."""
    node = Node(operation, args, kwargs)
    shapes = _shapes_of(operation, args, kwargs)
    outputs: list[KerasTensor] = []

    def output(shape: Shape) -> KerasTensor:
        tensor = KerasTensor(shape)
        tensor.node, tensor.index = node, len(outputs)
        outputs.append(tensor)
        return tensor

    node.outputs = _each_shape(shapes, output)
    operation.nodes.append(node)
    return node.outputs


def _shapes_of(operation: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    rule = getattr(operation, "compute_output_shape", None)
    if rule is not None:
        try:
            return rule(mapped(args[0], lambda tensor: tensor.shape))
        except NotImplementedError:
            pass
    return probed(operation, args, kwargs)


def probed(function: Callable[..., Any], args: Any, kwargs: dict[str, Any]) -> Any:
    """The shapes of what a function gives, found by computing it on zeros of two sizes where a size is not known."""
    def at(size: int) -> Any:
        def zeros(tensor: KerasTensor) -> Tensor:
            shape = [size if each is None else each for each in tensor.shape]
            return gpunet.zeros(*shape, dtype=getattr(gpunet, tensor.dtype))

        with gpunet.no_grad():
            return function(*mapped(args, zeros), **mapped(kwargs, zeros))

    first, second = at(2), at(3)
    sizes = iter([tuple(each.shape) for each in _arrays(second)])
    return mapped(first, lambda x: tuple(a if a == b else None for a, b in zip(x.shape, next(sizes), strict=True)),
                  Tensor)


def _arrays(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, tuple | list):
        for each in value:
            yield from _arrays(each)
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _arrays(each)


def is_shape(value: Any) -> bool:
    """Whether it is one shape, and not several."""
    return isinstance(value, tuple | list) and all(each is None or isinstance(each, int) for each in value)


def _each_shape(shapes: Any, function: Callable[[Shape], Any]) -> Any:
    if is_shape(shapes):
        return function(tuple(shapes))
    if isinstance(shapes, Mapping):
        return {name: _each_shape(each, function) for name, each in shapes.items()}
    return [_each_shape(each, function) for each in shapes]
