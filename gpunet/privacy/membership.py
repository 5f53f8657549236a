"""Membership inference: can one tell from a model's loss whether an example was in its training data?"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

import gpunet
from gpunet.metrics import AUROC

__all__ = ["MembershipAttack", "loss_threshold_attack"]


class MembershipAttack(NamedTuple):
    """How well an attack tells members from others.

    Args:
        auc: probability that a member has a smaller loss than another example: 0.5 gives nothing away, 1 everything.
        advantage: the largest difference of true and false positive rate over all thresholds: 0 to 1.
        threshold: the loss up to which that attack says "member".

    Examples:
        >>> gpunet.privacy.MembershipAttack(auc=0.5, advantage=0.0, threshold=1.0).auc
        0.5
    """

    auc: float
    advantage: float
    threshold: float


def loss_threshold_attack(member_losses: Any, nonmember_losses: Any) -> MembershipAttack:
    """The attack that calls an example a member if the model's loss on it is at most a threshold.

    Source: Yeom et al. 2018, "Privacy Risk in Machine Learning: Analyzing the Connection to Overfitting".

    Args:
        member_losses: the loss of each example that was trained on, such as
            F.cross_entropy(model(x), y, reduction="none").
        nonmember_losses: the losses of others.

    Returns:
        A `MembershipAttack`.

    Raises:
        ValueError: one of the two is empty, or holds NaN.

    Examples:
        >>> gpunet.privacy.loss_threshold_attack([0.1, 0.2, 0.9], [0.5, 0.8, 1.5])
        MembershipAttack(auc=0.777..., advantage=0.666..., threshold=0.2)
    """
    members, others = (np.asarray(each.detach().cpu().numpy() if isinstance(each, gpunet.Tensor) else each,
                                  dtype=np.float64).ravel() for each in (member_losses, nonmember_losses))
    if not len(members) or not len(others) or np.isnan(members).any() or np.isnan(others).any():
        raise ValueError("loss_threshold_attack: both need at least one loss, and none that is NaN; got "
                         f"{len(members)} members and {len(others)} others")
    area = AUROC()
    area.update(gpunet.tensor(-np.concatenate([members, others])),
                gpunet.tensor([1] * len(members) + [0] * len(others)))
    thresholds = np.unique(np.concatenate([members, others]))
    gaps = (np.searchsorted(np.sort(members), thresholds, "right") / len(members)
            - np.searchsorted(np.sort(others), thresholds, "right") / len(others))
    best = int(gaps.argmax())
    return MembershipAttack(float(area.compute()), max(0.0, float(gaps[best])), float(thresholds[best]))
