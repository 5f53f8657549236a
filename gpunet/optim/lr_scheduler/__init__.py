"""Learning rate schedules: `step()` once an epoch (or once a batch) writes the next rate into the optimizer's groups.

Names, arguments and formulas are PyTorch's. Where PyTorch does so, a rate follows from the one before: schedules can be
chained, and a rate that is changed by hand in between is gone on from. A recorded step (`gpunet.compile`) follows; call
`step()` outside of it.
"""

from gpunet.optim.lr_scheduler.base import LRScheduler
from gpunet.optim.lr_scheduler.chained import (
    ConstantLR,
    CosineAnnealingLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    MultiplicativeLR,
    MultiStepLR,
    PolynomialLR,
    StepLR,
)
from gpunet.optim.lr_scheduler.combined import ChainedScheduler, SequentialLR
from gpunet.optim.lr_scheduler.cycles import CosineAnnealingWarmRestarts, CyclicLR, OneCycleLR
from gpunet.optim.lr_scheduler.plateau import ReduceLROnPlateau

_LRScheduler = LRScheduler  # its older name

__all__ = ["ChainedScheduler", "ConstantLR", "CosineAnnealingLR", "CosineAnnealingWarmRestarts", "CyclicLR",
           "ExponentialLR", "LRScheduler", "LambdaLR", "LinearLR", "MultiStepLR", "MultiplicativeLR", "OneCycleLR",
           "PolynomialLR", "ReduceLROnPlateau", "SequentialLR", "StepLR"]
