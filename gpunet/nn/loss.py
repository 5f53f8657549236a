"""Losses as modules; their formulas are in `gpunet.nn.functional`."""

from __future__ import annotations

import inspect
from collections.abc import Callable

from gpunet.nn import functional as F
from gpunet.nn.function_layer import FunctionLayer
from gpunet.ops.loss import REDUCTIONS, check_reduction
from gpunet.tensor import Tensor


class _Loss(FunctionLayer):
    """A loss with its options; weights among them are buffers."""

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        check_reduction(self.reduction, type(self).__name__, self._reductions)
        for name in ("weight", "pos_weight"):
            if name in self._names:
                value = vars(self).pop(name)
                self.register_buffer(name, value)

    def forward(self, *tensors: Tensor) -> Tensor:
        return self._function(*tensors, **{name: getattr(self, name) for name in self._names})


def _loss(name: str, function: Callable, *options: str, reductions: tuple[str, ...] = REDUCTIONS) -> type[_Loss]:
    """The module `name` that calls `function(*tensors, **options)`; options in the order in which they may be given."""
    given = inspect.signature(function).parameters
    signature = inspect.Signature([given[option].replace(kind=inspect.Parameter.POSITIONAL_OR_KEYWORD)
                                   for option in options])
    return type(name, (_Loss,), {
        "__doc__": function.__doc__, "__module__": __name__, "__signature__": signature, "_options": signature,
        "_function": staticmethod(function), "_names": options, "_reductions": reductions, "_shows": ""})


BCELoss = _loss("BCELoss", F.binary_cross_entropy, "weight", "reduction")
BCEWithLogitsLoss = _loss("BCEWithLogitsLoss", F.binary_cross_entropy_with_logits, "weight", "reduction", "pos_weight")
CTCLoss = _loss("CTCLoss", F.ctc_loss, "blank", "reduction", "zero_infinity")
CosineEmbeddingLoss = _loss("CosineEmbeddingLoss", F.cosine_embedding_loss, "margin", "reduction")
CrossEntropyLoss = _loss("CrossEntropyLoss", F.cross_entropy, "weight", "ignore_index", "reduction", "label_smoothing")
GaussianNLLLoss = _loss("GaussianNLLLoss", F.gaussian_nll_loss, "full", "eps", "reduction")
HingeEmbeddingLoss = _loss("HingeEmbeddingLoss", F.hinge_embedding_loss, "margin", "reduction")
HuberLoss = _loss("HuberLoss", F.huber_loss, "reduction", "delta")
KLDivLoss = _loss("KLDivLoss", F.kl_div, "reduction", "log_target", reductions=(*REDUCTIONS, "batchmean"))
L1Loss = _loss("L1Loss", F.l1_loss, "reduction")
MSELoss = _loss("MSELoss", F.mse_loss, "reduction")
MarginRankingLoss = _loss("MarginRankingLoss", F.margin_ranking_loss, "margin", "reduction")
MultiLabelMarginLoss = _loss("MultiLabelMarginLoss", F.multilabel_margin_loss, "reduction")
MultiLabelSoftMarginLoss = _loss("MultiLabelSoftMarginLoss", F.multilabel_soft_margin_loss, "weight", "reduction")
MultiMarginLoss = _loss("MultiMarginLoss", F.multi_margin_loss, "p", "margin", "weight", "reduction")
NLLLoss = _loss("NLLLoss", F.nll_loss, "weight", "ignore_index", "reduction")
PoissonNLLLoss = _loss("PoissonNLLLoss", F.poisson_nll_loss, "log_input", "full", "eps", "reduction")
SmoothL1Loss = _loss("SmoothL1Loss", F.smooth_l1_loss, "reduction", "beta")
SoftMarginLoss = _loss("SoftMarginLoss", F.soft_margin_loss, "reduction")
TripletMarginLoss = _loss("TripletMarginLoss", F.triplet_margin_loss, "margin", "p", "eps", "swap", "reduction")
TripletMarginWithDistanceLoss = _loss("TripletMarginWithDistanceLoss", F.triplet_margin_with_distance_loss,
                                      "distance_function", "margin", "swap", "reduction")
