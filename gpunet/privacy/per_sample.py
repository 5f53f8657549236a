"""The gradient of each example of a batch by itself, from one backward pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal

import gpunet
import gpunet.nn.functional as F
from gpunet import nn
from gpunet.nn.parameter import Parameter
from gpunet.tensor import Tensor

__all__ = ["PerSampleGradients"]

_CONVS = {nn.Conv1d: F.conv1d, nn.Conv2d: F.conv2d, nn.Conv3d: F.conv3d}
_MIXING = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


class PerSampleGradients:
    """Gives each parameter of a module `grad_sample` [N, ...], the gradient of each example's own loss, whenever a
    backward pass comes by. `.grad` is there too, as ever.

    Linear layers and convolutions have formulas: for a linear layer the outer product of each example's input and
    output gradient, for a convolution one with a group for each example. Every other layer runs once more for each
    example, which is exact and slower. Layers that mix examples, such as batch normalization, are refused.

    Source: Goodfellow 2015, "Efficient Per-Example Gradient Computations".

    Args:
        module: the module, whose layers take the batch as their first dimension.
        loss_reduction: how the loss puts the examples together: "mean" or "sum".

    Raises:
        ValueError: a layer mixes examples, or has a batch elsewhere.

    Examples:
        >>> model = nn.Linear(2, 1, bias=False)
        >>> with gpunet.privacy.PerSampleGradients(model, "sum"):
        ...     model(gpunet.tensor([[1.0, 2.0], [3.0, 4.0]])).sum().backward()
        >>> model.weight.grad_sample
        tensor([[[1., 2.]],
        <BLANKLINE>
                [[3., 4.]]])
    """

    def __init__(self, module: nn.Module, loss_reduction: Literal["mean", "sum"] = "mean") -> None:
        if loss_reduction not in ("mean", "sum"):
            raise ValueError(f"PerSampleGradients: loss_reduction is 'mean' or 'sum', not {loss_reduction!r}")
        self.module, self.loss_reduction = module, loss_reduction
        self._pass = 0  # of the whole module, counted: gradients of two passes are not added
        self._of_pass = -1
        units = list(_units(module))
        for name, layer in units:
            _check(name, layer)
        self._handles = [module.register_forward_pre_hook(self._count)]
        self._handles += [layer.register_forward_hook(self._watch, with_kwargs=True) for _, layer in units]

    def _count(self, module: nn.Module, args: Any) -> None:
        self._pass += 1

    def _watch(self, layer: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        if not gpunet.is_grad_enabled():
            return
        args = tuple(_detached(each) for each in args)
        kwargs = {name: _detached(each) for name, each in kwargs.items()}
        number = self._pass
        for place, tensor in enumerate(_tensors(output)):
            if tensor.requires_grad:
                tensor.register_hook(self._hook(layer, args, kwargs, place, number))

    def _hook(self, layer: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], place: int, number: int
              ) -> Callable[[Tensor], None]:
        def add(g: Tensor) -> None:
            g = g.detach()
            if self.loss_reduction == "mean":
                g = g * g.shape[0]
            with gpunet.no_grad():
                for parameter, each in _gradients(layer, args, kwargs, place, g):
                    self._add(parameter, each, number)

        return add

    def _add(self, parameter: Any, found: Tensor, number: int) -> None:
        before = getattr(parameter, "grad_sample", None)
        if before is not None and number != self._of_pass:
            raise RuntimeError("PerSampleGradients: there are gradients of an earlier forward pass; call "
                               "optimizer.step() or optimizer.zero_grad() before the next backward pass")
        self._of_pass = number
        parameter.grad_sample = found if before is None else before + found

    def clear(self) -> None:
        """Drops the gradients of the examples."""
        for parameter in self.module.parameters():
            parameter.__dict__.pop("grad_sample", None)

    def remove(self) -> None:
        """Leaves the module: it is as it was before. The gradients that are there stay."""
        for handle in self._handles:
            handle.remove()
        self._handles = []

    def __enter__(self) -> PerSampleGradients:
        return self

    def __exit__(self, *exception: object) -> None:
        self.remove()


def _units(module: nn.Module, name: str = "") -> Iterator[tuple[str, nn.Module]]:
    """The layers that have parameters of their own; attention's inner layer is called by no one but itself."""
    own = [p for p in module.parameters(recurse=isinstance(module, nn.MultiheadAttention)) if p.requires_grad]
    if own:
        yield name or type(module).__name__, module
    if not isinstance(module, nn.MultiheadAttention):
        for child, part in module.named_children():
            yield from _units(part, f"{name}.{child}" if name else child)


def _check(name: str, layer: nn.Module) -> None:
    if isinstance(layer, _MIXING):
        raise ValueError(f"PerSampleGradients: {name} ({type(layer).__name__}) mixes the examples of a batch, so no "
                         "example has a gradient of its own; use nn.GroupNorm or nn.LayerNorm")
    if getattr(layer, "batch_first", True) is False:
        raise ValueError(f"PerSampleGradients: {name} ({type(layer).__name__}) has the batch in its second dimension; "
                         "make it with batch_first=True")
    dropout = getattr(layer, "dropout", 0.0)
    if isinstance(dropout, float) and dropout > 0:
        raise ValueError(f"PerSampleGradients: {name} ({type(layer).__name__}) drops values inside, which cannot be "
                         "repeated for each example; make it with dropout=0 and an nn.Dropout behind it")


def _tensors(output: Any) -> Iterator[Tensor]:
    if isinstance(output, gpunet.Tensor):
        yield output
    elif isinstance(output, tuple | list):
        for each in output:
            yield from _tensors(each)


def _detached(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return type(value)(_detached(each) for each in value)
    return value.detach() if isinstance(value, gpunet.Tensor) else value


def _gradients(layer: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], place: int, g: Tensor
               ) -> Iterator[tuple[Parameter, Tensor]]:
    """(parameter, its gradient for each example), from the gradient of the layer's output number `place`."""
    if type(layer) is nn.Linear and args:
        yield from _linear(layer, args[0], g)
    elif type(layer) in _CONVS and args and layer.padding_mode == "zeros":
        yield from _conv(layer, args[0], g)
    else:
        yield from _one_by_one(layer, args, kwargs, place, g)


def _linear(layer: nn.Linear, x: Tensor, g: Tensor) -> Iterator[tuple[Parameter, Tensor]]:
    samples = g.shape[0]
    g, x = g.reshape(samples, -1, g.shape[-1]) if g.numel() else g.new_zeros(samples, 1, g.shape[-1]), x
    x = x.reshape(samples, g.shape[1], x.shape[-1])
    if layer.weight.requires_grad:
        yield layer.weight, g.transpose(1, 2) @ x
    if layer.bias is not None and layer.bias.requires_grad:
        yield layer.bias, g.sum(1)


def _conv(layer: Any, x: Tensor, g: Tensor) -> Iterator[tuple[Parameter, Tensor]]:
    """The examples become groups of one convolution, whose weight's gradient is then that of each."""
    samples = g.shape[0]
    if layer.weight.requires_grad and samples == 0:
        yield layer.weight, g.new_zeros(0, *layer.weight.shape)
    elif layer.weight.requires_grad:
        with gpunet.enable_grad():
            weight = layer.weight.detach().repeat(samples, *[1] * (layer.weight.ndim - 1)).requires_grad_()
            y = _CONVS[type(layer)](x.reshape(1, -1, *x.shape[2:]), weight, None, layer.stride, layer.padding,
                                    layer.dilation, samples * layer.groups)
            found = gpunet.autograd.grad(y, weight, g.reshape(y.shape))[0]
        yield layer.weight, found.reshape(samples, *layer.weight.shape)
    if layer.bias is not None and layer.bias.requires_grad:
        yield layer.bias, g.sum(tuple(range(2, g.ndim)))


def _one_by_one(layer: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], place: int, g: Tensor
                ) -> Iterator[tuple[Parameter, Tensor]]:
    parameters = [p for p in layer.parameters(recurse=isinstance(layer, nn.MultiheadAttention)) if p.requires_grad]
    samples, found = g.shape[0], []
    if isinstance(layer, nn.LSTM | nn.GRU | nn.RNN) and place:
        raise ValueError(f"PerSampleGradients: the loss uses the last states of {type(layer).__name__}, whose batch is "
                         "in their second dimension; use output[:, -1]")
    for n in range(samples):
        def of(value: Any, n: int = n) -> Any:
            if isinstance(value, tuple | list):
                return type(value)(of(each) for each in value)
            fits = isinstance(value, gpunet.Tensor) and value.ndim and value.shape[0] == samples
            return value[n:n + 1] if fits else value

        with gpunet.enable_grad():
            y = list(_tensors(layer.forward(*of(args), **{name: of(each) for name, each in kwargs.items()})))[place]
            found.append(gpunet.autograd.grad(y, parameters, g[n:n + 1], allow_unused=True, materialize_grads=True))
    for index, parameter in enumerate(parameters):
        yield parameter, gpunet.stack([each[index] for each in found]) if samples else g.new_zeros(0, *parameter.shape)
