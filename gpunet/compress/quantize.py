"""Models in 8 bits: dynamic, static after calibration, and trained with the rounding."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

from gpunet import nn
from gpunet.compress.layers import QATConv2d, QATLinear, QuantizedConv2d, QuantizedLinear
from gpunet.compress.observers import MinMaxObserver, check_observer
from gpunet.tensor import Tensor

__all__ = ["convert", "load_quantized", "prepare", "prepare_qat", "quantize_dynamic"]

M = TypeVar("M", bound=nn.Module)


def _fits(layer: nn.Module) -> bool:
    """Whether a layer can be quantized."""
    return type(layer) is nn.Linear or (
        type(layer) is nn.Conv2d and layer.padding_mode == "zeros" and not isinstance(layer.padding, str))


def _quantized(layer: Any, input_qparams: Any = None) -> nn.Module:
    if isinstance(layer, nn.Conv2d):
        return QuantizedConv2d.from_float(layer, input_qparams)
    return QuantizedLinear.from_float(layer, input_qparams)


def _replaced(op: str, model: Any, change: Callable[[str, Any], nn.Module | None], skip: Collection[str] = ()) -> Any:
    """A copy of the model in which layers are what `change(name, layer)` makes of them; None leaves a layer."""
    if isinstance(skip, str):
        skip = (skip,)
    unknown = set(skip) - {name for name, _ in model.named_modules()}
    if unknown:
        raise ValueError(f"{op}: the model has no layer {', '.join(sorted(unknown))}")
    model = copy.deepcopy(model)
    whole = nn.ModuleDict({"model": model})  # so that the model itself can be a layer
    count = 0
    for name, layer in list(whole.named_modules()):
        path = name.removeprefix("model").lstrip(".")
        if not name or any(path == each or path.startswith(each + ".") for each in skip):
            continue
        made = change(path, layer)
        if made is not None:
            count += 1
            if made is not layer:
                holder, _, last = name.rpartition(".")
                setattr(whole.get_submodule(holder), last, made)
    if not count:
        raise ValueError(f"{op}: {type(model).__name__} has no layer for it; nn.Linear and nn.Conv2d can be quantized, "
                         "and for convert the layers of prepare or prepare_qat")
    return whole["model"]


def quantize_dynamic(model: M, skip: Collection[str] = ()) -> M:
    """A copy of a model whose linear layers have int8 weights; each input's own range is taken when it comes. No data
    is needed. Convolutions stay as they are, as in PyTorch.

    Args:
        model: the model.
        skip: names of layers, or of parts, to leave as they are, such as the last layer's.

    Returns:
        The copy, in eval mode.

    Raises:
        ValueError: it has no linear layer, or none of a given name.

    Examples:
        >>> model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2))
        >>> gpunet.compress.quantize_dynamic(model, skip=["2"])[0]
        QuantizedLinear(in_features=8, out_features=8, static=False)
    """
    def changed(name: str, layer: Any) -> nn.Module | None:
        return _quantized(layer) if type(layer) is nn.Linear else None

    return _replaced("quantize_dynamic", model, changed, skip).eval()


def prepare(model: M, observer: Callable[[], MinMaxObserver] = MinMaxObserver, skip: Collection[str] = ()) -> M:
    """A copy of a model that observes the inputs of its linear layers and convolutions. Run it on some hundred
    examples, without gradients, then `convert` it.

    Args:
        model: the model. Merge batch norms into convolutions first (`nn.utils.fuse_conv_bn_eval`).
        observer: makes an observer: `MinMaxObserver`, or `HistogramObserver` where inputs have rare large values.
        skip: names of layers, or of parts, to leave as they are.

    Returns:
        The copy, in eval mode; each such layer has an `input_observer`.

    Raises:
        TypeError: `observer` makes no observer.
        ValueError: the model has no such layer, or none of a given name.

    Examples:
        >>> prepared = gpunet.compress.prepare(nn.Sequential(nn.Linear(4, 4)), gpunet.compress.HistogramObserver)
        >>> _ = prepared(gpunet.rand(100, 4))
        >>> gpunet.compress.convert(prepared)[0]
        QuantizedLinear(in_features=4, out_features=4, static=True)
    """
    check_observer("prepare", observer)

    def observed(name: str, layer: Any) -> nn.Module | None:
        if not _fits(layer):
            return None
        layer.input_observer = observer().to(layer.weight.device)
        layer.register_forward_pre_hook(_observe)
        return layer

    return _replaced("prepare", model, observed, skip).eval()


def _observe(layer: Any, args: tuple[Any, ...]) -> None:
    layer.input_observer(args[0])


def prepare_qat(model: M, skip: Collection[str] = ()) -> M:
    """A copy of a model that trains with the rounding of weights and inputs. Train it, with a small learning rate, then
    `convert` it. Make the optimizer from the copy's parameters.

    Args:
        model: the model, best a trained one.
        skip: names of layers, or of parts, to leave as they are.

    Returns:
        The copy, in the model's mode.

    Raises:
        ValueError: the model has no such layer, or none of a given name.

    Examples:
        >>> model = gpunet.compress.prepare_qat(nn.Sequential(nn.Linear(4, 2)))
        >>> model(gpunet.rand(3, 4)).sum().backward()
        >>> gpunet.compress.convert(model)[0]
        QuantizedLinear(in_features=4, out_features=2, static=True)
    """
    def trained(name: str, layer: Any) -> nn.Module | None:
        if not _fits(layer):
            return None
        return QATConv2d(layer) if isinstance(layer, nn.Conv2d) else QATLinear(layer)

    return _replaced("prepare_qat", model, trained, skip)


def convert(model: M) -> M:
    """The quantized model of one that `prepare` or `prepare_qat` made.

    Args:
        model: the prepared model, after calibration or training.

    Returns:
        A copy with int8 weights and fixed ranges of the inputs, in eval mode.

    Raises:
        RuntimeError: a layer has seen no input.
        ValueError: the model is not a prepared one.

    Examples:
        >>> prepared = gpunet.compress.prepare(nn.Linear(4, 2))
        >>> _ = prepared(gpunet.rand(10, 4))
        >>> gpunet.compress.convert(prepared).weight.dtype
        gpunet.int8
    """
    def changed(name: str, layer: Any) -> nn.Module | None:
        if isinstance(layer, QATLinear | QATConv2d):
            return _quantized(layer, layer.input_fake.observer.calculate_qparams())
        if hasattr(layer, "input_observer"):
            return _quantized(layer, layer.input_observer.calculate_qparams())
        return None

    return _replaced("convert", model, changed).eval()


def load_quantized(model: M, state_dict: Mapping[str, Tensor]) -> M:
    """A quantized model from the state_dict of one, and a float model of the same architecture.

    Args:
        model: the float model, whose weights do not matter.
        state_dict: the quantized model's, as `gpunet.load` or `load_file` reads it.

    Returns:
        A quantized copy, in eval mode.

    Raises:
        RuntimeError: the state_dict does not fit the model.
        ValueError: it is not a quantized model's.

    Examples:
        >>> quantized = gpunet.compress.quantize_dynamic(nn.Sequential(nn.Linear(4, 2)))
        >>> again = gpunet.compress.load_quantized(nn.Sequential(nn.Linear(4, 2)), quantized.state_dict())
        >>> bool((again(gpunet.ones(4)) == quantized(gpunet.ones(4))).all())
        True
    """
    def changed(name: str, layer: Any) -> nn.Module | None:
        prefix = f"{name}." if name else ""
        if f"{prefix}weight_scale" not in state_dict or not _fits(layer):
            return None
        static = f"{prefix}input_scale" in state_dict
        if isinstance(layer, nn.Conv2d):
            return QuantizedConv2d(layer.in_channels, layer.out_channels, layer.kernel_size, layer.stride,
                                   layer.padding, layer.dilation, layer.groups, layer.bias is not None, static)
        return QuantizedLinear(layer.in_features, layer.out_features, layer.bias is not None, static)

    made = _replaced("load_quantized", model, changed)
    made.load_state_dict(state_dict)
    return made.eval()
