"""ReduceLROnPlateau and LearningRateMonitor: callbacks about the learning rate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gpunet.optim import lr_scheduler
from gpunet.train.callbacks.callback import Callback
from gpunet.train.callbacks.monitor import Mode, Monitor, value_of

if TYPE_CHECKING:
    from gpunet.train.progress import Progress
    from gpunet.train.trainer import Trainer


class ReduceLROnPlateau(Callback):
    """Multiplies the learning rate by a factor when a number has not become better for some epochs.

    The rule is that of `optim.lr_scheduler.ReduceLROnPlateau`.

    Args:
        monitor: the column of the history to watch.
        factor: by what the rate is multiplied, below 1.
        patience: how many epochs without a better value are allowed.
        mode: "min" or "max", which way is better; None: less of a loss, of a metric as it says.
        min_delta: by how much a value must be better to count.
        cooldown: how many epochs after a reduction are not counted.
        min_lr: the least rate.

    Raises:
        ValueError: factor is not below 1.

    Examples:
        >>> model = nn.Linear(1, 1)
        >>> updates = optim.SGD(model.parameters(), lr=0.0)
        >>> trainer = train.Trainer(model, F.mse_loss, updates, callbacks=[train.ReduceLROnPlateau("loss", patience=1)])
        >>> updates.param_groups[0]["lr"] = 1e-30
        >>> history = trainer.fit((gpunet.ones(4, 1), gpunet.ones(4, 1)), epochs=3)
        >>> history["lr"][0], updates.param_groups[0]["lr"] < 1e-30
        (1e-30, False)
    """

    def __init__(self, monitor: str = "val_loss", factor: float = 0.1, patience: int = 10, mode: Mode | None = None,
                 min_delta: float = 1e-4, cooldown: int = 0, min_lr: float = 0.0) -> None:
        if factor >= 1:
            raise ValueError(f"ReduceLROnPlateau: factor must be below 1, not {factor}.")
        self.options = {"factor": factor, "patience": patience, "threshold": min_delta, "threshold_mode": "abs",
                        "cooldown": cooldown, "min_lr": min_lr}
        self._monitor = Monitor("ReduceLROnPlateau", monitor, mode)
        self._rule: lr_scheduler.ReduceLROnPlateau | None = None
        self._state: dict[str, Any] | None = None

    def on_epoch_end(self, trainer: Trainer, row: dict[str, Any]) -> None:
        if self._rule is None:
            assert trainer.optimizer is not None
            way = self._monitor.way(trainer)
            self._rule = lr_scheduler.ReduceLROnPlateau(trainer.optimizer, way, **self.options)
            if self._state is not None:
                self._rule.load_state_dict(self._state)
        self._rule.step(value_of("ReduceLROnPlateau", self._monitor.name, row))

    def state_dict(self) -> dict[str, Any]:
        return self._state or {} if self._rule is None else self._rule.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._rule, self._state = None, state_dict


class LearningRateMonitor(Callback):
    """Keeps the learning rate of each parameter group, after every step or epoch.

    Args:
        each: "step" or "epoch".

    Attributes:
        steps: the numbers of the steps at which rates were kept.
        rates: the rates, a list of one for each parameter group.

    Raises:
        ValueError: `each` is neither.

    Examples:
        >>> model, monitor = nn.Linear(1, 1), train.LearningRateMonitor()
        >>> updates = optim.SGD(model.parameters(), lr=1.0)
        >>> trainer = train.Trainer(model, F.mse_loss, updates, callbacks=[monitor], schedule="step",
        ...                         scheduler=optim.lr_scheduler.ExponentialLR(updates, 0.5))
        >>> history = trainer.fit((gpunet.ones(4, 1), gpunet.ones(4, 1)), batch_size=2)
        >>> monitor.rates
        [[0.5], [0.25]]
    """

    def __init__(self, each: str = "step") -> None:
        if each not in ("step", "epoch"):
            raise ValueError(f"LearningRateMonitor: each must be 'step' or 'epoch', not {each!r}.")
        self.each = each
        self.steps: list[int] = []
        self.rates: list[list[float]] = []

    def on_batch_end(self, trainer: Trainer, progress: Progress) -> None:
        if self.each == "step" and (not self.steps or trainer.steps > self.steps[-1]):
            self._keep(trainer)

    def on_epoch_end(self, trainer: Trainer, row: dict[str, Any]) -> None:
        if self.each == "epoch":
            self._keep(trainer)

    def _keep(self, trainer: Trainer) -> None:
        assert trainer.optimizer is not None
        self.steps.append(trainer.steps)
        self.rates.append([float(group["lr"]) for group in trainer.optimizer.param_groups])

    def state_dict(self) -> dict[str, Any]:
        return {"steps": list(self.steps), "rates": [list(each) for each in self.rates]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.steps, self.rates = state_dict["steps"], state_dict["rates"]
