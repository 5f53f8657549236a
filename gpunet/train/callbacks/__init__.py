"""Callbacks: what `Trainer.fit` calls as it goes."""

from gpunet.train.callbacks.callback import Callback
from gpunet.train.callbacks.display import ProgressBar
from gpunet.train.callbacks.live import LiveView
from gpunet.train.callbacks.logs import CSVLogger, TensorBoard
from gpunet.train.callbacks.model_checkpoint import ModelCheckpoint
from gpunet.train.callbacks.rates import LearningRateMonitor, ReduceLROnPlateau
from gpunet.train.callbacks.stopping import EarlyStopping, GracefulStop

__all__ = ["CSVLogger", "Callback", "EarlyStopping", "GracefulStop", "LearningRateMonitor", "LiveView",
           "ModelCheckpoint", "ProgressBar", "ReduceLROnPlateau", "TensorBoard"]
