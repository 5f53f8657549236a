"""Metrics over the batches of a pass: their sums stay on the device until they are read."""

from gpunet.metrics.accuracy import Accuracy, Mean, TopK
from gpunet.metrics.confusion import F1, ConfusionMatrix, Precision, Recall
from gpunet.metrics.metric import Metric
from gpunet.metrics.naming import get, get_all
from gpunet.metrics.perplexity import Perplexity
from gpunet.metrics.ranking import AUROC, AveragePrecision
from gpunet.metrics.regression import R2, MeanAbsoluteError, MeanSquaredError, RootMeanSquaredError

__all__ = ["AUROC", "F1", "R2", "Accuracy", "AveragePrecision", "ConfusionMatrix", "Mean", "MeanAbsoluteError",
           "MeanSquaredError", "Metric", "Perplexity", "Precision", "Recall", "RootMeanSquaredError", "TopK", "get",
           "get_all"]
