"""Random counts of the Poisson distribution."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gpunet import dtypes
from gpunet.ops.compare import where
from gpunet.ops.gamma import gammainc
from gpunet.ops.random import check_each, rand
from gpunet.ops.rules import require_float

if TYPE_CHECKING:
    from gpunet.random import Generator
    from gpunet.tensor import Tensor

__all__ = ["poisson"]

# As many as rates up to 10^9 need; the same number for all rates, so that nothing waits for the device to look.
_HALVINGS = 22


def poisson(input: Tensor, generator: Generator | None = None) -> Tensor:
    """Counts of a Poisson distribution: how many events there are, where `input` are to be expected.

    Each is found by inversion of the distribution function, from one uniform number.

    Args:
        input: tensor of rates, of a floating-point type; not negative.
        generator: where the numbers come from; None for the default generator.

    Returns:
        Tensor of input's shape and type; no gradient flows to the rates.

    Raises:
        RuntimeError: a rate is negative or not finite, or the input is not of a floating-point type.

    Example:
        >>> gpunet.poisson(gpunet.tensor([0.0, 0.0]))
        tensor([0., 0.])
    """
    require_float(input._array, "poisson")
    check_each("poisson", input, "rates must be finite and not negative", lambda rate: (rate >= 0) & (rate < np.inf))
    uniform = rand(input.shape, generator=generator, dtype=dtypes.float64, device=input._device.name)
    # Between two counts whose distribution function is below and above, half of the way at a time.
    rates = input.detach().double()
    spread = 40 * rates.sqrt()
    below, above = (rates - spread - 40).clamp(min=0).floor() - 1, (rates + spread + 60).ceil()
    for _ in range(_HALVINGS):
        middle = ((below + above) / 2).floor().clamp(min=0)
        reached = 1 - gammainc(middle + 1, rates) >= uniform
        below, above = where(reached, below, middle), where(reached, middle, above)
    return above.to(input.dtype)
