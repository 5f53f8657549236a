"""Optimizers: PyTorch's names, formulas and state, updates in place by one op a parameter."""

from gpunet.optim import lr_scheduler
from gpunet.optim.adam import Adam, AdamW
from gpunet.optim.optimizer import Optimizer
from gpunet.optim.sgd import SGD

__all__ = ["Adam", "AdamW", "Optimizer", "SGD", "lr_scheduler"]
