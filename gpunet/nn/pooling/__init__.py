"""Pooling layers. `gpunet.nn.functional` has each as a function."""

from gpunet.nn.pooling.adaptive import AdaptiveAvgPool1d, AdaptiveAvgPool2d, AdaptiveMaxPool1d, AdaptiveMaxPool2d
from gpunet.nn.pooling.windows import AvgPool1d, AvgPool2d, LPPool1d, LPPool2d, MaxPool1d, MaxPool2d

__all__ = ["AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AdaptiveMaxPool1d", "AdaptiveMaxPool2d", "AvgPool1d",
           "AvgPool2d", "LPPool1d", "LPPool2d", "MaxPool1d", "MaxPool2d"]
