"""Optimizers: PyTorch's names, formulas and state, updates in place by one op a parameter."""

import typing

from gpunet._names import attributes_of as _attributes_of
from gpunet.optim import lr_scheduler, swa_utils
from gpunet.optim.adam import Adam, Adamax, AdamW, NAdam, RAdam
from gpunet.optim.adaptive import Adadelta, Adagrad, RMSprop, Rprop
from gpunet.optim.lbfgs import LBFGS
from gpunet.optim.newton import NewtonCG
from gpunet.optim.optimizer import Optimizer
from gpunet.optim.sgd import ASGD, SGD

__all__ = ["ASGD", "Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax", "LBFGS", "Muon", "NAdam", "NewtonCG",
           "Optimizer", "RAdam", "RMSprop", "Rprop", "SGD", "lr_scheduler", "swa_utils"]

if typing.TYPE_CHECKING:  # imported when they are asked for
    from gpunet.optim.adafactor import Adafactor
    from gpunet.optim.muon import Muon
else:
    __getattr__ = _attributes_of(__name__)


def __dir__() -> list[str]:
    """For dir() and completion: what is imported when it is asked for, too."""
    return sorted({*globals(), *__all__})
