"""Training: the Trainer, its history, callbacks and checkpoints, and runs kept in a folder."""

from gpunet.train.batches import Batch
from gpunet.train.callback import Callback
from gpunet.train.checkpoint import Checkpoint
from gpunet.train.checks import TrainingDiverged
from gpunet.train.curves import learning_curves
from gpunet.train.ema import EMA
from gpunet.train.history import History
from gpunet.train.progress import Progress
from gpunet.train.trainer import Trainer

__all__ = [
    "EMA",
    "Batch",
    "Callback",
    "Checkpoint",
    "History",
    "Progress",
    "Trainer",
    "TrainingDiverged",
    "learning_curves",
]
