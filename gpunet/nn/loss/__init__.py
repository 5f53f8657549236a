"""Losses as layers. `gpunet.nn.functional` has each as a function."""

from gpunet.nn.loss.classification import CrossEntropyLoss, CTCLoss, NLLLoss
from gpunet.nn.loss.likelihood import BCELoss, BCEWithLogitsLoss, GaussianNLLLoss, KLDivLoss, PoissonNLLLoss
from gpunet.nn.loss.margin import (
    HingeEmbeddingLoss,
    MarginRankingLoss,
    MultiLabelMarginLoss,
    MultiLabelSoftMarginLoss,
    MultiMarginLoss,
    SoftMarginLoss,
)
from gpunet.nn.loss.metric import CosineEmbeddingLoss, TripletMarginLoss, TripletMarginWithDistanceLoss
from gpunet.nn.loss.regression import HuberLoss, L1Loss, MSELoss, SmoothL1Loss

__all__ = ["BCELoss", "BCEWithLogitsLoss", "CTCLoss", "CosineEmbeddingLoss", "CrossEntropyLoss", "GaussianNLLLoss",
           "HingeEmbeddingLoss", "HuberLoss", "KLDivLoss", "L1Loss", "MSELoss", "MarginRankingLoss",
           "MultiLabelMarginLoss", "MultiLabelSoftMarginLoss", "MultiMarginLoss", "NLLLoss", "PoissonNLLLoss",
           "SmoothL1Loss", "SoftMarginLoss", "TripletMarginLoss", "TripletMarginWithDistanceLoss"]
