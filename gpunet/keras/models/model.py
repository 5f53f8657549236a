"""Model: a layer that can be trained, from a graph or by a call of its own."""

from __future__ import annotations

from os import PathLike
from typing import Any

from gpunet import Tensor, nn
from gpunet.keras.layers.inputs import InputLayer
from gpunet.keras.layers.layer import Layer
from gpunet.keras.models import weights_file
from gpunet.keras.models.graph import Graph
from gpunet.keras.models.summary import print_summary
from gpunet.keras.models.training import Training
from gpunet.keras.naming import automatic
from gpunet.keras.symbolic import mapped, tensors_in


class Model(Training):
    """A model: `Model(inputs, outputs)` of symbolic tensors, or a subclass that defines `call`.

    Args:
        inputs: what `keras.Input` gave, or several in a list or dictionary; None in subclasses.
        outputs: what the layers gave for it, or several.
        name: its name.
        trainable: whether its weights are trained.

    Raises:
        ValueError: the outputs do not follow from the inputs.

    Examples:
        >>> inputs = keras.Input((4,))
        >>> x = keras.layers.Dense(8, activation="relu")(inputs)
        >>> model = keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(x))
        >>> model(gpunet.ones(2, 4)).shape, model.count_params()
        (gpunet.Size([2, 3]), 67)
    """

    def __init__(self, inputs: Any = None, outputs: Any = None, name: str | None = None,
                 trainable: bool = True) -> None:
        graph = None
        if inputs is not None or outputs is not None:
            if inputs is None or outputs is None:
                raise ValueError("Model needs both inputs and outputs, or neither in a subclass that defines call.")
            graph = Graph(name or "Model", inputs, outputs)
            name = name or (automatic("Functional") if type(self) is Model else None)
        super().__init__(name=name, trainable=trainable)
        self._graph: Graph | None = None
        if graph is not None:
            self._set_graph(graph)

    def _set_graph(self, graph: Graph) -> None:
        self._graph = graph
        graph.owner = self.name
        for each in graph.operations:
            if isinstance(each, nn.Module) and each not in self._modules.values():
                self.add_module(_free(each.name, self), each)
        self.built = True
        if not self._trainable:
            self.trainable = False

    def call(self, *args: Any, **kwargs: Any) -> Any:
        if self._graph is None:
            raise NotImplementedError(f"{type(self).__name__} defines no call, and was made without inputs and "
                                      "outputs.")
        return self._graph.run(args[0])

    def compute_output_shape(self, input_shape: Any) -> Any:
        if self._graph is None:
            raise NotImplementedError
        return mapped(self._graph.outputs, lambda each: each.shape)

    @property
    def layers(self) -> list[Any]:
        """The layers in it."""
        if self._graph is not None:
            return [each for each in self._graph.operations if isinstance(each, nn.Module)]
        self._adopt()
        return [each for each in self._modules.values() if each is not None]

    @property
    def inputs(self) -> list[Any] | None:
        """The symbolic inputs; None for a subclass with a call."""
        return None if self._graph is None else self._graph.flat_inputs

    @property
    def outputs(self) -> list[Any] | None:
        """The symbolic outputs; None for a subclass with a call."""
        return None if self._graph is None else list(tensors_in(self._graph.outputs))

    @property
    def input(self) -> Any:
        """What it was made from.

        Raises:
            AttributeError: there is none.
        """
        if self._graph is None:
            raise AttributeError(f"{self.name} has no symbolic input; begin it with keras.Input(shape).")
        return self._graph.inputs

    @property
    def output(self) -> Any:
        """The symbolic output.

        Raises:
            AttributeError: there is none.
        """
        if self._graph is None:
            raise AttributeError(f"{self.name} has no symbolic output; begin it with keras.Input(shape).")
        return self._graph.outputs

    @property
    def input_shape(self) -> Any:
        """The shape of the input, with None where a size may differ."""
        return None if self._graph is None else mapped(self._graph.inputs, lambda each: each.shape)

    @property
    def output_shape(self) -> Any:
        """The shape of the output, with None where a size may differ."""
        return None if self._graph is None else mapped(self._graph.outputs, lambda each: each.shape)

    def get_layer(self, name: str | None = None, index: int | None = None) -> Any:
        """A layer by its name or place.

        Args:
            name: its name.
            index: its place in `layers`.

        Raises:
            ValueError: there is none.
        """
        layers = self.layers
        if index is not None:
            if not -len(layers) <= index < len(layers):
                raise ValueError(f"{self.name} has {len(layers)} layers, and none of index {index}.")
            return layers[index]
        for each in layers:
            if getattr(each, "name", None) == name:
                return each
        raise ValueError(f"{self.name} has no layer {name!r}; it has "
                         f"{', '.join(getattr(each, 'name', '?') for each in layers)}.")

    def summary(self, line_length: int | None = None, print_fn: Any = None, show_trainable: bool = False) -> None:
        """Prints a table of the layers.

        Args:
            line_length: its width; None: that of the terminal, at most 88, or 108 with connections.
            print_fn: what gets the text; None: it is printed.
            show_trainable: whether there is a column that says so.
        """
        print_summary(self, line_length, print_fn, show_trainable)

    # ---- files

    def save_weights(self, filepath: str | PathLike[str]) -> None:
        """Writes the weights to a file, such as "model.weights".

        Args:
            filepath: the file; an existing one is replaced.

        Raises:
            ValueError: it is to be one of Keras's files (.keras, .h5), or there are no weights yet.
            OSError: it cannot be written.
        """
        self._need_weights("save_weights")
        weights_file.write(self, filepath)

    def load_weights(self, filepath: str | PathLike[str]) -> None:
        """Reads weights that `save_weights` wrote; names of layers do not matter, only their order and shapes.

        Args:
            filepath: the file.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: it does not hold the weights of such a model.
        """
        self._need_weights("load_weights")
        weights_file.read(self, filepath)

    def save(self, path: str | PathLike[str], metadata: Any = None) -> None:
        """Writes the weights, as `save_weights` does: a model itself is built by the program.

        Args:
            path: the file, such as "model.weights".
            metadata: not used.

        Raises:
            ValueError: it is to be one of Keras's files (.keras, .h5).
            OSError: it cannot be written.
        """
        self.save_weights(path)

    def load(self, path: str | PathLike[str], strict: bool = True) -> Any:
        """Reads weights, as `load_weights` does.

        Args:
            path: the file.
            strict: not used.

        Raises:
            ValueError: it does not hold the weights of such a model.
        """
        self.load_weights(path)


def _free(name: str, model: Model) -> str:
    name = name.replace(".", "_") or "layer"
    while name in model._modules or hasattr(model, name):
        name += "_"
    return name


class Sequential(Model):
    """Layers one after the other.

    Args:
        layers: the layers; the first may be what `keras.Input` gives. Without it, weights are made when the model first
            sees data.
        name: its name.
        trainable: whether its weights are trained.

    Raises:
        TypeError: one is no layer.

    Examples:
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(8, activation="relu"),
        ...                           keras.layers.Dense(3, activation="softmax")])
        >>> model.compile("adam", "sparse_categorical_crossentropy", ["accuracy"])
        >>> x, y = gpunet.rand(32, 4), gpunet.randint(0, 3, (32,))
        >>> history = model.fit(x, y, epochs=2, verbose=0)
        >>> list(history.history)
        ['accuracy', 'loss']
    """

    def __init__(self, layers: Any = None, name: str | None = None, trainable: bool = True) -> None:
        super().__init__(name=name, trainable=trainable)
        self._begin: Any = None  # the symbolic input, once its shape is known
        self._end: Any = None
        self._stack: list[Any] = []
        for each in layers or ():
            self.add(each)

    def add(self, layer: Any) -> None:
        """Puts a layer behind the others.

        Args:
            layer: the layer.

        Raises:
            TypeError: it is no layer.
            ValueError: it is an input, and not the first; or it is in the model already.
        """
        node = getattr(layer, "node", None)
        if node is not None and isinstance(node.operation, InputLayer):
            layer = node.operation
        if not isinstance(layer, nn.Module):
            raise TypeError(f"Sequential takes layers, and {layer!r} is a {type(layer).__name__}.")
        if isinstance(layer, InputLayer):
            if self._stack or self._begin is not None:
                raise ValueError(f"{self.name}: an Input must be the first, and there are layers already.")
            self._begin = self._end = layer.tensor
            return
        if any(layer is each for each in self._stack):
            raise ValueError(f"{self.name}: the layer {getattr(layer, 'name', layer)} is in it already; make a new "
                             "one.")
        name = getattr(layer, "name", None)
        if any(name is not None and name == getattr(each, "name", None) for each in self._stack):
            raise ValueError(f"{self.name}: two layers are called {name!r}; names must differ.")
        given = getattr(layer, "_given_shape", None)
        if self._begin is None and not self._stack and given is not None:
            self._begin = self._end = InputLayer(given).tensor
        elif self._begin is None and not self._stack and isinstance(layer, Model) and layer.input_shape is not None:
            self._begin = self._end = InputLayer(batch_shape=layer.input_shape).tensor
        self._stack.append(layer)
        self.add_module(_free(name or type(layer).__name__.lower(), self), layer)
        if self._begin is not None:
            self._end = _joined(layer, self._end)
            self._close()

    def pop(self) -> Any:
        """Takes the last layer away.

        Returns:
            The layer.

        Raises:
            ValueError: there is none.
        """
        if not self._stack:
            raise ValueError(f"{self.name} has no layer to take away.")
        layer = self._stack.pop()
        for name, each in list(self._modules.items()):
            if each is layer:
                del self._modules[name]
        if self._begin is not None:
            self._end = self._begin
            for each in self._stack:
                self._end = _joined(each, self._end)
            self._close()
        return layer

    def _close(self) -> None:
        self._graph = Graph(self.name, self._begin, self._end)
        self.built = True
        self._forget_trainer()
        if not self._trainable:
            self.trainable = False

    def build(self, input_shape: Any = None) -> None:
        if self._begin is None and input_shape is not None:
            if not self._stack:
                raise ValueError(f"{self.name} has no layers; give it some by Sequential([...]) or add.")
            first, self._begin = input_shape, None
            dtype = getattr(self, "_first_dtype", None) or "float32"
            begin = end = InputLayer(batch_shape=(None, *first[1:]), dtype=dtype).tensor
            for each in self._stack:
                end = _joined(each, end)
            self._begin, self._end = begin, end
            self._close()

    def call(self, *args: Any, **kwargs: Any) -> Any:
        x = args[0]
        if self._graph is not None and isinstance(x, Tensor):
            self._graph.arranged(x)
        for each in self._stack:
            x = each(x)
        return x

    @property
    def layers(self) -> list[Any]:
        """The layers in it, without the input."""
        return list(self._stack)


def _joined(layer: Any, tensor: Any) -> Any:
    """The symbolic output of a layer, be it of Keras's kind or of gpunet.nn."""
    if isinstance(layer, Layer):
        return layer(tensor)
    raise TypeError(f"{type(layer).__name__} is no layer of gpunet.keras: put modules of gpunet.nn into the call of a "
                    "keras.Model.")
