"""Trainer: epochs over batches, with validation, history, callbacks and exact resumption.

`_step` is what is done with one batch, and `_epoch` the loop around it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from os import PathLike
from typing import Any, Literal

import gpunet
from gpunet import Tensor, nn
from gpunet.amp import GradScaler, autocast
from gpunet.metrics import Metric, get_all
from gpunet.optim import Optimizer
from gpunet.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau
from gpunet.train import batches as feed
from gpunet.train.batches import Batch
from gpunet.train.callbacks.callback import Callback
from gpunet.train.callbacks.model_checkpoint import latest
from gpunet.train.checkpoint import Checkpoint, state_of
from gpunet.train.checks import check_parts, check_targets, first_step, refuse_divergence
from gpunet.train.ema import EMA
from gpunet.train.history import History
from gpunet.train.objective import Objective
from gpunet.train.position import Position
from gpunet.train.progress import Progress

_HALF = {"float32": None, "float16": gpunet.float16, "bfloat16": gpunet.bfloat16}


class Trainer:
    """Trains a model: any model, any loss, any target.

    A batch is `x`, `(x, y)` or `(x, y, weight)`, where x may be a tuple or a dictionary of the model's arguments. The
    step is: forward, loss, backward, and after every `accumulate`-th batch clipping, update, schedule and average.

    Args:
        model: the model; it is moved to `device`.
        loss: a function or layer that gives the mean over the batch from the model's output and the target, or from the
            output alone for batches without a target.
        optimizer: over the model's parameters; `evaluate` and `predict` need none.
        metrics: what is reported beside the loss: names such as "accuracy", Metrics, functions of (output, target), or
            a dictionary of these by name.
        device: where to compute, such as "cpu", "sim" or "cuda"; None: where the model is.
        precision: "float32"; or mixed precision by autocast, "bfloat16" or, with a GradScaler, "float16".
        compile: record the step once and replay it, by `gpunet.compile`. Batches of one shape then cost little Python.
        callbacks: what `fit` calls as it goes.
        scheduler: a schedule of the optimizer's learning rate. A ReduceLROnPlateau gets the validation loss, or the
            training loss where there is no validation data.
        schedule: whether the scheduler steps after each "epoch" or after each "step" of the optimizer.
        accumulate: how many batches make one step of the optimizer, whose gradient is their mean.
        clip_norm: limit of the norm of all gradients together.
        clip_value: limit of each element of the gradients.
        ema: decay of an exponential moving average of the weights, such as 0.999. `evaluate` and `predict` use it.
        class_weights: how much each class counts in the loss: a sequence, or a dictionary by class.

    Attributes:
        history: a row for each epoch: epoch (from 1), loss and metrics over the training batches, each with the weights
            at that moment; the same of the validation data after the epoch, as `val_loss` and so on; lr, seconds and
            examples_per_second of the training pass.
        progress: loss and metrics of the epoch at hand.
        steps: number of the optimizer's steps so far.
        stopping: why training is to stop, or None.
        finished: whether training has ended as it should, in `on_fit_end`: neither by an error nor to be resumed.
        failed: whether an error has ended it.

    Raises:
        ValueError: an option is out of range, or options exclude each other.

    Examples:
        >>> model = nn.Linear(2, 2)
        >>> trainer = train.Trainer(model, F.cross_entropy, optim.SGD(model.parameters(), lr=0.1), metrics="accuracy")
        >>> x, y = gpunet.tensor([[1.0, 0.0], [0.0, 1.0]]), gpunet.tensor([0, 1])
        >>> history = trainer.fit((x, y), epochs=20)
        >>> history[-1]["loss"] < history[0]["loss"]
        True
        >>> sorted(trainer.evaluate((x, y)))
        ['accuracy', 'loss']
        >>> trainer.predict(x).shape
        gpunet.Size([2, 2])
    """

    def __init__(
        self,
        model: nn.Module,
        loss: Callable[..., Tensor],
        optimizer: Optimizer | None = None,
        metrics: str | Metric | Sequence[Any] | Mapping[str, Any] = (),
        device: str | gpunet.device | None = None,
        precision: Literal["float32", "bfloat16", "float16"] = "float32",
        compile: bool = False,
        callbacks: Sequence[Callback] = (),
        *,
        scheduler: LRScheduler | None = None,
        schedule: Literal["epoch", "step"] = "epoch",
        accumulate: int = 1,
        clip_norm: float | None = None,
        clip_value: float | None = None,
        ema: float | None = None,
        class_weights: Sequence[float] | Mapping[int, float] | Tensor | None = None,
    ) -> None:
        if precision not in _HALF:
            raise ValueError(f"Trainer: precision must be one of {', '.join(_HALF)}, not {precision!r}.")
        if schedule not in ("epoch", "step"):
            raise ValueError(f"Trainer: schedule must be 'epoch' or 'step', not {schedule!r}.")
        if isinstance(accumulate, bool) or not isinstance(accumulate, int) or accumulate < 1:
            raise ValueError(f"Trainer: accumulate must be a whole number of at least 1, not {accumulate!r}.")
        check_parts(model, loss, optimizer)
        if compile and precision == "float16":
            raise ValueError("Trainer: compile=True cannot be combined with float16, whose scaler reads each step on "
                             "the host; take precision='bfloat16'.")
        place = device if device is not None else next((each.device for each in model.parameters()), "cpu")
        self.device = gpunet.device(place) if isinstance(place, str) else place
        self.model = model.to(self.device)
        self.loss = Objective(loss, class_weights)
        self.optimizer = optimizer
        self.scheduler, self.schedule = scheduler, schedule
        self.accumulate, self.clip_norm, self.clip_value = accumulate, clip_norm, clip_value
        self.precision = precision
        self.scaler = GradScaler(self.device.type, enabled=precision == "float16")
        self.ema = None if ema is None else EMA(model, ema)
        self.metrics = get_all(metrics)
        self.callbacks = list(callbacks)
        self.history = History()
        self.progress = Progress(self.metrics)
        for each in (self.progress, *self.metrics) if compile else ():
            each.replayed = True
        self.steps = 0
        self.stopping: str | None = None
        self.finished = self.failed = False
        self.position = Position()
        self._paused, self._first = False, True  # whether stop() pauses; whether the next step is a fit's first
        self.running: list[Callback] = []  # the callbacks of the fit at hand
        self._compiled, self._keeps_gradients = compile, compile and accumulate > 1
        self.record_anew()

    # ---- training

    def fit(
        self,
        train: Any,
        validation: Any = None,
        epochs: int = 1,
        *,
        batch_size: int = 32,
        shuffle: bool = True,
        num_workers: int = 0,
        callbacks: Sequence[Callback] = (),
        resume: str | PathLike[str] | None = None,
    ) -> History:
        """Trains until the history has a number of epochs.

        After `load`, or after training was stopped in the middle of an epoch, it goes on with the next batch, as if it
        had never stopped; the data must be given as before.

        Args:
            train: what to train on: arrays `(x, y)` or `(x, y, weight)`, of NumPy, gpunet or any library, of which x
                may be a tuple or dictionary of several; a Dataset; a DataLoader; or an iterable of batches, iterated
                once an epoch.
            validation: the same, to evaluate on after each epoch.
            epochs: number of epochs, counted with those that the history has already.
            batch_size: examples in a batch, for arrays and Datasets.
            shuffle: visit the training examples in a new random order each epoch, for arrays and Datasets.
            num_workers: processes that read batches ahead, for Datasets.
            callbacks: what is called besides the trainer's own callbacks.
            resume: a checkpoint's file, or the folder of a ModelCheckpoint, to go on from; training begins anew if it
                does not exist yet.

        Returns:
            The history.

        Raises:
            TrainingDiverged: a loss, a weight or a number in the optimizer's state is not finite after an epoch. The
                history then ends with the epoch before, and no `on_epoch_end` is called for this one.
            ValueError: the trainer has no optimizer, there are no batches, or the data does not fit model and loss.
        """
        if isinstance(epochs, bool) or not isinstance(epochs, int) or epochs < 0:
            raise ValueError(f"Trainer.fit: epochs must be a whole number, not {epochs!r}.")
        if self.optimizer is None:
            raise ValueError("Trainer.fit needs an optimizer; give one to the Trainer.")
        data = feed.as_batches(train, batch_size, shuffle, num_workers, self.position.shuffle, "The training data")
        if validation is not None:
            validation = feed.as_batches(validation, max(batch_size, 256), False, num_workers, None,
                                         "The validation data")
        if resume is not None and (checkpoint := latest(resume)) is not None:
            checkpoint.restore(self)
        self.stopping, self._paused, self._first = None, False, True
        with self._calling([*self.callbacks, *callbacks]):
            self.position.begin_fit(feed.generators_of(data))
            self._call("on_fit_begin")
            while len(self.history) < epochs and self.stopping is None:
                if not self._epoch(data):
                    break  # stopped in the middle
                self._end_epoch(validation)
        return self.history

    def _epoch(self, data: Any) -> bool:
        """A pass over the training batches, or the rest of one. Returns whether its end was reached."""
        epoch, progress = len(self.history) + 1, self.progress
        assert self.optimizer is not None
        done = self.position.batches
        if done == 0:
            progress.begin(epoch, feed.length_of(data))
            self._call("on_epoch_begin", epoch)
            self.optimizer.zero_grad(set_to_none=not self._keeps_gradients)
        progress.total = feed.length_of(data)
        self._make_gradients()
        self.model.train()
        for given in self.position.batches_from(data):
            batch = self._taken(given)
            update = (progress.batches + 1) % self.accumulate == 0
            count = feed.size_of(batch.inputs)
            if self._first:
                output = first_step(self._run_step, *batch, update, count)
                check_targets(self.loss.loss, data, output)
                self._first = False
            else:
                output = self._run_step(*batch, update, count)
            progress.add_rest(output, batch.target, count)
            if update:
                self._after_update()
            self.position.batches += 1
            for each in self.running:
                each.on_batch_end(self, progress)
            if self.stopping is not None:
                self.position.pause()
                return False
        if progress.batches % self.accumulate:  # the last batches were fewer
            self._update()
            self._after_update()
        self.position.batches = 0
        return True

    def _step(self, inputs: Any, target: Any, weight: Tensor | None, update: bool, count: int) -> Any:
        """What is done with a batch, all on the device; `gpunet.compile` records it. Returns the output."""
        with self._autocast():
            output = self._forward(inputs)
            loss = self.loss(output, target, weight)
        if self.accumulate > 1:
            self.scaler.scale(loss / self.accumulate).backward()
        else:
            self.scaler.scale(loss).backward()
        if update:
            self._update()
        output = feed.detached(output)
        self.progress.add_sums(loss, output, target, count)
        return output

    def _update(self) -> None:
        """Clips the gradients, steps, and clears them."""
        optimizer, scaler = self.optimizer, self.scaler
        assert optimizer is not None
        if self.clip_norm is not None or self.clip_value is not None:
            scaler.unscale_(optimizer)
            if self.clip_value is not None:
                nn.utils.clip_grad_value_(self.model.parameters(), self.clip_value)
            if self.clip_norm is not None:
                nn.utils.clip_grad_norm_(self.model.parameters(), self.clip_norm)
        scaler.step(optimizer)
        if scaler.is_enabled():
            scaler.update()
        optimizer.zero_grad(set_to_none=not self._keeps_gradients)

    def _after_update(self) -> None:
        self.steps += 1
        if self.scheduler is not None and self.schedule == "step":
            self.scheduler.step()
        if self.ema is not None:
            self.ema.update()

    def _end_epoch(self, validation: Any) -> None:
        progress, optimizer = self.progress, self.optimizer
        assert optimizer is not None
        row: dict[str, Any] = {"epoch": progress.epoch, **progress.read(), "lr": optimizer.param_groups[0]["lr"],
                               "seconds": progress.seconds, "examples_per_second": progress.examples_per_second}
        if validation is not None:
            row |= {f"val_{name}": value for name, value in self.evaluate(validation).items()}
        refuse_divergence(self.model, optimizer, row)
        if self.scheduler is not None and self.schedule == "epoch":
            if isinstance(self.scheduler, ReduceLROnPlateau):
                self.scheduler.step(row.get("val_loss", row["loss"]))
            else:
                self.scheduler.step()
        self.history.append(row)
        self._call("on_epoch_end", row)

    def stop(self, reason: str = "stopped", *, pause: bool = False) -> None:
        """Ends training after the batch, or in `on_epoch_end` after the epoch, at hand.

        Args:
            reason: kept in `stopping`.
            pause: training is to be resumed, so callbacks do not give back the best weights.
        """
        self.stopping, self._paused = reason, pause

    # ---- without training

    def evaluate(self, data: Any, *, batch_size: int = 256, num_workers: int = 0) -> dict[str, Any]:
        """Mean loss and metrics, in eval mode.

        Args:
            data: as in `fit`.
            batch_size: examples in a batch, for arrays and Datasets.
            num_workers: processes that read batches ahead, for Datasets.

        Returns:
            The loss, the mean over the examples, and the metrics, by name.

        Raises:
            ValueError: there are no batches, or they do not fit model and loss.
        """
        data = feed.as_batches(data, batch_size, False, num_workers, None, "The data to evaluate on")
        progress = Progress([each.new() for each in self.metrics])
        with self._evaluating():
            for given in data:
                batch = self._taken(given)
                output = self._forward(batch.inputs)
                if progress.batches == 0:
                    loss = first_step(self.loss, output, batch.target, batch.weight)
                    check_targets(self.loss.loss, data, output)
                else:
                    loss = self.loss(output, batch.target, batch.weight)
                progress.add(loss, output, batch.target, feed.size_of(batch.inputs))
        return progress.read()

    def predict(self, x: Any, *, batch_size: int = 256, num_workers: int = 0) -> Any:
        """The model's outputs, in eval mode.

        Args:
            x: inputs [N, ...] as an array, or several in a tuple or dictionary; a Dataset, a DataLoader, or another
                iterable of batches, of which targets are not used.
            batch_size: examples in a batch, for arrays and Datasets.
            num_workers: processes that read batches ahead, for Datasets.

        Returns:
            The outputs [N, ...] on the CPU; in tuples or dictionaries, if the model gives such.

        Raises:
            ValueError: there are no batches.
        """
        if isinstance(x, tuple | dict):
            x = (x,)
        data = feed.as_batches(x, batch_size, False, num_workers, None, "The data to predict from")
        with self._evaluating():
            outputs = [feed.moved(self._forward(feed.moved(self.unpack(given).inputs, self.device)), _CPU)
                       for given in data]
        if not outputs:
            raise ValueError("There is no batch to predict from: the data is empty.")
        return feed.joined(outputs)

    # ---- checkpoints

    def save(self, path: str | PathLike[str], notes: Mapping[str, Any] | None = None) -> None:
        """Writes a checkpoint: one file from which training goes on as if it had never stopped.

        It holds the model, the optimizer, the schedule, the scaler, the averages, the position in the data, all random
        number generators, the metrics so far, the history and the callbacks' state. The file is written under another
        name, flushed to the disk and then renamed, so at every moment it is the old one or the new one.

        Args:
            path: the file; an existing one is replaced.
            notes: numbers, texts and containers of them, for the caller.

        Raises:
            OSError: the file cannot be written; an existing one is left as it is.

        Examples:
            >>> import tempfile
            >>> model = nn.Linear(2, 1)
            >>> trainer = train.Trainer(model, F.mse_loss, optim.SGD(model.parameters()))
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     trainer.save(f"{folder}/checkpoint.safetensors", {"why": "an example"})
            ...     trainer.load(f"{folder}/checkpoint.safetensors")
            {'why': 'an example'}
        """
        gpunet.save(state_of(self, notes or {}), path)

    def load(self, path: str | PathLike[str]) -> dict[str, Any]:
        """Goes on from a checkpoint, when `fit` is called next. After an error nothing is changed.

        The trainer must have the options of the one that was saved; its device may be another.

        Args:
            path: a file that `save` wrote.

        Returns:
            The notes.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: the file is damaged, or belongs to another model or to a trainer with other options.
        """
        return Checkpoint(path).restore(self)

    # ---- to override

    def unpack(self, batch: Any) -> Batch:
        """A batch taken apart. Override it for data in another form.

        Args:
            batch: what the data gives.

        Raises:
            ValueError: it has more than three parts.
        """
        return feed.unpack(batch)

    # ---- inside

    def _taken(self, given: Any) -> Batch:
        """A batch, taken apart, on the device."""
        batch = self.unpack(given)
        device = self.device
        return Batch(*[None if part is None else feed.moved(part, device) for part in batch])

    def _forward(self, inputs: Any) -> Any:
        if isinstance(inputs, Tensor):
            return self.model(inputs)
        return self.model(**inputs) if isinstance(inputs, Mapping) else self.model(*inputs)

    def _autocast(self) -> Any:
        half = _HALF[self.precision]
        return nullcontext() if half is None else autocast(self.device.type, half)

    @contextmanager
    def _evaluating(self) -> Iterator[None]:
        """Inside, the model is in eval mode, with the averaged weights if there are any, and no graph is made."""
        before = self.model.training
        self.model.eval()
        try:
            with gpunet.no_grad(), self._autocast(), self.ema.applied() if self.ema else nullcontext():
                yield
        finally:
            self.model.train(before)

    def _make_gradients(self) -> None:
        """Where a recorded step adds to gradients: has them be there."""
        for each in self.model.parameters() if self._keeps_gradients else ():
            if each.requires_grad and each.grad is None:
                each.grad = gpunet.zeros_like(each)

    def record_anew(self) -> None:
        """Has the step recorded again, after the memory that it works on has been replaced."""
        self._run_step = gpunet.compile(self._step) if self._compiled else self._step

    @contextmanager
    def _calling(self, callbacks: list[Callback]) -> Iterator[None]:
        """Inside, `_call` calls these callbacks; at the end, however it comes, their `on_fit_end`."""
        callbacks = sorted(callbacks, key=lambda each: each.last)
        self.running, self.finished, self.failed = callbacks, False, False
        self.position.load_callbacks(callbacks)
        try:
            yield
            self.finished = self.position.batches == 0 and not self._paused
        except BaseException:
            self.failed = True
            self._call("on_fit_end")
            self.position.abandon()
            raise
        else:
            self._call("on_fit_end")
        finally:
            self.running = []

    def _call(self, name: str, *arguments: Any) -> None:
        for each in self.running:
            getattr(each, name)(self, *arguments)


_CPU = gpunet.device("cpu")
