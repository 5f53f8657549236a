"""SyncBatchNorm, in a model that one process trains."""

from __future__ import annotations

from typing import Any

from gpunet.nn.common_types import Device, DType
from gpunet.nn.module import Module
from gpunet.nn.normalization import _BatchNorm

__all__ = ["SyncBatchNorm"]


class SyncBatchNorm(_BatchNorm):
    """Batch normalization over the batches of all processes, of which there is one: `BatchNorm1d` to `BatchNorm3d` in
    one.

    Args:
        num_features: the number of channels.
        eps: added to the variance.
        momentum: the share of a batch in the running statistics; None: their plain average.
        affine: whether there are a scale and a shift for each channel.
        track_running_stats: whether running statistics are kept.
        process_group: accepted as in PyTorch.
        device: where the parameters are kept.
        dtype: floating-point dtype of the parameters.
        bias: whether there is a shift beside the scale.

    Shape:
        Input and output: [N, C, ...].

    Examples:
        >>> nn.SyncBatchNorm(3)(gpunet.ones(2, 3, 4)).shape
        gpunet.Size([2, 3, 4])
    """

    ranks = tuple(range(2, 33))

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float | None = 0.1, affine: bool = True,
                 track_running_stats: bool = True, process_group: Any = None, device: Device = None,
                 dtype: DType = None, *, bias: bool = True) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)

    @classmethod
    def convert_sync_batchnorm(cls, module: Module, process_group: Any = None) -> Module:
        """The module as it is: its batch norms do the same.

        Args:
            module: the module.
            process_group: accepted as in PyTorch.
        """
        return module
