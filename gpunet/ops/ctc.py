"""Connectionist temporal classification: the loss of sequences that are not aligned with their labels.

A. Graves, S. Fernandez, F. Gomez, J. Schmidhuber, "Connectionist Temporal Classification", ICML 2006. All sums are of
probabilities in logarithms; sequences of a batch and positions in the labels go in parallel, time steps one by one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gpunet.dispatch import is_tensor, op
from gpunet.dtypes import INT64_NP, public
from gpunet.ops.conditions import where_op
from gpunet.ops.loss import reduction_of
from gpunet.ops.reduce import mean, sum
from gpunet.ops.rules import require_float

if TYPE_CHECKING:
    from gpunet.tensor import Tensor


class _Lattice:
    """The labels with blanks around each, [batch, 2 S + 1], and the steps that are allowed between them."""

    def __init__(self, xp, log_probs, targets, input_lengths, target_lengths, blank):
        self.xp = xp
        batch, longest = targets.shape
        self.labels = xp.full((batch, 2 * longest + 1), blank, INT64_NP)
        self.labels[:, 1::2] = xp.where(xp.arange(longest) < target_lengths[:, None], targets, blank)
        self.last: Any = 2 * target_lengths  # position of the last blank
        self.times = input_lengths
        # From a label to the next one but one, over a blank, if they differ.
        self.jump = xp.zeros(self.labels.shape, bool)
        self.jump[:, 2:] = (self.labels[:, 2:] != blank) & (self.labels[:, 2:] != self.labels[:, :-2])
        self.rows = xp.arange(batch)
        self.steps = log_probs[:, self.rows[:, None], self.labels]  # [time, batch, position]

    def forward(self, alpha) -> None:
        """log alpha[t, n, s]: of all ways to have read the labels up to position s by time t."""
        xp = self.xp
        alpha[...] = -math.inf
        if not alpha.shape[0]:
            return
        alpha[0, :, :2] = self.steps[0, :, :2]
        for t in range(1, len(alpha)):
            before, now = alpha[t - 1], alpha[t]
            now[...] = before
            now[:, 1:] = xp.logaddexp(now[:, 1:], before[:, :-1])
            now[:, 2:] = xp.where(self.jump[:, 2:], xp.logaddexp(now[:, 2:], before[:, :-2]), now[:, 2:])
            now += self.steps[t]

    def backward(self):
        """log beta[t, n, s]: of all ways to read the labels from position s on from time t; includes time t itself."""
        xp = self.xp
        beta = xp.full(self.steps.shape, -math.inf, self.steps.dtype)
        positions = xp.arange(beta.shape[2])
        at_end = (positions == self.last[:, None]) | (positions == self.last[:, None] - 1)
        after = xp.full(beta.shape[1:], -math.inf, beta.dtype)
        for t in range(len(beta) - 1, -1, -1):
            now = after.copy()
            now[:, :-1] = xp.logaddexp(now[:, :-1], after[:, 1:])
            now[:, :-2] = xp.where(self.jump[:, 2:], xp.logaddexp(now[:, :-2], after[:, 2:]), now[:, :-2])
            last = (self.times == t + 1)[:, None]
            now = xp.where(last, xp.where(at_end, xp.asarray(0, beta.dtype), -math.inf), now)
            beta[t] = now + self.steps[t]
            after = beta[t]
        return beta

    def loss(self, alpha):
        """-log of the probability of the labels: of ending in the last blank or in the last label."""
        xp = self.xp
        if not alpha.shape[0]:
            return xp.where(self.last == 0, 0.0, math.inf)
        end = alpha[xp.maximum(self.times - 1, 0), self.rows]  # [batch, position]
        blank = end[self.rows, self.last]
        label = xp.where(self.last > 0, end[self.rows, xp.maximum(self.last - 1, 0)], -math.inf)
        return xp.where(self.times > 0, -xp.logaddexp(blank, label), xp.where(self.last == 0, 0.0, math.inf))


def _shapes(log_probs, targets, input_lengths, target_lengths, *, blank):
    time, batch, _ = log_probs.shape
    return ((batch,), log_probs.dtype), ((time, batch, 2 * targets.shape[1] + 1), log_probs.dtype)


@op(_shapes, outputs=2)
def ctc_op(xp, loss, alpha, log_probs, targets, input_lengths, target_lengths, *, blank):
    lattice = _Lattice(xp, log_probs, targets, input_lengths, target_lengths, blank)
    lattice.forward(alpha)
    loss[...] = lattice.loss(alpha)


@ctc_op.gradient
def _(gradients, loss, alpha, log_probs, targets, input_lengths, target_lengths, *, blank):
    if gradients[0] is None:
        return None, None, None, None
    return ctc_grad(gradients[0], loss, alpha, log_probs, targets, input_lengths, target_lengths,
                    blank=blank), None, None, None


@op(lambda g, loss, alpha, log_probs, *_, blank: (log_probs.shape, log_probs.dtype), differentiable=False)
def ctc_grad(xp, out, g, loss, alpha, log_probs, targets, input_lengths, target_lengths, *, blank):
    """p - (the expected count of each class at each time, given the labels): the gradient for the scores under a
    softmax, which `log_probs` are taken to come from, as in PyTorch (Graves et al., equation 16)."""
    lattice = _Lattice(xp, log_probs, targets, input_lengths, target_lengths, blank)
    shares = xp.exp(alpha + lattice.backward() - lattice.steps + loss[:, None])  # of each position, given the labels
    one_hot = lattice.labels[:, :, None] == xp.arange(log_probs.shape[2])
    counts = xp.matmul(shares.swapaxes(0, 1), one_hot.astype(log_probs.dtype)).swapaxes(0, 1)
    inside = (xp.arange(len(log_probs))[:, None] < input_lengths)[:, :, None]
    scale = g[:, None]
    xp.copyto(out, xp.where(inside & (scale != 0), (xp.exp(log_probs) - counts) * scale, 0.0), casting="unsafe")


def _lengths(name, given, like, batch):
    """Lengths as an int64 tensor [batch], from a tensor or from a sequence of numbers."""
    lengths = given if is_tensor(given) else like.new_tensor(list(given) if batch is not None else given, dtype="int64")
    if lengths._array.dtype.kind not in "iu":
        raise RuntimeError(f"ctc_loss: {name} must be integers, got {lengths.dtype}")
    if batch is not None and lengths._array.shape != (batch,):
        raise RuntimeError(f"ctc_loss: expected one of {name} for each of {batch} sequences, got shape "
                           f"{lengths._array.shape}")
    return lengths.to(like._device.name, public(INT64_NP)).reshape(-1)


def _padded(targets, lengths):
    """Targets that stand one after another, as [batch, longest]; reads the lengths on the host."""
    counts = lengths.tolist()
    if targets._array.shape != (int(np.sum(counts)),):
        raise RuntimeError(f"ctc_loss: targets in one dimension must have sum(target_lengths) = {int(np.sum(counts))} "
                           f"elements, got shape {targets._array.shape}")
    starts = np.cumsum([0, *counts[:-1]])
    numbers = np.minimum(starts[:, None] + np.arange(max(counts, default=0)), max(targets._array.size - 1, 0))
    return targets[targets.new_tensor(numbers, dtype=public(INT64_NP))]


def ctc_loss(log_probs: Tensor, targets: Tensor, input_lengths: Tensor | Sequence[int] | int,
             target_lengths: Tensor | Sequence[int] | int, blank: int = 0, reduction: str = "mean",
             zero_infinity: bool = False) -> Tensor:
    """Connectionist temporal classification: loss = -ln p(labels | input), summed over all alignments of the two.

    The gradient is that of scores under a softmax, as in PyTorch; it has no second derivative.

    Source: Graves et al., "Connectionist Temporal Classification", ICML 2006.

    Args:
        log_probs: tensor of a floating-point type: log-probabilities, such as `log_softmax` gives, shape (time, batch,
            classes) or (time, classes).
        targets: tensor of class indices other than blank, shape (batch, longest), or (sum of lengths,) with the labels
            one after another, or (length,) without a batch.
        input_lengths: times of each sequence: integers, a tensor or sequence of shape (batch,), or one number without a
            batch.
        target_lengths: labels of each sequence, likewise.
        blank: class of no label.
        reduction: "none" for one loss per sequence, "sum" for their sum, or "mean": each is divided by its number of
            labels before the mean over the batch.
        zero_infinity: count sequences that are too short for their labels as 0, rather than infinity.

    Returns:
        Tensor without dimensions; with reduction="none", of shape (batch,), or without dimensions for one sequence.

    Raises:
        RuntimeError: shapes, lengths or blank do not fit, or log_probs is not of a floating-point type.
        ValueError: reduction is not one of "none", "mean" and "sum".

    Example:
        >>> log_probs = gpunet.tensor([[[0.25, 0.75]], [[0.5, 0.5]]]).log()
        >>> gpunet.nn.functional.ctc_loss(log_probs, gpunet.tensor([[1]]), (2,), (1,))
        tensor(0.1335)
    """
    reduction = reduction_of("ctc_loss", reduction)
    require_float(log_probs._array, "ctc_loss")
    batched = log_probs._array.ndim == 3
    if log_probs._array.ndim not in (2, 3):
        raise RuntimeError("ctc_loss: log_probs must have shape (time, batch, classes) or (time, classes), got "
                           f"{log_probs._array.shape}")
    if not 0 <= blank < log_probs._array.shape[-1]:
        raise RuntimeError(f"ctc_loss: blank must be a class between 0 and {log_probs._array.shape[-1] - 1}, got "
                           f"{blank}")
    if targets._array.ndim != 1 and not (batched and targets._array.ndim == 2
                                         and len(targets) == log_probs._array.shape[1]):
        raise RuntimeError(f"ctc_loss: for log_probs of shape {log_probs._array.shape} the targets must have shape "
                           + (f"({log_probs._array.shape[1]}, longest) or " if batched else "")
                           + f"(sum of lengths,), got {targets._array.shape}")
    if not batched:
        log_probs, targets = log_probs.unsqueeze(1), targets.unsqueeze(0)
    batch = log_probs._array.shape[1]
    inputs = _lengths("input_lengths", input_lengths, log_probs, batch if batched else None)
    lengths = _lengths("target_lengths", target_lengths, log_probs, batch if batched else None)
    targets = targets.to(log_probs._device.name, public(INT64_NP))
    if targets._array.ndim == 1:
        targets = _padded(targets, lengths)
    loss = ctc_op(log_probs, targets, inputs, lengths, blank=blank)[0]
    if zero_infinity:
        loss = where_op(loss == math.inf, 0.0, loss)
    if reduction == "mean":
        return mean(loss / lengths.clamp(min=1).to(loss.dtype))
    return sum(loss) if reduction == "sum" else loss if batched else loss.squeeze(0)
