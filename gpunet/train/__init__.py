"""Training: the Trainer, its history, callbacks and checkpoints, and runs kept in a folder."""

from gpunet.train.batches import Batch
from gpunet.train.callbacks import (
    Callback,
    CSVLogger,
    EarlyStopping,
    GracefulStop,
    LearningRateMonitor,
    LiveView,
    ModelCheckpoint,
    ProgressBar,
    ReduceLROnPlateau,
    TensorBoard,
)
from gpunet.train.checkpoint import Checkpoint
from gpunet.train.checks import TrainingDiverged
from gpunet.train.curves import learning_curves
from gpunet.train.ema import EMA
from gpunet.train.history import History
from gpunet.train.loaded import LoadedRun, Predictions, load_run
from gpunet.train.lr_finder import LRFinder
from gpunet.train.progress import Progress
from gpunet.train.report import write_report
from gpunet.train.splits import GroupKFold, KFold, StratifiedKFold, cross_validate, train_test_split
from gpunet.train.trainer import Trainer

__all__ = [
    "EMA",
    "Batch",
    "CSVLogger",
    "Callback",
    "Checkpoint",
    "EarlyStopping",
    "GracefulStop",
    "GroupKFold",
    "History",
    "KFold",
    "LRFinder",
    "LearningRateMonitor",
    "LiveView",
    "LoadedRun",
    "ModelCheckpoint",
    "Predictions",
    "Progress",
    "ProgressBar",
    "ReduceLROnPlateau",
    "StratifiedKFold",
    "TensorBoard",
    "Trainer",
    "TrainingDiverged",
    "cross_validate",
    "learning_curves",
    "load_run",
    "train_test_split",
    "write_report",
]
