"""DistributedDataParallel, around a model that one process trains."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from gpunet.nn.module import Module

__all__ = ["DistributedDataParallel"]


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
