"""Gradients of views. Of a tensor that was taken apart into many, each part's gradient would be a tensor of the whole's
size that is 0 nearly everywhere, and all of them would be added up. Instead the first becomes such a tensor, and the
others are added to it where they belong."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from gpunet.tensor import Tensor


class Placed(NamedTuple):
    """The gradient of a view whose elements are all different ones: 0 but where the view was."""

    part: Tensor
    whole: Callable[[], Tensor]  # a new tensor: zeros and the part
    view: Callable[[Tensor], Tensor]  # the view of a tensor of the whole's shape

    def __call__(self) -> Tensor:
        return self.whole()

    def add_to(self, total: Tensor) -> bool:
        """Adds the part to a tensor of the whole's shape, in place; or says that this would take longer than to add the
        whole: kernels of GPUs go over contiguous memory."""
        place = self.view(total)
        if total._device.type != "cpu" and not place._array.flags.c_contiguous:
            return False
        place.add_(self.part)
        return True
