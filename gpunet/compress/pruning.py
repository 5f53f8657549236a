"""Pruning: small weights become zeros, or units that matter little are taken out."""

from __future__ import annotations

import copy
from typing import Any, TypeVar

import gpunet
from gpunet import nn
from gpunet.nn.utils import prune
from gpunet.tensor import Tensor

__all__ = ["prune_weights", "remove_units", "sparsity"]

M = TypeVar("M", bound=nn.Module)

# Layers that treat every unit by itself.
_BY_UNIT = (nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.GELU, nn.SiLU, nn.Tanh, nn.ELU, nn.Sigmoid, nn.Hardswish, nn.Softplus,
            nn.Identity, nn.Dropout, nn.Dropout2d, nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d,
            nn.AdaptiveMaxPool2d)
_LEARNED = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


def sparsity(model: nn.Module) -> float:
    """The share of zeros among the weights of linear layers and convolutions, those of masks included.

    Args:
        model: the model.

    Returns:
        A number from 0 to 1.

    Examples:
        >>> layer = nn.Linear(2, 2)
        >>> _ = nn.utils.prune.l1_unstructured(layer, "weight", 0.5)
        >>> gpunet.compress.sparsity(layer)
        0.5
    """
    weights = [layer.weight for layer in model.modules() if isinstance(layer, _LEARNED)]
    zeros = sum(int((weight == 0).sum()) for weight in weights)
    return zeros / max(1, sum(weight.numel() for weight in weights))


def prune_weights(model: M, amount: float, permanent: bool = False) -> M:
    """Masks the smallest weights of all linear layers and convolutions together, in place. They stay 0 in training that
    follows. `gpunet.nn.utils.prune` has more ways.

    Source: Han et al. 2015, "Learning both Weights and Connections for Efficient Neural Networks".

    Args:
        model: the model, which is changed.
        amount: the share of weights that are 0 afterwards, of all: earlier masks count.
        permanent: take the masks off, and leave plain weights with zeros: after the last fine-tuning.

    Returns:
        The model.

    Raises:
        ValueError: the share is not from 0 to 1, or the model has no such layer.

    Examples:
        >>> model = gpunet.compress.prune_weights(nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 2)), 0.75)
        >>> gpunet.compress.sparsity(model)
        0.75
    """
    if not 0 <= amount <= 1:
        raise ValueError(f"prune_weights: amount is a share from 0 to 1, got {amount}")
    layers = [layer for layer in model.modules() if isinstance(layer, _LEARNED)]
    if not layers:
        raise ValueError(f"prune_weights: {type(model).__name__} has no linear layer or convolution")
    sizes = [gpunet.as_tensor(layer.weight).detach().abs().flatten() for layer in layers]
    everything = gpunet.cat(sizes)
    count = round(amount * everything.numel())
    kept = gpunet.ones_like(everything)
    kept[everything.argsort(stable=True)[:count]] = 0
    for layer, mask in zip(layers, kept.split([size.numel() for size in sizes]), strict=True):
        prune.custom_from_mask(layer, "weight", mask.reshape(layer.weight.shape))
        if permanent:
            prune.remove(layer, "weight")
    return model


def remove_units(model: nn.Sequential, amount: float) -> nn.Sequential:
    """A smaller copy of a chain of layers: of each hidden linear layer the given share of outputs, of each convolution
    of channels, is taken out, those whose weights have the least L2 norm. The last layer keeps its outputs. Structured
    pruning that makes the model faster at once; train it some more afterwards.

    Source: Li et al. 2017, "Pruning Filters for Efficient ConvNets".

    Args:
        model: a Sequential of linear layers, convolutions without groups, batch norms, activations, pooling, dropout
            and a Flatten.
        amount: the share of units to take out; at least one stays.

    Returns:
        The copy.

    Raises:
        ValueError: the share is not from 0 to 1, or a layer is of another kind.

    Examples:
        >>> model = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 2))
        >>> gpunet.compress.remove_units(model, 0.75)[0]
        Linear(in_features=8, out_features=16, bias=True)
    """
    if not 0 <= amount < 1:
        raise ValueError(f"remove_units: amount is a share from 0 to 1, 1 excluded, got {amount}")
    if not isinstance(model, nn.Sequential):
        raise ValueError(f"remove_units: expected a Sequential, got {type(model).__name__}; mask channels with "
                         "nn.utils.prune.ln_structured")
    made = copy.deepcopy(model)
    learned = [index for index, layer in enumerate(made) if isinstance(layer, nn.Linear | nn.Conv2d)]
    kept: Tensor | None = None  # units of the layer before that stay; None: all
    units = 0                   # how many it had
    with gpunet.no_grad():
        for index, layer in enumerate(made):
            if isinstance(layer, nn.Linear | nn.Conv2d):
                if kept is not None:
                    _keep_inputs(layer, kept, units)
                kept, units = None, layer.weight.shape[0]
                if index != learned[-1]:
                    kept = _largest(model[index].weight, amount)
                    _keep_outputs(layer, kept)
            elif isinstance(layer, _NORMS) and kept is not None:
                _keep_features(layer, kept)
            elif not isinstance(layer, (*_BY_UNIT, *_NORMS)) and not (isinstance(layer, nn.Flatten)
                                                                      and layer.start_dim == 1):
                raise ValueError(f"remove_units: layer {index} ({type(layer).__name__}) may mix units; it is for "
                                 "linear layers, convolutions, batch norms, activations, pooling, dropout and Flatten")
    return made


def _largest(weight: Tensor, amount: float) -> Tensor:
    count = max(1, weight.shape[0] - round(amount * weight.shape[0]))
    return weight.flatten(1).norm(dim=1).argsort(descending=True)[:count].sort()[0]


def _cut(layer: Any, name: str, index: Tensor, dim: int) -> None:
    tensor = getattr(layer, name)
    if tensor is not None:
        cut = tensor.detach().index_select(dim, index).contiguous()
        setattr(layer, name, nn.Parameter(cut, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else cut)


def _keep_outputs(layer: Any, kept: Tensor) -> None:
    if getattr(layer, "groups", 1) > 1:
        raise ValueError(f"remove_units: {layer!r} has groups; its channels depend on each other")
    _cut(layer, "weight", kept, 0)
    _cut(layer, "bias", kept, 0)
    setattr(layer, "out_features" if isinstance(layer, nn.Linear) else "out_channels", kept.numel())


def _keep_inputs(layer: Any, kept: Tensor, units: int) -> None:
    """A linear layer behind a Flatten has several inputs for each channel."""
    if getattr(layer, "groups", 1) > 1:
        raise ValueError(f"remove_units: {layer!r} has groups; its channels depend on each other")
    each = layer.weight.shape[1] // units
    index = (kept.unsqueeze(1) * each + gpunet.arange(each, device=kept.device)).flatten()
    _cut(layer, "weight", index, 1)
    setattr(layer, "in_features" if isinstance(layer, nn.Linear) else "in_channels", index.numel())


def _keep_features(layer: Any, kept: Tensor) -> None:
    for name in ("weight", "bias", "running_mean", "running_var"):
        _cut(layer, name, kept, 0)
    layer.num_features = kept.numel()
