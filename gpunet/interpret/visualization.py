"""Feature visualization: an image that a unit of the network answers to most."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gpunet
from gpunet import nn, optim
from gpunet.interpret.common import at_rest, positive
from gpunet.tensor import Tensor

__all__ = ["feature_visualization"]


def feature_visualization(model: nn.Module, layer: nn.Module | None, channel: int, shape: Sequence[int],
                          steps: int = 200, lr: float = 0.05, l2: float = 0.0, total_variation: float = 0.0,
                          jitter: int = 0, low: float = 0.0, high: float = 1.0, start: Tensor | None = None) -> Tensor:
    """An image that makes a channel large, by gradient ascent (Adam) on
    mean A[channel] - l2 |x|^2 / n - total_variation mean |neighbour - neighbour|.

    The image is a sigmoid of what is learned, so it stays between `low` and `high`.

    Source: Erhan et al. 2009; Olah et al. 2017, "Feature Visualization".

    Args:
        model: the module.
        layer: one of its modules, with outputs [N, C] or [N, C, ...]; None: the model's own output.
        channel: which channel, or class.
        shape: the image's shape, without the batch: (C, H, W).
        steps: steps of ascent.
        lr: learning rate.
        l2: weight of the mean square.
        total_variation: weight of the differences between neighbours, which makes the image smooth.
        jitter: the most pixels by which the image is shifted at random in each step.
        low: smallest value of the image.
        high: largest value.
        start: the first image, of that shape, strictly between low and high; None: grey, with a little noise.

    Returns:
        Tensor of the given shape.

    Raises:
        ValueError: the layer is not the model's or is not called, it has no such channel, or the start does not fit.

    Examples:
        >>> model = nn.Linear(3, 2, bias=False)
        >>> _ = model.load_state_dict({"weight": gpunet.tensor([[1.0, -1.0, 1.0], [0.0, 0.0, 0.0]])})
        >>> gpunet.interpret.feature_visualization(model, None, 0, (3,), lr=0.5).round()
        tensor([1., 0., 1.])
    """
    positive("feature_visualization", steps=steps)
    layer = model if layer is None else layer
    if not any(layer is each for each in model.modules()):
        raise ValueError(f"feature_visualization: {layer!r} is no layer of {type(model).__name__}")
    if not low < high:
        raise ValueError(f"feature_visualization: low must be less than high, got {low} and {high}")
    like = next(model.parameters(), gpunet.zeros(()))
    shape = tuple(shape)
    if start is None:
        raw = gpunet.randn(shape, device=like.device, dtype=like.dtype) * 0.1
    elif tuple(start.shape) != shape or not bool(((start > low) & (start < high)).all()):
        raise ValueError(f"feature_visualization: start must have the shape {shape} and values between {low} and "
                         f"{high}, got shape {tuple(start.shape)}")
    else:
        raw = gpunet.logit((start.detach().to(like.device, like.dtype) - low) / (high - low))
    raw.requires_grad_()
    optimizer = optim.Adam([raw], lr=lr)
    kept: list[Any] = []
    with at_rest(model), gpunet.enable_grad():
        handle = layer.register_forward_hook(lambda module, args, output: kept.append(output))
        try:
            for _ in range(steps):
                kept.clear()
                image = low + (high - low) * raw.sigmoid()
                model(_shifted(image, jitter).unsqueeze(0))
                loss = l2 * (image * image).mean() - _answer(kept, channel)
                if total_variation:
                    loss = loss + total_variation * _variation(image)
                raw.grad = gpunet.autograd.grad(loss, raw)[0]
                optimizer.step()
        finally:
            handle.remove()
    return (low + (high - low) * raw.sigmoid()).detach()


def _answer(kept: list[Any], channel: int) -> Tensor:
    if not kept:
        raise ValueError("feature_visualization: the model does not call the layer")
    output = kept[-1]
    if output.ndim < 2 or not -output.shape[1] <= channel < output.shape[1]:
        raise ValueError(f"feature_visualization: the layer's output of shape {tuple(output.shape)} has no channel "
                         f"{channel}")
    return output[:, channel].mean()


def _shifted(image: Tensor, jitter: int) -> Tensor:
    if not jitter or image.ndim < 2:
        return image
    down, right = (int(n) for n in gpunet.randint(-jitter, jitter + 1, (2,)))
    return gpunet.roll(image, (down, right), (-2, -1))


def _variation(image: Tensor) -> Tensor:
    sizes = [dim for dim in range(1, image.ndim)] or [0]
    return gpunet.stack([gpunet.diff(image, dim=dim).abs().mean() for dim in sizes]).sum()
