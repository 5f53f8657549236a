"""DistributedDataParallel and SyncBatchNorm, in a model that one process trains."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from gpunet.nn.common_types import Device, DType
from gpunet.nn.module import Module
from gpunet.nn.normalization import _BatchNorm

__all__ = ["DistributedDataParallel", "SyncBatchNorm"]


class DistributedDataParallel(Module):
    """The model under the name `module`, as PyTorch's wrapper has it. gpunet trains in one process, whose gradients are
    the mean over all: nothing is added to the model's own work.

    Args:
        module: the model.
        device_ids: accepted as in PyTorch, as are all others.
        output_device: where PyTorch puts the outputs.
        kwargs: further options of PyTorch.

    Examples:
        >>> model = nn.parallel.DistributedDataParallel(nn.Linear(2, 1))
        >>> list(model.state_dict())
        ['module.weight', 'module.bias']
    """

    def __init__(self, module: Module, device_ids: Any = None, output_device: Any = None, **kwargs: Any) -> None:
        super().__init__()
        self.module = module
        self.device_ids, self.output_device = device_ids, output_device

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        """What the model gives.

        Args:
            inputs: the model's.
            kwargs: the model's, by name.
        """
        return self.module(*inputs, **kwargs)

    @contextmanager
    def no_sync(self) -> Iterator[None]:
        """Changes nothing: there are no gradients of other processes to wait for."""
        yield


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

    Shape:
        Input and output: [N, C, ...].

    Examples:
        >>> nn.SyncBatchNorm(3)(gpunet.ones(2, 3, 4)).shape
        gpunet.Size([2, 3, 4])
    """

    ranks = tuple(range(2, 33))

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float | None = 0.1, affine: bool = True,
                 track_running_stats: bool = True, process_group: Any = None, device: Device = None,
                 dtype: DType = None) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype)

    @classmethod
    def convert_sync_batchnorm(cls, module: Module, process_group: Any = None) -> Module:
        """The module as it is: its batch norms do the same.

        Args:
            module: the module.
            process_group: accepted as in PyTorch.
        """
        return module
