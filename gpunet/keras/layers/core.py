"""Dense, Embedding, and layers without weights that look at each element alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import gpunet
from gpunet import Tensor
from gpunet.keras import activations
from gpunet.keras.layers.checks import at_least, need_axes
from gpunet.keras.layers.layer import Layer
from gpunet.nn import functional as F


class Dense(Layer):
    """activation(x @ kernel + bias), over the last axis.

    Args:
        units: number of outputs.
        activation: a name or function; None: none.
        use_bias: whether there is a bias.
        kernel_initializer: of the kernel, [inputs, units].
        bias_initializer: of the bias, [units].
        options: those of Layer.

    Examples:
        >>> keras.layers.Dense(4, activation="relu")(gpunet.ones(2, 3)).shape
        gpunet.Size([2, 4])
    """

    _casts = True

    def __init__(self, units: int, activation: str | Callable[..., Any] | None = None, use_bias: bool = True,
                 kernel_initializer: Any = "glorot_uniform", bias_initializer: Any = "zeros", **options: Any) -> None:
        super().__init__(**options)
        self.units = at_least(self, "units", units)
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer, self.bias_initializer = kernel_initializer, bias_initializer

    def build(self, input_shape: Any) -> None:
        need_axes(self, input_shape, least=2)
        self.kernel = self.add_weight((input_shape[-1], self.units), self.kernel_initializer)
        self.bias = self.add_weight((self.units,), self.bias_initializer) if self.use_bias else None

    def call(self, inputs: Tensor) -> Tensor:
        if inputs.shape[-1] != self.kernel.shape[0]:
            raise ValueError(f"{self.name} (Dense) expects {self.kernel.shape[0]} inputs in the last axis, and got an "
                             f"input of shape {tuple(inputs.shape)}.")
        return self.activation(F.linear(inputs, self.kernel.T, self.bias))

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (*input_shape[:-1], self.units)


class Embedding(Layer):
    """A row of a table for each whole number.

    Args:
        input_dim: number of rows: numbers are 0 to input_dim - 1.
        output_dim: length of a row.
        embeddings_initializer: of the table.
        options: those of Layer.

    Examples:
        >>> keras.layers.Embedding(10, 4)(gpunet.tensor([[1, 2, 3]])).shape
        gpunet.Size([1, 3, 4])
    """

    def __init__(self, input_dim: int, output_dim: int, embeddings_initializer: Any = "uniform",
                 **options: Any) -> None:
        if options.pop("mask_zero", False):
            raise ValueError("Embedding: mask_zero is not supported; cut or pack the sequences, as nn.LSTM takes them.")
        super().__init__(**options)
        self.input_dim = at_least(self, "input_dim", input_dim)
        self.output_dim = at_least(self, "output_dim", output_dim)
        self.embeddings_initializer = embeddings_initializer

    def build(self, input_shape: Any) -> None:
        self.embeddings = self.add_weight((self.input_dim, self.output_dim), self.embeddings_initializer)

    def call(self, inputs: Tensor) -> Tensor:
        return F.embedding(inputs.to(gpunet.int64) if inputs.is_floating_point() else inputs, self.embeddings)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (*input_shape, self.output_dim)


class Activation(Layer):
    """An activation as a layer.

    Args:
        activation: a name or function.
        options: those of Layer.

    Examples:
        >>> keras.layers.Activation("relu")(gpunet.tensor([-1.0, 2.0]))
        tensor([0., 2.])
    """

    _casts = True

    def __init__(self, activation: str | Callable[..., Any], **options: Any) -> None:
        super().__init__(**options)
        self.activation = activations.get(activation)
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        return self.activation(inputs)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return tuple(input_shape)


class ReLU(Activation):
    """max(x, 0), or with other numbers as `keras.activations.relu` has them.

    Args:
        max_value: the largest output, or None.
        negative_slope: the slope below the threshold.
        threshold: where the slope becomes 1.
        options: those of Layer.

    Examples:
        >>> keras.layers.ReLU(max_value=1.0)(gpunet.tensor([-1.0, 2.0]))
        tensor([0., 1.])
    """

    def __init__(self, max_value: float | None = None, negative_slope: float = 0.0, threshold: float = 0.0,
                 **options: Any) -> None:
        super().__init__(lambda x: activations.relu(x, negative_slope, max_value, threshold), **options)


class Softmax(Activation):
    """exp(x) over its sum along an axis.

    Args:
        axis: the axis of the classes.
        options: those of Layer.

    Examples:
        >>> keras.layers.Softmax()(gpunet.zeros(1, 2))
        tensor([[0.5000, 0.5000]])
    """

    def __init__(self, axis: int = -1, **options: Any) -> None:
        super().__init__(lambda x: activations.softmax(x, axis), **options)


class Dropout(Layer):
    """Sets a share of the elements to zero and scales the others up, in training.

    Args:
        rate: the share, from 0 to below 1.
        options: those of Layer.

    Examples:
        >>> keras.layers.Dropout(0.5)(gpunet.ones(3))
        tensor([1., 1., 1.])
    """

    _casts = True

    def __init__(self, rate: float, **options: Any) -> None:
        super().__init__(**options)
        if not 0 <= rate <= 1:
            raise ValueError(f"{self.name} (Dropout): rate must be from 0 to 1, not {rate!r}.")
        self.rate = float(rate)
        self.built = True

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        return F.dropout(inputs, self.rate, True) if training and self.rate else inputs

    def compute_output_shape(self, input_shape: Any) -> Any:
        return tuple(input_shape)


class Rescaling(Layer):
    """x * scale + offset.

    Args:
        scale: the factor, such as 1 / 255 for images.
        offset: what is added.
        options: those of Layer.

    Examples:
        >>> keras.layers.Rescaling(1 / 255)(gpunet.tensor([0, 255]))
        tensor([0., 1.])
    """

    _casts = True

    def __init__(self, scale: float, offset: float = 0.0, **options: Any) -> None:
        super().__init__(**options)
        self.scale, self.offset = scale, offset
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        return inputs * self.scale + self.offset

    def compute_output_shape(self, input_shape: Any) -> Any:
        return tuple(input_shape)


class Flatten(Layer):
    """All axes but the first as one.

    Args:
        options: those of Layer.

    Examples:
        >>> keras.layers.Flatten()(gpunet.ones(2, 3, 4)).shape
        gpunet.Size([2, 12])
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        return inputs.reshape(inputs.shape[0], -1)

    def compute_output_shape(self, input_shape: Any) -> Any:
        rest = input_shape[1:]
        return (input_shape[0], None if None in rest else math.prod(rest))


class Reshape(Layer):
    """Another shape of each example.

    Args:
        target_shape: the shape, without the batch; one size may be -1.
        options: those of Layer.

    Examples:
        >>> keras.layers.Reshape((2, -1))(gpunet.ones(5, 8)).shape
        gpunet.Size([5, 2, 4])
    """

    def __init__(self, target_shape: Any, **options: Any) -> None:
        super().__init__(**options)
        self.target_shape = (target_shape,) if isinstance(target_shape, int) else tuple(target_shape)
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        shape = self.compute_output_shape(tuple(inputs.shape))
        return inputs.reshape(inputs.shape[0], *shape[1:])

    def compute_output_shape(self, input_shape: Any) -> Any:
        target, rest = list(self.target_shape), input_shape[1:]
        if None in rest:
            return (input_shape[0], *(None if each == -1 else each for each in target))
        size, known = math.prod(rest), math.prod(each for each in target if each != -1)
        fits = size % known == 0 if -1 in target and known else size == known
        if not fits or target.count(-1) > 1:
            raise ValueError(f"{self.name} (Reshape) cannot make {self.target_shape} of an input of shape "
                             f"{tuple(input_shape)}: an example has {size} elements.")
        return (input_shape[0], *(size // known if each == -1 else each for each in target))
