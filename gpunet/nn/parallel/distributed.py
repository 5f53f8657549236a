"""DistributedDataParallel, in one process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from gpunet.nn.module import Module
from gpunet.nn.parallel.data_parallel import one_device


class DistributedDataParallel(Module):
    """A module that calls another one. In PyTorch it averages the gradients of several processes; here there is one
    process, whose gradients are the average.

    Args:
        module: the module; its parameters have the prefix `module.` in the state dictionary.
        device_ids: the devices, one at most.
        output_device: accepted as in PyTorch, without effect.
        options: PyTorch's other options, such as find_unused_parameters, without effect.

    Attributes:
        module: the module.

    Raises:
        ValueError: several devices are named.

    Examples:
        >>> model = gpunet.nn.parallel.DistributedDataParallel(nn.Linear(2, 3))
        >>> with model.no_sync():
        ...     model(gpunet.ones(4, 2)).sum().backward()
        >>> model.module.bias.grad
        tensor([4., 4., 4.])
    """

    module: Module

    def __init__(self, module: Module, device_ids: Sequence[Any] | None = None, output_device: Any = None,
                 **options: Any) -> None:
        super().__init__()
        self.module = module
        self.device_ids, self.output_device = one_device(type(self).__name__, device_ids), output_device

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        return self.module(*inputs, **kwargs)

    @contextmanager
    def no_sync(self) -> Iterator[None]:
        """A block in which gradients are not averaged: with one process, a block like any other."""
        yield
