"""Input: where a model's graph begins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gpunet
from gpunet.dtypes import dtype as Type
from gpunet.keras.layers.layer import Layer
from gpunet.keras.symbolic import KerasTensor, Node


class InputLayer(Layer):
    """The layer of an input.

    Args:
        shape: the shape of an example; None where a size may differ.
        batch_size: number of examples, or None.
        dtype: type of the elements, such as "float32" or "int64"; None: the former.
        name: its name; None: "input_layer", with a number.
        batch_shape: the whole shape, in place of shape and batch_size.

    Raises:
        ValueError: there is no shape, or no such type.

    Examples:
        >>> keras.Sequential([keras.layers.InputLayer((4,)), keras.layers.Dense(3)]).count_params()
        15
    """

    def __init__(self, shape: Sequence[int | None] | None = None, batch_size: int | None = None,
                 dtype: str | None = None, name: str | None = None,
                 batch_shape: Sequence[int | None] | None = None) -> None:
        super().__init__(name=name)
        if shape is None and batch_shape is None:
            raise ValueError("Input needs a shape, that of an example without the batch, such as (784,).")
        if isinstance(shape, int) or any(each is not None and (not isinstance(each, int) or each < 0)
                                         for each in shape or ()):
            raise ValueError(f"Input: shape must be a tuple of sizes, such as (784,), not {shape!r}.")
        if not isinstance(getattr(gpunet, dtype or "float32", None), Type):
            raise ValueError(f"Input: there is no type {dtype!r}; take 'float32' or 'int64'.")
        self.batch_shape = tuple(batch_shape) if batch_shape is not None else (batch_size, *(shape or ()))
        self.dtype = dtype or "float32"
        self.built = True
        self.tensor = KerasTensor(self.batch_shape, self.dtype, self.name)
        self.tensor.node = Node(self, (), {})
        self.tensor.node.outputs = self.tensor
        self.nodes.append(self.tensor.node)

    def call(self, inputs: Any) -> Any:
        return inputs

    def compute_output_shape(self, input_shape: Any) -> Any:
        return tuple(input_shape)


def Input(shape: Sequence[int | None] | None = None, batch_size: int | None = None, dtype: str | None = None,
          name: str | None = None, batch_shape: Sequence[int | None] | None = None) -> Any:
    """A symbolic tensor with which a model begins.

    Args:
        shape: the shape of an example; None where a size may differ.
        batch_size: number of examples, or None.
        dtype: type of the elements, such as "float32" or "int64"; None: the former.
        name: its name; None: "input_layer", with a number.
        batch_shape: the whole shape, in place of shape and batch_size.

    Returns:
        A KerasTensor.

    Raises:
        ValueError: there is no shape, or no such type.

    Examples:
        >>> inputs = keras.Input((784,))
        >>> model = keras.Model(inputs, keras.layers.Dense(10)(inputs))
        >>> model.output_shape
        (None, 10)
    """
    return InputLayer(shape, batch_size, dtype, name, batch_shape).tensor
