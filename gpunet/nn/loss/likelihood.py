"""Negative log-likelihoods of distributions: Bernoulli, Poisson, normal; and the Kullback-Leibler divergence."""

from __future__ import annotations

from gpunet.nn import functional as F
from gpunet.nn.loss.base import Loss, WeightedLoss
from gpunet.ops.loss import REDUCTIONS
from gpunet.tensor import Tensor


class BCELoss(WeightedLoss):
    """Binary cross-entropy of probabilities: `-(target * log(input) + (1 - target) * log(1 - input))`, each logarithm
    at least -100.

    `BCEWithLogitsLoss` takes the logits instead and is more precise.

    Args:
        weight: a factor for each element, of a shape that broadcasts to the input's.
        size_average: deprecated, use reduction.
        reduce: deprecated, use reduction.
        reduction: "mean" or "sum" over all elements, or "none" for one value per element.

    Shape:
        input, in [0, 1], and target: the same shape, floating point. Output: a scalar, or that shape for "none".

    Raises:
        ValueError: the shapes differ, or the reduction is unknown.
        RuntimeError: an input on the CPU lies outside [0, 1].

    Examples:
        >>> nn.BCELoss()(gpunet.tensor([0.5, 0.9]), gpunet.tensor([0.0, 1.0]))
        tensor(0.3993)
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.binary_cross_entropy(input, target, self.weight, reduction=self.reduction)


class BCEWithLogitsLoss(WeightedLoss):
    """Binary cross-entropy of logits: `BCELoss` of `sigmoid(input)`, exact for large inputs.

    Args:
        weight: a factor for each element, of a shape that broadcasts to the input's.
        size_average: deprecated, use reduction.
        reduce: deprecated, use reduction.
        reduction: "mean" or "sum" over all elements, or "none" for one value per element.
        pos_weight: a factor for the positive terms, `target * log(sigmoid(input))`, such as negatives / positives of
            each class; broadcasts to the target's shape.

    Shape:
        input and target: the same shape, floating point. Output: a scalar, or that shape for "none".

    Raises:
        ValueError: the shapes differ, or the reduction is unknown.

    Examples:
        >>> nn.BCEWithLogitsLoss()(gpunet.tensor([0.0, 2.0]), gpunet.tensor([0.0, 1.0]))
        tensor(0.4100)
    """

    pos_weight: Tensor | None

    def __init__(self, weight: Tensor | None = None, size_average: bool | None = None, reduce: bool | None = None,
                 reduction: str = "mean", pos_weight: Tensor | None = None) -> None:
        super().__init__(weight, size_average, reduce, reduction)
        self.register_buffer("pos_weight", pos_weight)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(input, target, self.weight, reduction=self.reduction,
                                                  pos_weight=self.pos_weight)


class KLDivLoss(Loss):
    """Kullback-Leibler divergence of a distribution `target` from another, given by the logarithms `input` of its
    probabilities: `target * (log(target) - input)`.

    Source: Kullback and Leibler, "On Information and Sufficiency", 1951.

    Args:
        size_average: deprecated, use reduction.
        reduce: deprecated, use reduction.
        reduction: "batchmean" (the sum divided by the first size) is the mathematical divergence; "mean" divides by
            the number of elements; "sum"; or "none" for one value per element.
        log_target: whether target holds logarithms too.

    Shape:
        input and target: shapes that broadcast together, floating point. Output: a scalar, or that shape for "none".

    Raises:
        ValueError: the reduction is unknown.

    Examples:
        >>> nn.KLDivLoss(reduction="batchmean")(gpunet.tensor([[0.5, 0.5]]).log(), gpunet.tensor([[1.0, 0.0]]))
        tensor(0.6931)
    """

    reductions = (*REDUCTIONS, "batchmean")

    def __init__(self, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean",
                 log_target: bool = False) -> None:
        super().__init__(size_average, reduce, reduction)
        self.log_target = log_target

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.kl_div(input, target, reduction=self.reduction, log_target=self.log_target)


class PoissonNLLLoss(Loss):
    """Negative log-likelihood of counts under a Poisson distribution, up to a constant: `exp(input) - target * input`
    where input is the logarithm of the rate, else `input - target * log(input + eps)`.

    Args:
        log_input: whether input is the logarithm of the rate rather than the rate.
        full: add Stirling's approximation of the constant,
            `target * log(target) - target + log(2 pi target) / 2` where target > 1.
        size_average: deprecated, use reduction.
        eps: keeps the logarithm finite at a rate of 0.
        reduce: deprecated, use reduction.
        reduction: "mean" or "sum" over all elements, or "none" for one value per element.

    Shape:
        input and target: the same shape, floating point. Output: a scalar, or that shape for "none".

    Raises:
        ValueError: the reduction is unknown.

    Examples:
        >>> nn.PoissonNLLLoss()(gpunet.tensor([0.0, 1.0]), gpunet.tensor([1.0, 2.0]))
        tensor(0.8591)
    """

    def __init__(self, log_input: bool = True, full: bool = False, size_average: bool | None = None, eps: float = 1e-8,
                 reduce: bool | None = None, reduction: str = "mean") -> None:
        super().__init__(size_average, reduce, reduction)
        self.log_input = log_input
        self.full = full
        self.eps = eps

    def forward(self, log_input: Tensor, target: Tensor) -> Tensor:
        return F.poisson_nll_loss(log_input, target, self.log_input, self.full, eps=self.eps, reduction=self.reduction)


class GaussianNLLLoss(Loss):
    """Negative log-likelihood under normal distributions of mean `input` and variance `var`, up to a constant:
    `(log(var) + (input - target)^2 / var) / 2`.

    Source: Nix and Weigend, "Estimating the Mean and Variance of the Target Probability Distribution", 1994.

    Args:
        full: add the constant `log(2 pi) / 2`.
        eps: the least variance; smaller ones count as eps, and the gradient ignores that limit.
        reduction: "mean" or "sum" over all elements, or "none" for one value per element.

    Shape:
        input and target: the same shape, floating point. var: a number, or the input's shape, or that without the last
        dimension, or with one size of 1. Output: a scalar, or the input's shape for "none".

    Raises:
        ValueError: var has another shape or is a negative number, or the reduction is unknown.

    Examples:
        >>> nn.GaussianNLLLoss()(gpunet.tensor([1.0, 2.0]), gpunet.tensor([0.0, 2.0]), gpunet.tensor([1.0, 1.0]))
        tensor(0.2500)
    """

    def __init__(self, *, full: bool = False, eps: float = 1e-6, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        self.full = full
        self.eps = eps

    def forward(self, input: Tensor, target: Tensor, var: Tensor | float) -> Tensor:
        return F.gaussian_nll_loss(input, target, var, full=self.full, eps=self.eps, reduction=self.reduction)
