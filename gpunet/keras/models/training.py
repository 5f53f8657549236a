"""compile, fit, evaluate and predict of a Model, by a Trainer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gpunet
from gpunet import train
from gpunet.keras import callbacks as keras_callbacks
from gpunet.keras import losses, optimizers
from gpunet.keras.layers.layer import Layer
from gpunet.keras.models import data as given
from gpunet.keras.models.compiled import CompiledLoss, compiled_metrics, listed
from gpunet.keras.models.display import Display
from gpunet.keras.symbolic import mapped, tensors_in


class _Trainer(train.Trainer):
    """A Trainer whose model takes several inputs as one list or dictionary."""

    def _forward(self, inputs: Any) -> Any:
        return self.model(list(inputs) if isinstance(inputs, tuple) else inputs)


def _no_loss(output: Any, target: Any = None) -> Any:
    raise RuntimeError("the model was not compiled")


class Training(Layer):
    """The part of Model that trains."""

    stop_training = False
    _compiled: dict[str, Any] | None = None
    _trainer: _Trainer | None = None
    history: Any = None

    def compile(self, optimizer: Any = "rmsprop", loss: Any = None, metrics: Any = None, *, loss_weights: Any = None,
                jit_compile: Any = "auto", run_eagerly: bool = False) -> None:
        """Says how the model is to be trained.

        Args:
            optimizer: a name such as "adam", or an optimizer of `keras.optimizers`.
            loss: a name such as "mse", a loss of `keras.losses`, or a function of (y_true, y_pred); for several
                outputs, a list or a dictionary by their names.
            metrics: a list of names such as "accuracy", of metrics, or of functions of (y_true, y_pred); for several
                outputs, a list of lists or a dictionary.
            loss_weights: how much each of several outputs counts.
            jit_compile: "auto" or False: Python calls each operation. True is refused.
            run_eagerly: makes no difference.

        Raises:
            ValueError: there is no such optimizer, loss or metric.
            TypeError: one of them is something else.
        """
        if jit_compile not in ("auto", False, None):
            raise ValueError("compile: jit_compile=True is not supported; record steps by gpunet.train.Trainer(..., "
                             "compile=True), with an optimizer of gpunet.optim.")
        for each in listed(loss):
            if each is not None:
                losses.get(each)
        compiled_metrics(_all_leaves(metrics), None, [""])
        self._compiled = {"loss": loss, "metrics": metrics, "loss_weights": loss_weights}
        self.optimizer = optimizers.get(optimizer)
        self.optimizer.inner = None
        self._forget_trainer()

    @property
    def compiled(self) -> bool:
        """Whether `compile` was called."""
        return self._compiled is not None

    def fit(self, x: Any = None, y: Any = None, batch_size: int | None = None, epochs: int = 1,
            verbose: str | int = "auto", callbacks: Sequence[Any] | Any = None, validation_split: float = 0.0,
            validation_data: Any = None, shuffle: bool = True, class_weight: Mapping[int, float] | None = None,
            sample_weight: Any = None, initial_epoch: int = 0, validation_batch_size: int | None = None,
            validation_freq: int = 1) -> Any:
        """Trains.

        Args:
            x: the inputs: an array, several in a list or in a dictionary by their names; or a Dataset or DataLoader
                that gives targets too.
            y: the targets.
            batch_size: examples in a batch; None: 32.
            epochs: number of the last epoch.
            verbose: 0: silent; 1 or "auto": a bar; 2: a line an epoch.
            callbacks: what is called as it goes, of `keras.callbacks` or `gpunet.train`.
            validation_split: share of the examples, the last ones, that are kept for validation.
            validation_data: (x, y) or (x, y, sample_weight), a Dataset or a DataLoader, to evaluate on after each
                epoch.
            shuffle: visit the examples in a new random order each epoch.
            class_weight: how much each class counts, by class.
            sample_weight: how much each example counts.
            initial_epoch: number of epochs that were done before.
            validation_batch_size: makes no difference.
            validation_freq: 1; others are refused.

        Returns:
            A History; its `history` has loss and metrics of each epoch, by name.

        Raises:
            RuntimeError: the model was not compiled.
            ValueError: the data does not fit the model or the loss.
            gpunet.train.TrainingDiverged: a loss or weight is no longer finite.
        """
        self._need_compile("fit")
        if validation_freq != 1:
            raise ValueError("fit: validation_freq must be 1.")
        training, validation = self._data(x, y, sample_weight, "fit"), None
        if class_weight is not None:
            if sample_weight is not None or not isinstance(training, tuple) or len(training) < 2:
                raise ValueError("fit: class_weight goes with arrays x and y, and without sample_weight.")
            training = (*training, given.weights_of_classes(training[1], class_weight))
        if validation_data is not None:
            validation = self._validation(validation_data)
        elif validation_split:
            if not isinstance(training, tuple):
                raise ValueError("fit: validation_split goes with arrays; give validation_data.")
            training, validation = given.split(training, validation_split)
        self._ensure_built(training)
        if not self.trainable_weights:
            raise ValueError(f"fit: {self.name} has no weights to train; set trainable = True, then compile again.")
        trainer = self._made_trainer(training)
        if isinstance(training, tuple) and len(training) > 1:
            self._check_classes(training[1])
        if isinstance(validation, tuple) and len(validation) > 1:
            self._check_classes(validation[1])
        history = keras_callbacks.History()
        params = {"epochs": epochs, "verbose": verbose, "steps": None}
        running = [keras_callbacks.Bridge(self, each, initial_epoch, params) if isinstance(
            each, keras_callbacks.Callback) else each for each in [*_several(callbacks), history]]
        if display := Display.wanted(verbose, epochs, initial_epoch):
            running.insert(0, display)
        trainer.history = train.History()
        self.stop_training = False
        self.history = history
        try:
            trainer.fit(training, validation, max(epochs - initial_epoch, 0), batch_size=self._size(batch_size),
                        shuffle=bool(shuffle), callbacks=running)
        finally:
            self.eval()
        return history

    def evaluate(self, x: Any = None, y: Any = None, batch_size: int | None = None, verbose: str | int = "auto",
                 sample_weight: Any = None, return_dict: bool = False) -> Any:
        """Loss and metrics on data.

        Args:
            x: as in `fit`.
            y: the targets.
            batch_size: examples in a batch; None: 32.
            verbose: 0: silent; otherwise a line says the numbers.
            sample_weight: how much each example counts in the loss.
            return_dict: whether the numbers come by name.

        Returns:
            The loss, and behind it the metrics, if there are any.

        Raises:
            RuntimeError: the model was not compiled.
            ValueError: the data does not fit the model or the loss.
        """
        self._need_compile("evaluate")
        data = self._data(x, y, sample_weight, "evaluate")
        trainer = self._made_trainer(data)
        if isinstance(data, tuple) and len(data) > 1:
            self._check_classes(data[1])
        values = trainer.evaluate(data, batch_size=self._size(batch_size))
        if display := Display.wanted(verbose, 1, 0):
            display.line(values)
        if return_dict:
            return values
        return list(values.values()) if len(values) > 1 else values["loss"]

    def predict(self, x: Any, batch_size: int | None = None, verbose: str | int = "auto") -> Any:
        """The outputs.

        Args:
            x: as in `fit`.
            batch_size: examples in a batch; None: 32.
            verbose: makes no difference.

        Returns:
            A NumPy array, or several in a list or dictionary.

        Raises:
            ValueError: the data does not fit the model.
        """
        data = self._data(x, None, None, "predict")
        self._ensure_built(data)
        trainer = self._trainer or _Trainer(self, _no_loss)  # pyright: ignore[reportArgumentType]
        inputs = data[0] if isinstance(data, tuple) else data
        outputs = trainer.predict(inputs, batch_size=self._size(batch_size))
        arrays = mapped(outputs, lambda each: each.numpy(), gpunet.Tensor)
        return list(arrays) if isinstance(arrays, tuple) else arrays

    def train_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None,
                       class_weight: Mapping[int, float] | None = None, return_dict: bool = False) -> Any:
        """One step of the optimizer.

        Args:
            x: the inputs.
            y: the targets.
            sample_weight: how much each example counts.
            class_weight: how much each class counts, by class.
            return_dict: whether the numbers come by name.

        Returns:
            The loss before the step, and behind it the metrics, if there are any.
        """
        data = self._data(x, y, None, "train_on_batch")
        size = given.count(data, "train_on_batch")
        history = self.fit(x, y, size, 1, 0, sample_weight=sample_weight, class_weight=class_weight, shuffle=False)
        values = {name: each[-1] for name, each in history.history.items()}
        ordered = {"loss": values.pop("loss"), **values}
        if return_dict:
            return ordered
        return list(ordered.values()) if len(ordered) > 1 else ordered["loss"]

    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """Loss and metrics on one batch.

        Args:
            x: the inputs.
            y: the targets.
            sample_weight: how much each example counts in the loss.
            return_dict: whether the numbers come by name.
        """
        return self.evaluate(x, y, verbose=0, sample_weight=sample_weight, return_dict=return_dict)

    def predict_on_batch(self, x: Any) -> Any:
        """The outputs of one batch, as NumPy arrays.

        Args:
            x: the inputs.
        """
        return self.predict(x)

    @property
    def metrics_names(self) -> list[str]:
        """The names of what `evaluate` gives."""
        return ["loss", *[each.name for each in self._trainer.metrics]] if self._trainer else ["loss"]

    # ---- inside

    def _need_compile(self, what: str) -> None:
        if self._compiled is None:
            raise RuntimeError(f"{what}: {self.name} was not compiled; call compile(optimizer, loss, metrics) first.")
        if self._compiled["loss"] is None:
            raise ValueError(f"{what}: {self.name} was compiled without a loss; give one to compile.")

    @staticmethod
    def _size(batch_size: int | None) -> int:
        if batch_size is None:
            return 32
        if isinstance(batch_size, bool) or not hasattr(batch_size, "__index__") or batch_size < 1:
            raise ValueError(f"batch_size must be a whole number of at least 1, not {batch_size!r}.")
        return int(batch_size)

    def _data(self, x: Any, y: Any, weight: Any, what: str) -> Any:
        if x is None:
            raise ValueError(f"{what} needs data: {what}(x, y).")
        if not given.is_batches(x):
            x = given.arrays(x, f"{what}: x")
            graph = getattr(self, "_graph", None)
            if graph is not None and (isinstance(x, Mapping) or isinstance(x, tuple)):
                x = tuple(graph.arranged(x)) if not isinstance(graph.inputs, Mapping) else x
            y = self._targets(y)
            return given.triple(x, y, weight, what)
        if y is not None or weight is not None:
            raise ValueError(f"{what}: a {type(x).__name__} gives the targets itself; leave y and sample_weight out.")
        return x

    def _targets(self, y: Any) -> Any:
        """Targets by the names of outputs, in the outputs' order."""
        if isinstance(y, Mapping):
            names = self._output_names(len(y))
            if missing := [each for each in names if each not in y]:
                raise ValueError(f"fit: y has no targets for the output {missing[0]!r}.")
            return tuple(given.arrays(y[each], "y") for each in names)
        return y

    def _validation(self, data: Any) -> Any:
        if isinstance(data, tuple | list):
            if not 2 <= len(data) <= 3:
                raise ValueError(f"fit: validation_data must be (x, y) or (x, y, sample_weight), and has {len(data)} "
                                 "parts.")
            return self._data(data[0], data[1], data[2] if len(data) == 3 else None, "fit: validation_data")
        return data

    def _check_classes(self, y: Any) -> None:
        assert self._compiled is not None
        loss, shape = self._compiled["loss"], getattr(self, "output_shape", None)
        if isinstance(loss, losses.SparseCategoricalCrossentropy) or loss == "sparse_categorical_crossentropy":
            if isinstance(shape, tuple) and isinstance(shape[-1], int):
                given.check_classes(y, shape[-1])

    def _ensure_built(self, data: Any) -> None:
        if not self.built:
            with gpunet.no_grad():
                self(given.one_example(data))

    def _made_trainer(self, data: Any) -> _Trainer:
        self._ensure_built(data)
        if self._trainer is None:
            assert self._compiled is not None
            settings = self._compiled
            names = self._output_names(len(listed(settings["loss"])))
            loss = CompiledLoss(settings["loss"], settings["loss_weights"], names)
            trained = self.trainable_weights
            inner, scheduler = self.optimizer.build(trained) if trained else (None, None)
            clip = self.optimizer
            self._trainer = _Trainer(
                self, loss, inner, compiled_metrics(settings["metrics"], loss, names), scheduler=scheduler,
                schedule="step", clip_norm=clip.global_clipnorm, clip_value=clip.clipvalue)
        return self._trainer

    def _output_names(self, losses_given: int) -> list[str]:
        graph = getattr(self, "_graph", None)
        if graph is None:
            return ["output"] if losses_given == 1 else [f"output_{each + 1}" for each in range(losses_given)]
        if isinstance(graph.outputs, Mapping):
            return list(graph.outputs)
        return [each.node.operation.name for each in tensors_in(graph.outputs)]

    def _forget_trainer(self) -> None:
        self._trainer = None

    def _optimizer_weights(self) -> list[Any]:
        optimizer = getattr(self, "optimizer", None)
        if optimizer is None or optimizer.inner is None:
            return []
        moments = [each for state in optimizer.inner.state.values() for each in state.values()
                   if isinstance(each, gpunet.Tensor) and each.ndim]
        return [*moments, gpunet.zeros(2)]  # Keras counts the number of steps and the rate too


def _several(callbacks: Any) -> list[Any]:
    found = [] if callbacks is None else list(callbacks) if isinstance(callbacks, tuple | list) else [callbacks]
    for each in found:
        if not isinstance(each, keras_callbacks.Callback | train.Callback):
            raise TypeError(f"fit: callbacks must be of keras.callbacks or gpunet.train, not {type(each).__name__}.")
    return found


def _all_leaves(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        return [leaf for each in value.values() for leaf in _all_leaves(each)][:0]
    if isinstance(value, tuple | list):
        leaves = [leaf for each in value for leaf in _all_leaves(each)]
        return [] if any(isinstance(each, tuple | list) for each in value) else leaves
    return [] if value is None else [value]
