"""Parameters and buffers: tensors that a Module registers when they are assigned to it."""

from __future__ import annotations

from typing import Any

from gpunet.tensor import Tensor


class Parameter(Tensor):
    """A tensor that is trained: as an attribute of a Module it is one of its `parameters()`.

    Args:
        data: a tensor, whose memory the parameter shares; numbers or nested lists are copied. None: an empty tensor.
        requires_grad: whether gradients are collected.

    Raises:
        RuntimeError: gradients are wanted for a tensor that is not floating point.

    Examples:
        >>> nn.Parameter(gpunet.tensor([1.0, 2.0]))
        Parameter containing:
        tensor([1., 2.], requires_grad=True)
    """

    __slots__ = ()

    def __init__(self, data: Any = None, requires_grad: bool = True) -> None:
        _share(self, data)
        if requires_grad:
            self.requires_grad_()

    def __repr__(self) -> str:
        return f"Parameter containing:\n{super().__repr__()}"


class Buffer(Tensor):
    """A tensor that belongs to a Module without being trained, such as a running mean.

    Args:
        data: a tensor, whose memory the buffer shares; numbers or nested lists are copied. None: an empty tensor.
        persistent: whether it is part of the Module's `state_dict()`.

    Examples:
        >>> module = nn.Module()
        >>> module.mean = nn.Buffer(gpunet.zeros(2))
        >>> list(module.state_dict())
        ['mean']
    """

    __slots__ = ()
    persistent = True

    def __init__(self, data: Any = None, *, persistent: bool = True) -> None:
        _share(self, data)
        self.persistent = persistent


def _share(tensor: Tensor, data: Any) -> None:
    if isinstance(data, Tensor):
        tensor._adopt(data)
    else:
        Tensor.__init__(tensor, () if data is None else data)
