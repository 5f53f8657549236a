"""BestWeights: a copy of the weights of the best epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gpunet
from gpunet import Tensor

if TYPE_CHECKING:
    from gpunet.train.trainer import Trainer


class BestWeights:
    """A copy of a model's state, and of its averages where the trainer has some."""

    def __init__(self) -> None:
        self.state: dict[str, Any] = {}

    def take(self, trainer: Trainer) -> None:
        """Copies the weights as they are now."""
        averages = {} if trainer.ema is None else trainer.ema.averages
        self.state = {"model": _copies(trainer.model.state_dict()), "averages": _copies(averages)}

    @gpunet.no_grad()
    def give_back(self, trainer: Trainer) -> None:
        """Makes the copy the model's weights."""
        if not self.state:
            return
        trainer.model.load_state_dict(self.state["model"])
        if trainer.ema is not None:
            for name, each in trainer.ema.averages.items():
                each.copy_(self.state["averages"][name])


def _copies(state: Any) -> dict[str, Any]:
    return {name: each.detach().clone() if isinstance(each, Tensor) else each for name, each in state.items()}
