"""Training: the loop, its history and checkpoints, and runs kept in a folder."""

from gpunet.train.checkpoint import load_checkpoint, save_checkpoint
from gpunet.train.curves import learning_curves
from gpunet.train.trainer import Callback, Progress, Trainer, TrainingDiverged

__all__ = [
    "Callback",
    "Progress",
    "Trainer",
    "TrainingDiverged",
    "learning_curves",
    "load_checkpoint",
    "save_checkpoint",
]
