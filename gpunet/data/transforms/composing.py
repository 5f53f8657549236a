"""Transforms of transforms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gpunet.data.transforms.drawing import chance, choice, permutation
from gpunet.nn.module import Module


class Compose:
    """Several transforms, applied one after the other.

    Args:
        transforms: the transforms: functions of an image.

    Examples:
        >>> prepare = transforms.Compose([transforms.ToTensor(), transforms.Normalize([0.5], [0.5])])
        >>> prepare(numpy.array([[0, 255]], dtype=numpy.uint8))
        tensor([[[-1.,  1.]]])
    """

    def __init__(self, transforms: Sequence[Callable[[Any], Any]]) -> None:
        self.transforms = transforms

    def __call__(self, img: Any) -> Any:
        for transform in self.transforms:
            img = transform(img)
        return img

    def __repr__(self) -> str:
        lines = "".join(f"\n    {transform}" for transform in self.transforms)
        return f"{type(self).__name__}({lines}\n)"


class Lambda:
    """A function as a transform. For worker processes that are spawned it must be defined at the top of a module.

    Args:
        lambd: the function.

    Examples:
        >>> transforms.Lambda(lambda image: image + 1)(gpunet.zeros(2))
        tensor([1., 1.])
    """

    def __init__(self, lambd: Callable[[Any], Any]) -> None:
        if not callable(lambd):
            raise TypeError(f"Lambda takes a function, not {type(lambd).__name__}.")
        self.lambd = lambd

    def __call__(self, img: Any) -> Any:
        return self.lambd(img)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class RandomApply(Module):
    """Several transforms, or none of them.

    Args:
        transforms: the transforms.
        p: the probability that they are applied.

    Examples:
        >>> transforms.RandomApply([transforms.Lambda(lambda image: image + 1)], p=1.0)(gpunet.zeros(2))
        tensor([1., 1.])
    """

    def __init__(self, transforms: Sequence[Callable[[Any], Any]], p: float = 0.5) -> None:
        super().__init__()
        self.transforms = transforms
        self.p = p

    def forward(self, img: Any) -> Any:
        if chance(self.p):
            for transform in self.transforms:
                img = transform(img)
        return img

    def __repr__(self) -> str:
        lines = "".join(f"\n    {transform}" for transform in self.transforms)
        return f"{type(self).__name__}(\n    p={self.p}{lines}\n)"


class RandomChoice:
    """One of several transforms.

    Args:
        transforms: the transforms.
        p: the weight of each; None: the same for all.

    Examples:
        >>> transforms.RandomChoice([transforms.Lambda(lambda x: x), transforms.Lambda(lambda x: -x)], p=[0, 1])(2)
        -2
    """

    def __init__(self, transforms: Sequence[Callable[[Any], Any]], p: Sequence[float] | None = None) -> None:
        if not isinstance(transforms, Sequence):
            raise TypeError(f"RandomChoice takes a list of transforms, not {type(transforms).__name__}.")
        if p is not None and len(p) != len(transforms):
            raise ValueError(f"RandomChoice: p has {len(p)} weights for {len(transforms)} transforms.")
        self.transforms = transforms
        self.p = p

    def __call__(self, *args: Any) -> Any:
        weights = [1.0] * len(self.transforms) if self.p is None else list(self.p)
        return self.transforms[choice(weights)](*args)

    def __repr__(self) -> str:
        lines = "".join(f"\n    {transform}" for transform in self.transforms)
        return f"{type(self).__name__}({lines}\n)(p={self.p})"


class RandomOrder:
    """Several transforms in a random order.

    Args:
        transforms: the transforms.

    Examples:
        >>> both = transforms.RandomOrder([transforms.Lambda(lambda x: x + 1), transforms.Lambda(lambda x: x + 2)])
        >>> both(0)
        3
    """

    def __init__(self, transforms: Sequence[Callable[[Any], Any]]) -> None:
        if not isinstance(transforms, Sequence):
            raise TypeError(f"RandomOrder takes a list of transforms, not {type(transforms).__name__}.")
        self.transforms = transforms

    def __call__(self, img: Any) -> Any:
        for position in permutation(len(self.transforms)):
            img = self.transforms[position](img)
        return img

    def __repr__(self) -> str:
        lines = "".join(f"\n    {transform}" for transform in self.transforms)
        return f"{type(self).__name__}({lines}\n)"
