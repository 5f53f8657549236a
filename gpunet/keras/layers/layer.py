"""Layer: a Module that makes its weights when it first sees the shape of its input."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

import gpunet
from gpunet import Tensor, nn
from gpunet.keras import initializers
from gpunet.keras.naming import automatic
from gpunet.keras.symbolic import KerasTensor, Node, connect, mapped, tensors_in


class Layer(nn.Module):
    """The base class of layers and models.

    A subclass makes its weights by `add_weight` in `build(input_shape)` and computes in `call(inputs)`; a parameter
    `training` of `call` says whether the model is being trained. Outside `fit` it is False, unless it is given.

    Args:
        name: its name; None: the class's, with a number.
        trainable: whether its weights are trained.
        input_shape: the shape of an example, for the first layer of a Sequential.
        dtype: "float32", or None.

    Attributes:
        name: its name.
        built: whether it has its weights.

    Raises:
        ValueError: dtype is another type.

    Examples:
        >>> class Scale(keras.layers.Layer):
        ...     def build(self, input_shape):
        ...         self.factor = self.add_weight(shape=(input_shape[-1],), initializer="ones")
        ...     def call(self, inputs):
        ...         return inputs * self.factor
        >>> layer = Scale()
        >>> layer(gpunet.ones(2, 3)).shape, [tuple(each.shape) for each in layer.weights]
        (gpunet.Size([2, 3]), [(3,)])
    """

    _casts = False  # whether whole numbers become floats before `call`

    def __init__(self, *, name: str | None = None, trainable: bool = True,
                 input_shape: Sequence[int | None] | None = None, dtype: str | None = None) -> None:
        super().__init__()
        if dtype not in (None, "float32"):
            raise ValueError(f"{type(self).__name__}: dtype must be 'float32', not {dtype!r}; other types of weights "
                             "are made by gpunet.nn.")
        self.name = name or automatic(type(self).__name__)
        self.built = False
        self.nodes: list[Node] = []
        self.training = False  # fit turns it on
        self._trainable = trainable
        self._given_shape = None if input_shape is None else tuple(input_shape)
        self._added: list[tuple[str, Tensor]] = []
        self._takes_training = "training" in inspect.signature(self.call).parameters

    # ---- to override

    def build(self, input_shape: Any) -> None:
        """Makes the weights; called once, before the first `call`.

        Args:
            input_shape: the shape of the input, with None where sizes are not known; a list of several.
        """

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """What the layer computes.

        Args:
            args: the inputs.
            kwargs: options of the subclass.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define call.")

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the output, from that of the input. Where a subclass does not say, it is found by a trial.

        Args:
            input_shape: the shape of the input, or several.
        """
        raise NotImplementedError

    # ---- calls

    def __call__(self, *args: Any, training: bool | None = None, **kwargs: Any) -> Any:
        if any(True for _ in tensors_in((args, kwargs))):
            self._build_for(args, kwargs)
            return connect(self, args, kwargs)
        args = mapped(args, self._converted, Tensor | np.ndarray)
        if not self.built:
            self._build_for(args, kwargs)
        if training is None or training == self.training:
            return super().__call__(*args, **kwargs)
        with self._mode(training):
            return super().__call__(*args, **kwargs)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Calls `call`.

        Args:
            args: the inputs.
            kwargs: options of the subclass.
        """
        if self._takes_training:
            kwargs.setdefault("training", self.training)
        result = self.call(*args, **kwargs)
        if not self.built:
            self._finish_build()
        return result

    @contextmanager
    def _mode(self, training: bool) -> Iterator[None]:
        before = [(each, each.training) for each in self.modules()]
        self.train(training)
        try:
            yield
        finally:
            self.train(False)  # what was made inside
            for each, mode in before:
                each.training = mode

    def _converted(self, value: Any) -> Tensor:
        if isinstance(value, np.ndarray):
            value = gpunet.from_numpy(np.ascontiguousarray(value))
            value = value.to(gpunet.float32) if value.dtype == gpunet.float64 else value
        return value.to(gpunet.get_default_dtype()) if self._casts and not value.is_floating_point() else value

    # ---- weights

    def _build_for(self, args: Any, kwargs: dict[str, Any]) -> None:
        """Builds for these inputs, unless it is built."""
        if self.built or not args:
            return
        shapes = mapped(args[0], lambda each: tuple(each.shape), Tensor | KerasTensor)
        self.build(shapes)
        if type(self).build is not Layer.build:
            self._finish_build()

    def _finish_build(self) -> None:
        own = {id(each) for each in (*self._parameters.values(), *self._buffers.values())}
        for name, weight in self._added:  # that are no attributes
            if id(weight) not in own:
                setattr(self, name if not hasattr(self, name) else f"{name}_{len(own)}", weight)
        self._added = []
        self._adopt()
        self.built = True
        if not self._trainable:
            self.trainable = False

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, nn.Module) and "_added" in self.__dict__:
            self._adopt()  # so that what is in lists before comes before
        super().__setattr__(name, value)

    def _adopt(self) -> None:
        """Registers the layers in lists, tuples and dictionaries that are attributes."""
        known = {id(each) for each in self._modules.values()}
        for name, value in list(vars(self).items()):
            if name.startswith("_") or not isinstance(value, list | tuple | dict):
                continue
            for key, each in (value.items() if isinstance(value, dict) else enumerate(value)):
                if isinstance(each, nn.Module) and id(each) not in known:
                    known.add(id(each))
                    self.add_module(f"{name}_{key}".replace(".", "_"), each)

    def add_weight(self, shape: Sequence[int] = (), initializer: Any = "glorot_uniform", dtype: str | None = None,
                   trainable: bool = True, name: str | None = None) -> Any:
        """Makes a weight; called in `build` or `__init__`.

        Args:
            shape: its shape.
            initializer: a name, an Initializer, or a function of the shape.
            dtype: "float32", or None.
            trainable: whether it is trained.
            name: its name, in place of the attribute's.

        Returns:
            A Parameter or, if it is not trained, a Buffer.

        Raises:
            ValueError: a size is not known.
        """
        if isinstance(shape, int):
            shape = (shape,)
        if None in shape:
            raise ValueError(f"{self.name}: a weight of shape {tuple(shape)} needs all its sizes; give the input a "
                             "known size there.")
        values = initializers.get(initializer)(tuple(shape))
        weight: Tensor = nn.Parameter(values) if trainable else nn.Buffer(values)
        self._added.append((name or f"weight_{len(self._added)}", weight))
        return weight

    @property
    def trainable(self) -> bool:
        """Whether its weights, and those of the layers in it, are trained. Compile the model after a change."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = bool(value)
        for each in self.modules():
            if isinstance(each, Layer):
                each._trainable = bool(value)
        self.requires_grad_(bool(value))

    @property
    def weights(self) -> list[Any]:
        """All weights, in Keras's order: its own, those that are trained first, then those of the layers in it."""
        self._adopt()
        found = {id(each): each for each in (*self._parameters.values(), *self._buffers.values()) if each is not None}
        for part in self._parts():
            every = part.weights if isinstance(part, Layer) else [*part.parameters(), *part.buffers()]
            found |= {id(each): each for each in every if id(each) not in found}
        return list(found.values())

    def _parts(self) -> Iterable[nn.Module]:
        return [each for each in self._modules.values() if each is not None]

    @property
    def trainable_weights(self) -> list[Any]:
        """The weights that are trained."""
        return [each for each in self.weights if each.requires_grad]

    @property
    def non_trainable_weights(self) -> list[Any]:
        """The weights that are not trained."""
        return [each for each in self.weights if not each.requires_grad]

    @property
    def variables(self) -> list[Any]:
        """The weights."""
        return self.weights

    @property
    def trainable_variables(self) -> list[Any]:
        """The weights that are trained."""
        return self.trainable_weights

    def count_params(self) -> int:
        """The number of elements of all weights.

        Raises:
            ValueError: the layer has not been built.
        """
        self._need_weights("count_params")
        return sum(math.prod(each.shape) for each in self.weights)

    def get_weights(self) -> list[Any]:
        """Copies of all weights, as NumPy arrays in the order of `weights`."""
        return [each.detach().cpu().numpy().copy() for each in self.weights]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Copies arrays into the weights. If one does not fit, nothing is changed.

        Args:
            weights: an array for each weight, in the order of `weights`.

        Raises:
            ValueError: the layer has not been built, or number or shapes differ.
        """
        self._need_weights("set_weights")
        own = self.weights
        if len(own) != len(weights):
            raise ValueError(f"{self.name} has {len(own)} weights, and {len(weights)} are given; get_weights() of a "
                             "model of the same layers has as many.")
        arrays = [np.asarray(each.detach().cpu() if isinstance(each, Tensor) else each) for each in weights]
        for number, (weight, array) in enumerate(zip(own, arrays, strict=True)):
            if tuple(weight.shape) != array.shape:
                raise ValueError(f"{self.name}: weight {number} has shape {tuple(weight.shape)}, and the array for it "
                                 f"has {array.shape}.")
        with gpunet.no_grad():
            for weight, array in zip(own, arrays, strict=True):
                weight.copy_(gpunet.tensor(array).to(weight.device))

    def _need_weights(self, what: str) -> None:
        if not self.built and not self.weights:
            raise ValueError(f"{what}: {self.name} has no weights yet, because it does not know the shape of its "
                             "input; call it on data, or begin with keras.Input(shape).")

    # ---- for summaries

    @property
    def output_shape(self) -> Any:
        """The shape of the output of its last call on symbolic tensors; None if there was none."""
        return mapped(self.nodes[-1].outputs, lambda each: each.shape) if self.nodes else None

