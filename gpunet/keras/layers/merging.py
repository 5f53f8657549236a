"""Layers that join several inputs."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import gpunet
from gpunet import Tensor
from gpunet.keras.layers.checks import kind
from gpunet.keras.layers.layer import Layer


class _Merge(Layer):
    _function: Callable[[Any, Any], Any]

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.built = True

    def call(self, inputs: Any) -> Tensor:
        self.compute_output_shape([tuple(each.shape) for each in self._several(inputs)])
        return reduce(type(self)._function, inputs)

    def _several(self, inputs: Any) -> Any:
        if not isinstance(inputs, tuple | list) or len(inputs) < 2:
            raise ValueError(f"{kind(self)} takes a list of at least two tensors.")
        return inputs

    def compute_output_shape(self, input_shape: Any) -> Any:
        shapes = self._several(input_shape)
        if isinstance(shapes[0], int | None):
            raise ValueError(f"{kind(self)} takes a list of at least two tensors.")
        result = tuple(shapes[0])
        for shape in shapes[1:]:
            if len(shape) != len(result) or any(a != b and None not in (a, b) and 1 not in (a, b)
                                                for a, b in zip(shape, result, strict=True)):
                raise ValueError(f"{kind(self)} cannot join inputs of the shapes "
                                 f"{', '.join(str(tuple(each)) for each in shapes)}.")
            result = tuple(_broadcast(a, b) for a, b in zip(result, shape, strict=True))
        return result


def _broadcast(a: int | None, b: int | None) -> int | None:
    return b if a == 1 or a is None and b != 1 else a


class Add(_Merge):
    """The sum of several inputs.

    Args:
        options: those of Layer.

    Examples:
        >>> keras.layers.Add()([gpunet.ones(2), gpunet.ones(2)])
        tensor([2., 2.])
    """

    _function = staticmethod(lambda x, y: x + y)


class Subtract(_Merge):
    """The first input less the second.

    Args:
        options: those of Layer.

    Examples:
        >>> keras.layers.Subtract()([gpunet.ones(2), gpunet.ones(2)])
        tensor([0., 0.])
    """

    _function = staticmethod(lambda x, y: x - y)


class Multiply(_Merge):
    """The product of several inputs, element by element.

    Args:
        options: those of Layer.

    Examples:
        >>> keras.layers.Multiply()([gpunet.full((2,), 3.0), gpunet.ones(2)])
        tensor([3., 3.])
    """

    _function = staticmethod(lambda x, y: x * y)


class Maximum(_Merge):
    """The largest of several inputs, element by element.

    Args:
        options: those of Layer.

    Examples:
        >>> keras.layers.Maximum()([gpunet.zeros(2), gpunet.ones(2)])
        tensor([1., 1.])
    """

    _function = staticmethod(gpunet.maximum)


class Average(_Merge):
    """The mean of several inputs.

    Args:
        options: those of Layer.

    Examples:
        >>> keras.layers.Average()([gpunet.zeros(2), gpunet.ones(2)])
        tensor([0.5000, 0.5000])
    """

    _function = staticmethod(lambda x, y: x + y)

    def call(self, inputs: Any) -> Tensor:
        return super().call(inputs) / len(inputs)


class Concatenate(_Merge):
    """Several inputs behind each other along an axis.

    Args:
        axis: the axis.
        options: those of Layer.

    Examples:
        >>> keras.layers.Concatenate()([gpunet.zeros(1, 1), gpunet.ones(1, 2)])
        tensor([[0., 1., 1.]])
    """

    def __init__(self, axis: int = -1, **options: Any) -> None:
        super().__init__(**options)
        self.axis = axis

    def call(self, inputs: Any) -> Tensor:
        self.compute_output_shape([tuple(each.shape) for each in self._several(inputs)])
        return gpunet.cat(list(inputs), self.axis)

    def compute_output_shape(self, input_shape: Any) -> Any:
        shapes = [list(each) for each in self._several(input_shape)]
        axis, rest = self.axis, []
        for shape in shapes:
            rest.append([None if place == axis % len(shape) else size for place, size in enumerate(shape)])
        if any(len(each) != len(rest[0]) or any(a != b and None not in (a, b) for a, b in
                                                zip(each, rest[0], strict=True)) for each in rest):
            raise ValueError(f"{kind(self)} cannot join inputs of the shapes "
                             f"{', '.join(str(tuple(each)) for each in shapes)} along axis {axis}.")
        sizes = [shape[axis] for shape in shapes]
        result = shapes[0]
        result[axis] = None if None in sizes else sum(sizes)
        return tuple(result)
