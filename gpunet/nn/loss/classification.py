"""Losses of classification: of single examples and of sequences."""

from __future__ import annotations

from gpunet.nn import functional as F
from gpunet.nn.loss.base import Loss, WeightedLoss
from gpunet.tensor import Tensor


class CrossEntropyLoss(WeightedLoss):
    """Cross-entropy between the softmax of scores and a target: `-log(softmax(input))[target]` for class indices,
    `-sum(target * log(softmax(input)))` for probabilities.

    It takes the scores (logits) themselves: a softmax before it is a common mistake. On the GPU, loss and gradient are
    computed by one kernel.

    Args:
        weight: a factor for each class [C]; the mean is then over the weights.
        size_average: deprecated, use reduction.
        ignore_index: a class index that does not count, neither in the loss nor in the mean.
        reduce: deprecated, use reduction.
        reduction: "mean" over the targets that count, "sum", or "none" for one value per target.
        label_smoothing: the share of the target's probability that is spread evenly over all classes, in [0, 1]
            (Szegedy et al., "Rethinking the Inception Architecture", 2016).

    Shape:
        input [C], [N, C] or [N, C, d1, ...], floating point. target: class indices [], [N] or [N, d1, ...], int64; or
        probabilities of the input's shape and dtype. Output: a scalar, or the indices' shape for "none".

    Raises:
        ValueError: the target's shape does not fit, or the reduction is unknown.
        RuntimeError: indices that are not int64, or label_smoothing outside [0, 1].
        IndexError: a target that is no class; on cuda at the next synchronization.

    Examples:
        >>> nn.CrossEntropyLoss()(gpunet.tensor([[0.0, 2.0], [1.0, 1.0]]), gpunet.tensor([1, 0]))
        tensor(0.4100)
    """

    def __init__(self, weight: Tensor | None = None, size_average: bool | None = None, ignore_index: int = -100,
                 reduce: bool | None = None, reduction: str = "mean", label_smoothing: float = 0.0) -> None:
        super().__init__(weight, size_average, reduce, reduction)
        self.ignore_index = ignore_index
        self.label_smoothing = label_smoothing

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(input, target, self.weight, ignore_index=self.ignore_index, reduction=self.reduction,
                               label_smoothing=self.label_smoothing)


class NLLLoss(WeightedLoss):
    """Negative log-likelihood of log-probabilities, such as `nn.LogSoftmax` gives: `-weight[target] * input[target]`.

    Args:
        weight: a factor for each class [C]; the mean is then over the weights.
        size_average: deprecated, use reduction.
        ignore_index: a class index that does not count, neither in the loss nor in the mean.
        reduce: deprecated, use reduction.
        reduction: "mean" over the targets that count, "sum", or "none" for one value per target.

    Shape:
        input [C], [N, C] or [N, C, d1, ...], floating point. target: class indices [], [N] or [N, d1, ...], int64.
        Output: a scalar, or the target's shape for "none".

    Raises:
        ValueError: the target's shape does not fit, or the reduction is unknown.
        RuntimeError: indices that are not int64.
        IndexError: a target that is no class; on cuda at the next synchronization.

    Examples:
        >>> nn.NLLLoss()(gpunet.tensor([[0.25, 0.75]]).log(), gpunet.tensor([1]))
        tensor(0.2877)
    """

    def __init__(self, weight: Tensor | None = None, size_average: bool | None = None, ignore_index: int = -100,
                 reduce: bool | None = None, reduction: str = "mean") -> None:
        super().__init__(weight, size_average, reduce, reduction)
        self.ignore_index = ignore_index

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.nll_loss(input, target, self.weight, ignore_index=self.ignore_index, reduction=self.reduction)


class CTCLoss(Loss):
    """Connectionist temporal classification: the negative log-likelihood of a target sequence, summed over all its
    alignments with a longer input sequence.

    Source: Graves et al., "Connectionist Temporal Classification", 2006.

    Args:
        blank: the class that means "no label".
        reduction: "mean" (each loss divided by its target's length, then the mean over the batch), "sum", or "none" for
            one value per sequence.
        zero_infinity: give 0, with no gradient, for targets too long for their inputs, instead of infinity.

    Shape:
        log_probs [T, N, C] or [T, C], floating point, from `log_softmax`. targets [N, S], or all targets in one
        [sum of target_lengths], integers. input_lengths, target_lengths: [N] integers, tensors or tuples. Output: a
        scalar, or [N] for "none".

    Raises:
        ValueError: the reduction is unknown.
        RuntimeError: shapes or lengths that do not fit.

    Examples:
        >>> nn.CTCLoss()(gpunet.full((2, 1, 2), 0.5).log(), gpunet.tensor([[1]]), (2,), (1,))
        tensor(0.2877)
    """

    def __init__(self, blank: int = 0, reduction: str = "mean", zero_infinity: bool = False) -> None:
        super().__init__(reduction=reduction)
        self.blank = blank
        self.zero_infinity = zero_infinity

    def forward(self, log_probs: Tensor, targets: Tensor, input_lengths: Tensor | tuple[int, ...],
                target_lengths: Tensor | tuple[int, ...]) -> Tensor:
        return F.ctc_loss(log_probs, targets, input_lengths, target_lengths, self.blank, self.reduction,
                          self.zero_infinity)
