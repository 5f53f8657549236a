"""Parameters and buffers: tensors that a Module registers when they are assigned to it."""

from __future__ import annotations

from gpunet.tensor import Tensor


class Parameter(Tensor):
    """A tensor that is trained: as an attribute of a Module it is one of its `parameters()`.

    data: the tensor whose memory the parameter shares (numbers or nested lists are copied). requires_grad: whether
    gradients are collected.
    """

    __slots__ = ()

    def __init__(self, data=(), requires_grad: bool = True):
        _share(self, data)
        if requires_grad:
            self.requires_grad_()

    def __repr__(self):
        return f"Parameter containing:\n{super().__repr__()}"


class Buffer(Tensor):
    """A tensor that belongs to a Module without being trained, such as a running mean.

    persistent: whether it is part of the Module's `state_dict()`.
    """

    __slots__ = ()
    persistent = True

    def __init__(self, data=(), *, persistent: bool = True):
        _share(self, data)
        self.persistent = persistent


def _share(tensor, data) -> None:
    if isinstance(data, Tensor):
        tensor._adopt(data)
    else:
        Tensor.__init__(tensor, data)
