"""Distillation: a small network learns what a large one says."""

from __future__ import annotations

import gpunet.nn.functional as F
from gpunet.tensor import Tensor

__all__ = ["distillation_loss"]


def distillation_loss(student: Tensor, teacher: Tensor, target: Tensor | None = None, temperature: float = 4.0,
                      alpha: float = 0.9) -> Tensor:
    """alpha T^2 KL(softmax(teacher / T) || softmax(student / T)) + (1 - alpha) cross entropy(student, target), a mean
    over the examples. No gradient goes to the teacher.

    Source: Hinton et al. 2015, "Distilling the Knowledge in a Neural Network".

    Args:
        student: logits [N, C].
        teacher: logits of the same shape.
        target: classes [N], or probabilities; None: the teacher alone, whatever alpha is.
        temperature: T; the larger it is, the more the small probabilities count.
        alpha: weight of the teacher.

    Returns:
        A tensor of no dimensions.

    Raises:
        ValueError: the shapes differ, or a number is out of its range.

    Examples:
        >>> logits = gpunet.tensor([[2.0, 0.0, -1.0]])
        >>> gpunet.compress.distillation_loss(logits, logits).abs().item() < 1e-6
        True
    """
    if student.ndim != 2 or student.shape != teacher.shape:
        raise ValueError(f"distillation_loss: expected logits [N, C] of one shape, got {tuple(student.shape)} and "
                         f"{tuple(teacher.shape)}")
    if temperature <= 0 or not 0 <= alpha <= 1:
        raise ValueError("distillation_loss: temperature must be positive and alpha from 0 to 1, got "
                         f"{temperature} and {alpha}")
    goal = F.log_softmax(teacher.detach() / temperature, dim=1)
    soft = F.kl_div(F.log_softmax(student / temperature, dim=1), goal, reduction="batchmean", log_target=True)
    soft = soft * temperature**2
    return soft if target is None else alpha * soft + (1 - alpha) * F.cross_entropy(student, target)
