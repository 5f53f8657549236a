"""Seeds. One generator serves every device, so those of a GPU are those of `gpunet` itself, GPU or not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gpunet import random
from gpunet.cuda.gpus import Which, device_count
from gpunet.tensor import Tensor


def manual_seed(seed: int) -> None:
    """Seeds the default generator, which serves every device.

    Args:
        seed: any integer.

    Examples:
        >>> gpunet.cuda.manual_seed(0)
    """
    random.manual_seed(seed)


def manual_seed_all(seed: int) -> None:
    """Seeds the default generator, which serves every device.

    Args:
        seed: any integer.

    Examples:
        >>> gpunet.cuda.manual_seed_all(0)
    """
    random.manual_seed(seed)


def seed() -> None:
    """Seeds the default generator from the system's source of random numbers.

    Examples:
        >>> gpunet.cuda.seed()
    """
    random.seed()


def seed_all() -> None:
    """Seeds the default generator from the system's source of random numbers.

    Examples:
        >>> gpunet.cuda.seed_all()
    """
    random.seed()


def initial_seed() -> int:
    """The seed of the default generator.

    Examples:
        >>> if gpunet.cuda.is_available():
        ...     seed = gpunet.cuda.initial_seed()
    """
    return random.initial_seed()


def get_rng_state(device: Which = "cuda") -> Tensor:
    """The position of the default generator in its stream.

    Args:
        device: accepted as in PyTorch; the generator is the same.

    Examples:
        >>> if gpunet.cuda.is_available():
        ...     state = gpunet.cuda.get_rng_state()
    """
    return random.get_rng_state()


def set_rng_state(new_state: Tensor, device: Which = "cuda") -> None:
    """Sets the position of the default generator in its stream.

    Args:
        new_state: what `get_rng_state` gave.
        device: accepted as in PyTorch; the generator is the same.

    Examples:
        >>> if gpunet.cuda.is_available():
        ...     gpunet.cuda.set_rng_state(gpunet.cuda.get_rng_state())
    """
    random.set_rng_state(new_state)


def get_rng_state_all() -> list[Tensor]:
    """The position of the default generator, once for each GPU.

    Examples:
        >>> len(gpunet.cuda.get_rng_state_all()) == gpunet.cuda.device_count()
        True
    """
    return [random.get_rng_state() for _ in range(device_count())]


def set_rng_state_all(new_states: Iterable[Any]) -> None:
    """Sets the position of the default generator from what `get_rng_state_all` gave.

    Args:
        new_states: the list; an empty one changes nothing.

    Examples:
        >>> gpunet.cuda.set_rng_state_all(gpunet.cuda.get_rng_state_all())
    """
    for state in new_states:
        random.set_rng_state(state)
