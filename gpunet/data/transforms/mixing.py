"""MixUp and CutMix: batches mixed with themselves."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from gpunet import dtypes
from gpunet.data.transforms.drawing import integer
from gpunet.distributions import Dirichlet
from gpunet.nn.module import Module
from gpunet.ops.creation import tensor
from gpunet.ops.embedding import one_hot
from gpunet.tensor import Tensor


def dirichlet(alphas: list[float]) -> list[float]:
    """Weights that add up to 1, drawn from a Dirichlet distribution."""
    return Dirichlet(tensor(alphas, dtype=dtypes.float64, device="cpu")).sample().tolist()


class _Mixing(Module):
    """What both do: each sample is mixed with the one before it in the batch."""

    def __init__(self, *, alpha: float = 1.0, num_classes: int | None = None,
                 labels_getter: str | Callable[[Any], Tensor] = "default") -> None:
        super().__init__()
        if alpha <= 0:
            raise ValueError(f"{type(self).__name__}: alpha must be positive, not {alpha}.")
        self.alpha = float(alpha)
        self.num_classes = num_classes
        self.labels_getter = labels_getter

    def _labels(self, inputs: Any) -> Tensor:
        name = type(self).__name__
        if callable(self.labels_getter):
            labels = self.labels_getter(inputs)
        elif isinstance(inputs, Mapping):
            labels = next((value for key, value in inputs.items() if str(key).lower() in ("label", "labels", "target",
                                                                                          "targets")), None)
        else:
            labels = inputs[1] if isinstance(inputs, tuple | list) and len(inputs) > 1 else None
        if not isinstance(labels, Tensor):
            raise ValueError(f"{name}: found no tensor of labels; call it with (images, labels), or pass "
                             "labels_getter.")
        if labels.ndim not in (1, 2):
            raise ValueError(f"{name}: labels have the shape (N,) or (N, classes), not {tuple(labels.shape)}.")
        if labels.ndim == 1 and self.num_classes is None:
            raise ValueError(f"{name}: pass num_classes, because the labels are numbers of classes.")
        if labels.ndim == 2 and self.num_classes not in (None, labels.shape[1]):
            raise ValueError(f"{name}: the labels have {labels.shape[1]} classes, and num_classes is "
                             f"{self.num_classes}.")
        return labels

    def forward(self, *inputs: Any) -> Any:
        batch: Any = inputs if len(inputs) > 1 else inputs[0]  # pyright: ignore[reportGeneralTypeIssues]
        labels = self._labels(batch)
        images = [each for each in self._tensors(batch) if each is not labels and each.ndim >= 4]
        for each in images:
            if each.shape[0] != labels.shape[0]:
                raise ValueError(f"{type(self).__name__}: {each.shape[0]} images have {labels.shape[0]} labels.")
        if not images:
            raise ValueError(f"{type(self).__name__} takes a batch of images, (N, C, H, W), and found none.")
        change, share = self._draw(images[0].shape[-2], images[0].shape[-1])
        new = {id(each): change(each) for each in images}
        new[id(labels)] = self._mixed(self._one_hot(labels), share)
        return self._replaced(batch, new)

    def _draw(self, height: int, width: int) -> tuple[Callable[[Tensor], Tensor], float]:
        """What is done to images, and how much of each stays."""
        raise NotImplementedError

    def _one_hot(self, labels: Tensor) -> Tensor:
        if labels.ndim == 1:
            assert self.num_classes is not None
            labels = one_hot(labels, self.num_classes)
        return labels if labels.is_floating_point() else labels.to(dtypes.float32)

    @staticmethod
    def _mixed(values: Tensor, share: float) -> Tensor:
        return share * values + (1.0 - share) * values.roll(1, 0)

    def _tensors(self, batch: Any) -> list[Tensor]:
        if isinstance(batch, Tensor):
            return [batch]
        members = batch.values() if isinstance(batch, Mapping) else batch if isinstance(batch, tuple | list) else ()
        return [each for member in members for each in self._tensors(member)]

    def _replaced(self, batch: Any, new: dict[int, Tensor]) -> Any:
        if id(batch) in new:
            return new[id(batch)]
        if isinstance(batch, Mapping):
            return type(batch)({key: self._replaced(value, new) for key, value in batch.items()})  # type: ignore
        if isinstance(batch, tuple | list):
            members = [self._replaced(value, new) for value in batch]
            return type(batch)(*members) if hasattr(batch, "_fields") else type(batch)(members)
        return batch

    def __repr__(self) -> str:
        return f"{type(self).__name__}(alpha={self.alpha}, num_classes={self.num_classes})"


class MixUp(_Mixing):
    """Adds to each image and label of a batch those of another: `share * x + (1 - share) * other`.

    The share is drawn from Beta(alpha, alpha), once a batch; the other one is the one before in the batch, so shuffle.
    Labels become [N, classes]. As part of a collate_fn it runs in the DataLoader's workers.

    Source: Zhang et al., "mixup: Beyond empirical risk minimization", 2018.

    Args:
        alpha: of the Beta distribution.
        num_classes: how many classes there are; only labels that are [N, classes] already need none.
        labels_getter: a function from the inputs to the labels; "default": the second one.

    Shape:
        Images [N, C, H, W], labels [N] or [N, classes].

    Raises:
        ValueError: there are no labels, no images, or unequal numbers of them.

    Examples:
        >>> images, labels = transforms.MixUp(num_classes=3)(gpunet.ones(4, 3, 8, 8), gpunet.tensor([0, 1, 2, 0]))
        >>> labels.sum(1)
        tensor([1., 1., 1., 1.])
    """

    def __init__(self, *, alpha: float = 1.0, num_classes: int | None = None,
                 labels_getter: str | Callable[[Any], Tensor] = "default") -> None:
        super().__init__(alpha=alpha, num_classes=num_classes, labels_getter=labels_getter)

    def _draw(self, height: int, width: int) -> tuple[Callable[[Tensor], Tensor], float]:
        share = dirichlet([self.alpha] * 2)[0]
        return lambda images: self._mixed(images, share).to(images.dtype), share


class CutMix(_Mixing):
    """Puts a rectangle of another image into each image of a batch, and mixes the labels in proportion to the areas.

    Its size is drawn from Beta(alpha, alpha), once a batch; the other image is the one before in the batch, so shuffle.
    Labels become [N, classes]. As part of a collate_fn it runs in the DataLoader's workers.

    Source: Yun et al., "CutMix: Regularization strategy to train strong classifiers with localizable features", 2019.

    Args:
        alpha: of the Beta distribution.
        num_classes: how many classes there are; only labels that are [N, classes] already need none.
        labels_getter: a function from the inputs to the labels; "default": the second one.

    Shape:
        Images [N, C, H, W], labels [N] or [N, classes].

    Raises:
        ValueError: there are no labels, no images, or unequal numbers of them.

    Examples:
        >>> images, labels = transforms.CutMix(num_classes=3)(gpunet.ones(4, 3, 8, 8), gpunet.tensor([0, 1, 2, 0]))
        >>> labels.sum(1)
        tensor([1., 1., 1., 1.])
    """

    def __init__(self, *, alpha: float = 1.0, num_classes: int | None = None,
                 labels_getter: str | Callable[[Any], Tensor] = "default") -> None:
        super().__init__(alpha=alpha, num_classes=num_classes, labels_getter=labels_getter)

    def _draw(self, height: int, width: int) -> tuple[Callable[[Tensor], Tensor], float]:
        x, y = integer(0, width), integer(0, height)
        half = 0.5 * math.sqrt(1.0 - dirichlet([self.alpha] * 2)[0])
        left, right = max(x - int(half * width), 0), min(x + int(half * width), width)
        top, bottom = max(y - int(half * height), 0), min(y + int(half * height), height)

        def change(images: Tensor) -> Tensor:
            new = images.clone()
            new[..., top:bottom, left:right] = images.roll(1, 0)[..., top:bottom, left:right]
            return new

        return change, 1.0 - (right - left) * (bottom - top) / (width * height)
