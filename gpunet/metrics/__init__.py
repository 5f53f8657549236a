"""Metrics over the batches of a pass: their sums stay on the device until they are read."""

from gpunet.metrics.accuracy import Accuracy, Mean, TopK
from gpunet.metrics.metric import Metric
from gpunet.metrics.naming import get, get_all

__all__ = ["Accuracy", "Mean", "Metric", "TopK", "get", "get_all"]
