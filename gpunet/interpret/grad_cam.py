"""Grad-CAM: where in a layer's maps a class is seen."""

from __future__ import annotations

from typing import Any

import gpunet
import gpunet.nn.functional as F
from gpunet import nn
from gpunet.interpret.common import Target, at_rest, check_input, chosen
from gpunet.tensor import Tensor

__all__ = ["grad_cam"]


def grad_cam(model: nn.Module, layer: nn.Module, inputs: Tensor, target: Target = None, relu_attributions: bool = True,
             interpolate: bool = False) -> Tensor:
    """The maps of a layer, each weighted by its mean gradient: ReLU(sum over c of w[c] A[c]), where w[c] is the mean of
    d output[target] / d A[c] over the map.

    Source: Selvaraju et al. 2017, "Grad-CAM".

    Args:
        model: the module.
        layer: one of its modules, whose output has maps [N, C, H, W] (or [N, C, L], [N, C, D, H, W]): in most networks
            the last convolution.
        inputs: the batch [N, ...].
        target: which output, as for `saliency`.
        relu_attributions: keep what speaks for the class; False: what speaks against it too.
        interpolate: enlarge the map to the input's size, bilinearly.

    Returns:
        Tensor [N, 1, H, W] in the size of the layer's maps, or of the input.

    Raises:
        TypeError: the inputs are no floating-point tensor, or `layer` is no module.
        ValueError: the layer is not the model's or is not called, has no maps, or the target is none of the outputs.

    Examples:
        >>> conv = nn.Conv2d(1, 4, 3)
        >>> model = nn.Sequential(conv, nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 10))
        >>> gpunet.interpret.grad_cam(model, conv, gpunet.rand(2, 1, 8, 8), target=3).shape
        gpunet.Size([2, 1, 6, 6])
    """
    check_input("grad_cam", inputs)
    if not isinstance(layer, nn.Module):
        raise TypeError(f"grad_cam: layer must be one of the model's modules, such as model.layer4, got {layer!r}")
    if not any(layer is each for each in model.modules()):
        raise ValueError(f"grad_cam: {layer!r} is no layer of {type(model).__name__}")
    kept: list[Any] = []

    def keep(module: nn.Module, args: Any, output: Any) -> Tensor:
        kept.append(output if output.requires_grad else output.detach().requires_grad_())
        return kept[-1] * 1  # a layer behind it may change its input in place

    with at_rest(model), gpunet.enable_grad():
        handle = layer.register_forward_hook(keep)
        try:
            score = chosen("grad_cam", model(inputs.detach().requires_grad_()), target, inputs.shape[0])
        finally:
            handle.remove()
        if len(kept) != 1:
            raise ValueError(f"grad_cam: the model calls the layer {len(kept)} times; choose one that it calls once")
        maps = kept[0]
        if maps.ndim < 3:
            raise ValueError(f"grad_cam: the layer's output has shape {tuple(maps.shape)}; choose a layer with maps "
                             "[N, C, H, W]")
        slopes = gpunet.autograd.grad(score.sum(), maps)[0]
    places = tuple(range(2, maps.ndim))
    found = (slopes.mean(places, keepdim=True) * maps.detach()).sum(1, keepdim=True)
    if relu_attributions:
        found = found.relu()
    return _enlarged(found, inputs) if interpolate else found


def _enlarged(found: Tensor, inputs: Tensor) -> Tensor:
    mode = {3: "linear", 4: "bilinear", 5: "trilinear"}[found.ndim]
    return F.interpolate(found, tuple(inputs.shape[2:]), mode=mode, align_corners=False)
