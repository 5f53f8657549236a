"""DataParallel, on one device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gpunet.nn.module import Module


class DataParallel(Module):
    """A module that calls another one. In PyTorch it splits each batch over several GPUs; here it computes on the one
    device where the module is.

    Args:
        module: the module; its parameters have the prefix `module.` in the state dictionary.
        device_ids: the devices, one at most.
        output_device: accepted as in PyTorch, without effect.
        dim: accepted as in PyTorch, without effect.

    Attributes:
        module: the module.

    Raises:
        ValueError: several devices are named.

    Examples:
        >>> model = nn.DataParallel(nn.Linear(2, 3))
        >>> model(gpunet.ones(4, 2)).shape, list(model.state_dict())
        (gpunet.Size([4, 3]), ['module.weight', 'module.bias'])
    """

    module: Module

    def __init__(self, module: Module, device_ids: Sequence[Any] | None = None, output_device: Any = None,
                 dim: int = 0) -> None:
        super().__init__()
        self.module, self.dim, self.output_device = module, dim, output_device
        self.device_ids = one_device(type(self).__name__, device_ids)

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        return self.module(*inputs, **kwargs)


def one_device(name: str, device_ids: Sequence[Any] | None) -> list[Any]:
    """The devices, of which there may be one."""
    found = [] if device_ids is None else list(device_ids)
    if len(found) > 1:
        raise ValueError(f"{name}: a model computes on one device here, got device_ids {found}; name one, or none")
    return found


def data_parallel(module: Module, inputs: Any, device_ids: Sequence[Any] | None = None, output_device: Any = None,
                  dim: int = 0, module_kwargs: dict[str, Any] | None = None) -> Any:
    """Calls a module, as `DataParallel` does.

    Args:
        module: the module.
        inputs: its argument, or a tuple of them.
        device_ids: the devices, one at most.
        output_device: accepted as in PyTorch, without effect.
        dim: accepted as in PyTorch, without effect.
        module_kwargs: its keyword arguments.

    Returns:
        What the module returns.

    Raises:
        ValueError: several devices are named.

    Examples:
        >>> nn.parallel.data_parallel(nn.Identity(), gpunet.ones(2))
        tensor([1., 1.])
    """
    one_device("data_parallel", device_ids)
    return module(*(inputs if isinstance(inputs, tuple) else (inputs,)), **(module_kwargs or {}))
