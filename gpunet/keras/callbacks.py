"""Callbacks with Keras's names, by those of gpunet.train."""

from __future__ import annotations

import copy
from collections.abc import Callable
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from gpunet import train
from gpunet.keras.models.weights_file import refuse_keras_file
from gpunet.train import Progress, Trainer
from gpunet.train.callbacks.monitor import Monitor

__all__ = ["CSVLogger", "Callback", "EarlyStopping", "History", "LambdaCallback", "LearningRateScheduler",
           "ModelCheckpoint", "ReduceLROnPlateau", "TensorBoard"]

_OTHER = ("epoch", "lr", "seconds", "examples_per_second")  # columns that Keras does not have


class Callback:
    """Functions that `fit` calls. Override what you need; `self.model.stop_training = True` ends training.

    Attributes:
        model: the model.
        params: "epochs", "steps" and "verbose".

    Examples:
        >>> class Enough(keras.callbacks.Callback):
        ...     def on_epoch_end(self, epoch, logs=None):
        ...         self.model.stop_training = logs["loss"] < 0.1
    """

    model: Any = None
    params: Any = None

    def set_model(self, model: Any) -> None:
        """Called first.

        Args:
            model: the model.
        """
        self.model = model

    def set_params(self, params: dict[str, Any]) -> None:
        """Called first.

        Args:
            params: "epochs", "steps" and "verbose".
        """
        self.params = params

    def on_train_begin(self, logs: Any = None) -> None:
        """Called before the first epoch.

        Args:
            logs: an empty dictionary.
        """

    def on_train_end(self, logs: Any = None) -> None:
        """Called after the last epoch.

        Args:
            logs: an empty dictionary.
        """

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Called before an epoch.

        Args:
            epoch: its number, from 0.
            logs: an empty dictionary.
        """

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Called after an epoch and its validation.

        Args:
            epoch: its number, from 0.
            logs: loss and metrics by name.
        """

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Called after each training batch.

        Args:
            batch: its number, from 0.
            logs: loss and metrics of the epoch so far, by name.
        """


class Bridge(train.Callback):
    """Calls a Keras callback where a Trainer calls its own."""

    def __init__(self, model: Any, callback: Callback, before: int, params: dict[str, Any]) -> None:
        self.model, self.callback, self.before, self.params = model, callback, before, params
        self._wants_batches = type(callback).on_train_batch_end is not Callback.on_train_batch_end

    def on_fit_begin(self, trainer: Trainer) -> None:
        self.callback.set_model(self.model)
        self.callback.set_params(self.params)
        self.callback.on_train_begin({})
        self._ask(trainer)

    def on_epoch_begin(self, trainer: Trainer, epoch: int) -> None:
        self.params["steps"] = trainer.progress.total
        self.callback.on_epoch_begin(epoch - 1 + self.before, {})

    def on_batch_end(self, trainer: Trainer, progress: Progress) -> None:
        if self._wants_batches:  # reading the numbers waits for the device
            self.callback.on_train_batch_end(progress.batches - 1, progress.read())
            self._ask(trainer)

    def on_epoch_end(self, trainer: Trainer, row: dict[str, Any]) -> None:
        self.callback.on_epoch_end(row["epoch"] - 1 + self.before, logs_of(row))
        self._ask(trainer)

    def on_fit_end(self, trainer: Trainer) -> None:
        if not trainer.failed:
            self.callback.on_train_end({})

    def _ask(self, trainer: Trainer) -> None:
        if self.model.stop_training and trainer.stopping is None:
            trainer.stop("model.stop_training was set")


def logs_of(row: dict[str, Any]) -> dict[str, Any]:
    """Loss and metrics of an epoch, as Keras orders them: by name, those of the validation last."""
    names = sorted((name for name in row if name not in _OTHER), key=lambda name: (name.startswith("val_"), name))
    return {name: row[name] for name in names}


class History(Callback):
    """What `fit` gives back.

    Attributes:
        history: loss and metrics of each epoch, by name.
        epoch: the numbers of the epochs, from 0.

    Examples:
        >>> history = keras.callbacks.History()
        >>> history.on_epoch_end(0, {"loss": 0.5})
        >>> history.history
        {'loss': [0.5]}
    """

    def __init__(self) -> None:
        self.history: dict[str, list[Any]] = {}
        self.epoch: list[int] = []

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)


class LambdaCallback(Callback):
    """A callback from functions.

    Args:
        on_epoch_begin: called before an epoch, as (epoch, logs).
        on_epoch_end: called after an epoch, as (epoch, logs).
        on_train_begin: called before the first epoch, as (logs).
        on_train_end: called after the last epoch, as (logs).
        on_train_batch_end: called after each batch, as (batch, logs).

    Examples:
        >>> callback = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: print(epoch))
        >>> callback.on_epoch_end(3)
        3
    """

    def __init__(self, on_epoch_begin: Any = None, on_epoch_end: Any = None, on_train_begin: Any = None,
                 on_train_end: Any = None, on_train_batch_end: Any = None) -> None:
        self._functions = {"epoch_begin": on_epoch_begin, "epoch_end": on_epoch_end, "train_begin": on_train_begin,
                           "train_end": on_train_end, "train_batch_end": on_train_batch_end}

    def _run(self, name: str, *arguments: Any) -> None:
        function = self._functions[name]
        if function is not None:
            function(*arguments)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._run("epoch_begin", epoch, logs)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._run("epoch_end", epoch, logs)

    def on_train_begin(self, logs: Any = None) -> None:
        self._run("train_begin", logs)

    def on_train_end(self, logs: Any = None) -> None:
        self._run("train_end", logs)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._run("train_batch_end", batch, logs)


class LearningRateScheduler(Callback):
    """Sets the learning rate before each epoch.

    Args:
        schedule: a function of (epoch, rate), with epochs from 0, that gives the new rate.
        verbose: whether it is printed.

    Examples:
        >>> callback = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.9)
    """

    def __init__(self, schedule: Callable[[int, float], float], verbose: int = 0) -> None:
        self.schedule, self.verbose = schedule, verbose

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        optimizer = self.model.optimizer
        rate = self.schedule(epoch, optimizer.learning_rate)
        if not isinstance(rate, int | float):
            raise ValueError(f"LearningRateScheduler: the schedule must give a number, and gave {rate!r}.")
        optimizer.learning_rate = float(rate)
        if self.verbose:
            print(f"Epoch {epoch + 1}: LearningRateScheduler setting learning rate to {rate}.")


def _way(owner: str, mode: str) -> Any:
    if mode not in ("auto", "min", "max"):
        raise ValueError(f"{owner}: mode must be 'auto', 'min' or 'max', not {mode!r}.")
    return None if mode == "auto" else mode


class EarlyStopping(train.EarlyStopping):
    """Ends training when a number has not become better for some epochs.

    Args:
        monitor: the name of the number.
        min_delta: by how much a value must be better to count.
        patience: how many epochs without a better value are one too many; 0 is as 1.
        verbose: whether the end is printed.
        mode: "min", "max", or "auto": less of a loss, of a metric as it says.
        restore_best_weights: whether the model gets the weights of the best epoch at the end.
        start_from_epoch: number of epochs that are not looked at.

    Attributes:
        stopped_epoch: the epoch that was the last, from 0; 0 if training was not stopped.

    Raises:
        ValueError: mode is another; or, in training, there is no such number.

    Examples:
        >>> callback = keras.callbacks.EarlyStopping("loss", patience=3)
    """

    def __init__(self, monitor: str = "val_loss", min_delta: float = 0, patience: int = 0, verbose: int = 0,
                 mode: str = "auto", restore_best_weights: bool = False, start_from_epoch: int = 0) -> None:
        super().__init__(monitor, max(patience, 1), min_delta, _way("EarlyStopping", mode), restore_best_weights)
        self.verbose, self.start_from_epoch, self.stopped_epoch = verbose, start_from_epoch, 0
        self._begun = Monitor("EarlyStopping", monitor, _way("EarlyStopping", mode), min_delta)

    def on_fit_begin(self, trainer: Trainer) -> None:
        self.stopped_epoch = 0
        self._monitor = copy.copy(self._begun)

    def on_epoch_end(self, trainer: Trainer, row: dict[str, Any]) -> None:
        if row["epoch"] <= self.start_from_epoch:
            return
        super().on_epoch_end(trainer, row)
        if trainer.stopping is not None and not self.stopped_epoch:
            self.stopped_epoch = row["epoch"] - 1
            if self.verbose:
                print(f"Epoch {row['epoch']}: early stopping")


class ReduceLROnPlateau(train.ReduceLROnPlateau):
    """Multiplies the learning rate by a factor when a number has not become better for some epochs.

    Args:
        monitor: the name of the number.
        factor: by what the rate is multiplied, below 1.
        patience: how many epochs without a better value are one too many.
        verbose: makes no difference.
        mode: "min", "max", or "auto": less of a loss, of a metric as it says.
        min_delta: by how much a value must be better to count.
        cooldown: how many epochs after a reduction are not counted.
        min_lr: the least rate.

    Raises:
        ValueError: factor is not below 1, or mode is another.

    Examples:
        >>> callback = keras.callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=2)
    """

    def __init__(self, monitor: str = "val_loss", factor: float = 0.1, patience: int = 10, verbose: int = 0,
                 mode: str = "auto", min_delta: float = 1e-4, cooldown: int = 0, min_lr: float = 0.0) -> None:
        # The rule of gpunet.train waits one epoch more, and counts the last epoch of a cooldown.
        super().__init__(monitor, factor, max(patience, 1) - 1, _way("ReduceLROnPlateau", mode), min_delta,
                         max(cooldown - 1, 0), min_lr)


class ModelCheckpoint(train.Callback):
    """Writes the model's weights after epochs.

    Args:
        filepath: the file, such as "model.weights"; in braces the epoch and numbers, as in
            "{epoch:02d}-{val_loss:.2f}.weights".
        monitor: the name of the number that says which epoch is best.
        verbose: whether files are printed.
        save_best_only: write only when the number has become better.
        save_weights_only: makes no difference: only weights are written.
        mode: "min", "max", or "auto": less of a loss, of a metric as it says.

    Raises:
        ValueError: filepath is one of Keras's files (.keras, .h5), or mode is another.
        OSError: in training: a file cannot be written.

    Examples:
        >>> callback = keras.callbacks.ModelCheckpoint("best.weights", "val_accuracy", save_best_only=True)
    """

    def __init__(self, filepath: str | PathLike[str], monitor: str = "val_loss", verbose: int = 0,
                 save_best_only: bool = False, save_weights_only: bool = True, mode: str = "auto") -> None:
        refuse_keras_file(filepath)
        self.filepath, self.verbose, self.save_best_only = fspath(filepath), verbose, save_best_only
        self._monitor = Monitor("ModelCheckpoint", monitor, _way("ModelCheckpoint", mode))

    @property
    def best(self) -> float | None:
        """The best value so far."""
        return self._monitor.best

    def on_epoch_end(self, trainer: Trainer, row: dict[str, Any]) -> None:
        if self.save_best_only and not self._monitor.improved(trainer, row):
            return
        try:
            path = self.filepath.format(**row)
        except KeyError as error:
            raise ValueError(f"ModelCheckpoint: {self.filepath} names {error}, and there are {', '.join(row)}."
                             ) from None
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        model: Any = trainer.model
        model.save_weights(path)
        if self.verbose:
            print(f"Epoch {row['epoch']}: saving model to {path}")

    def state_dict(self) -> dict[str, Any]:
        return self._monitor.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._monitor.load_state_dict(state_dict)


class CSVLogger(train.CSVLogger):
    """Writes the history as a table to a CSV file after each epoch, with learning rate and seconds.

    Args:
        filename: the file.

    Examples:
        >>> callback = keras.callbacks.CSVLogger("log.csv")
    """

    def __init__(self, filename: str | PathLike[str]) -> None:
        super().__init__(filename)


class TensorBoard(train.TensorBoard):
    """Writes loss, metrics and learning rate for TensorBoard. Needs `pip install "gpunet[tensorboard]"`.

    Args:
        log_dir: the folder that is given to `tensorboard --logdir`.
        update_freq: "epoch", or a number of steps after which the numbers so far are written too.

    Examples:
        >>> callback = keras.callbacks.TensorBoard("logs")
    """

    def __init__(self, log_dir: str | PathLike[str] = "logs", update_freq: str | int = "epoch") -> None:
        super().__init__(log_dir, update_freq if isinstance(update_freq, int) else None)
