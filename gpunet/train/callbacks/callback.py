"""Callback: what `Trainer.fit` calls as it goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gpunet.train.progress import Progress
    from gpunet.train.trainer import Trainer


class Callback:
    """Functions that `Trainer.fit` calls. Override what you need.

    What a callback has to remember when training is resumed, it gives and takes in `state_dict` and `load_state_dict`.
    `trainer.stop(reason)` ends training after the batch or epoch at hand.

    Attributes:
        last: whether it is called after those that do not say so; else they are called in the order given.

    Examples:
        >>> class Printer(train.Callback):
        ...     def on_epoch_end(self, trainer, row):
        ...         print(f"epoch {row['epoch']}: loss {row['loss']:.3f}")
    """

    last = False

    def on_fit_begin(self, trainer: Trainer) -> None:
        """Called before the first epoch, and when training goes on.

        Args:
            trainer: the trainer.
        """

    def on_epoch_begin(self, trainer: Trainer, epoch: int) -> None:
        """Called before an epoch.

        Args:
            trainer: the trainer.
            epoch: number of the epoch, from 1.
        """

    def on_batch_end(self, trainer: Trainer, progress: Progress) -> None:
        """Called after each training batch.

        Args:
            trainer: the trainer.
            progress: loss and metrics of the epoch so far; reading them waits for the device.
        """

    def on_epoch_end(self, trainer: Trainer, row: dict[str, Any]) -> None:
        """Called after an epoch and its validation.

        Args:
            trainer: the trainer.
            row: the epoch's row of the history.
        """

    def on_fit_end(self, trainer: Trainer) -> None:
        """Called when training ends: after the last epoch, after `trainer.stop`, or by an error.

        Args:
            trainer: the trainer.
        """

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps of this callback."""
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on from what `state_dict` gave.

        Args:
            state_dict: what `state_dict` gave.
        """
