"""What all explanations share: a model at rest, the output that is explained, the input that stands for "nothing"."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import gpunet
from gpunet import nn
from gpunet.tensor import Tensor

Model = Callable[..., Any]  # a module, or any function of a batch
Target = int | tuple[int, ...] | Sequence[int] | Tensor | None
Baselines = float | Tensor | None


@contextmanager
def at_rest(model: Model) -> Iterator[None]:
    """The model in eval mode, its parameters without gradients, inside this block; all as it was afterwards. Of a
    function nothing is known, and nothing changed."""
    modules = list(model.modules()) if isinstance(model, nn.Module) else []
    modes = [module.training for module in modules]
    parameters = list(model.parameters()) if isinstance(model, nn.Module) else []
    wanted = [parameter.requires_grad for parameter in parameters]
    try:
        for module in modules:
            module.training = False
        for parameter in parameters:
            parameter.requires_grad_(False)
        yield
    finally:
        for module, mode in zip(modules, modes, strict=True):
            module.training = mode
        for parameter, want in zip(parameters, wanted, strict=True):
            parameter.requires_grad_(want)


def check_input(op: str, inputs: Any) -> None:
    """TypeError or ValueError for what is no batch of floating-point numbers."""
    if not isinstance(inputs, gpunet.Tensor):
        raise TypeError(f"{op}: inputs must be a tensor [N, ...], got {type(inputs).__name__}")
    if not inputs.is_floating_point():
        raise TypeError(f"{op}: inputs of type {inputs.dtype} have no gradient; use .float(), or explain what an "
                        "embedding gives")
    if inputs.ndim == 0 or inputs.shape[0] == 0:
        raise ValueError(f"{op}: inputs must be a batch [N, ...] of at least one sample, got shape "
                         f"{tuple(inputs.shape)}")


def chosen(op: str, output: Any, target: Target, samples: int) -> Tensor:
    """The explained number of each sample [N], of outputs [N], [N, C] or [N, ...].

    A target is one for all samples: a class, or a place in outputs of more dimensions as a tuple; or a list or tensor
    with a class for each sample.
    """
    if not isinstance(output, gpunet.Tensor) or output.ndim == 0 or output.shape[0] != samples:
        shape = tuple(output.shape) if isinstance(output, gpunet.Tensor) else type(output).__name__
        raise ValueError(f"{op}: the model must return a tensor whose first size is the batch's, {samples}; "
                         f"got {shape}")
    if target is None:
        if output.numel() != samples:
            raise ValueError(f"{op}: outputs of shape {tuple(output.shape)} need a target, the class to explain")
        return output.reshape(samples)
    if isinstance(target, int):
        target = (target,)
    if isinstance(target, tuple):
        sizes = output.shape[1:]
        if len(target) != len(sizes) or not all(-n <= i < n for i, n in zip(target, sizes, strict=True)):
            raise ValueError(f"{op}: target {', '.join(map(str, target))} is no place in outputs of shape "
                             f"{tuple(output.shape)}")
        return output[(slice(None), *target)]
    index = gpunet.as_tensor(target, device=output.device).long()
    if output.ndim != 2 or index.shape != (samples,):
        raise ValueError(f"{op}: targets of shape {tuple(index.shape)} do not fit outputs of shape "
                         f"{tuple(output.shape)}: give one class for each sample of outputs [N, C]")
    return output.gather(1, index.unsqueeze(1)).squeeze(1)


def repeated(target: Target, times: int) -> Target:
    """The target of a batch that is the whole batch `times` times over."""
    if target is None or isinstance(target, int | tuple):
        return target
    return gpunet.as_tensor(target).repeat(times)


def baseline_of(op: str, baselines: Baselines, inputs: Tensor) -> Tensor:
    """The input that stands for "nothing", in the input's shape: zeros for None, one number, or a tensor."""
    if baselines is None:
        return gpunet.zeros_like(inputs)
    if not isinstance(baselines, gpunet.Tensor):
        return gpunet.full_like(inputs, baselines)
    try:
        return baselines.detach().to(inputs.device, inputs.dtype).expand(inputs.shape)
    except RuntimeError:
        raise ValueError(f"{op}: baselines of shape {tuple(baselines.shape)} do not fit inputs of shape "
                         f"{tuple(inputs.shape)}; give the same shape, [1, ...], or a number") from None


def input_gradient(op: str, model: Model, inputs: Tensor, target: Target) -> Tensor:
    """d output[target] / d inputs, for each sample its own."""
    with gpunet.enable_grad():
        x = inputs.detach().requires_grad_()
        score = chosen(op, model(x), target, x.shape[0])
        if not score.requires_grad:
            raise ValueError(f"{op}: the model's output does not depend on its input by operations that have gradients")
        return gpunet.autograd.grad(score.sum(), x)[0]


def positive(op: str, **numbers: int) -> None:
    """ValueError for a count below 1."""
    for name, number in numbers.items():
        if number < 1:
            raise ValueError(f"{op}: {name} must be at least 1, got {number}")
