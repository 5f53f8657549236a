"""What PyTorch calls the nodes of a graph. Worked out when somebody asks: recording a call costs nothing more."""

from __future__ import annotations

from typing import Any

__all__ = ["AccumulateGrad", "name_of"]

# Ops whose name in PyTorch is not their own in camel case.
_NAMES = {
    "attention": "ScaledDotProductAttention", "avg_pool": "AvgPool2D", "assign": "CopySlices", "cast": "ToCopy",
    "clamp": "ClampBackward1", "conv": "Convolution", "conv_input_grad": "Convolution", "linear": "Addmm",
    "log1p": "Log1P", "max_pool": "MaxPool2DWithIndices", "median_of_all": "Median", "norm": "LinalgVectorNorm",
    "normalize_relu": "Relu",
    "pad_constant": "ConstantPadNd", "prelu": "PreluKernel", "reshape": "View", "softmax_ce": "NllLoss",
    "true_divide": "Div", "unfold": "Im2Col", "windows": "Unfold",
}
_EXTREMES = {"amax": "MaxBackward1", "amin": "MinBackward1"}


def name_of(op: Any, attrs: dict[str, Any], shapes_of_inputs: list[Any]) -> str:
    """PyTorch's name of the node of a call, such as "AddBackward0". Where gpunet makes an operation of other ones than
    PyTorch does, it is the name of the last of ours.

    Args:
        op: the op, or the call of a `Function`, which is called after its class.
        attrs: the call's attributes.
        shapes_of_inputs: of each input its shape, None where it is not known.
    """
    if hasattr(op, "ctx"):
        return f"{op.name}Backward"
    name = _special(op.name, attrs, shapes_of_inputs) or _NAMES.get(op.name)
    if name is None:
        name = "".join([part[:1].upper() + part[1:] for part in op.name.split("_")])
    return name if "Backward" in name else f"{name}Backward0"


def _special(op: str, attrs: dict[str, Any], shapes: list[Any]) -> str | None:
    """A name that depends on how the op was called."""
    if op == "index":
        key = [part for part in attrs["key"] if part != slice(None)]
        if not key:
            return "Alias"
        return "Unsqueeze" if key[0] is None else "Select" if isinstance(key[0], int) else "Slice"
    if op == "permute":
        dims = list(attrs["dims"])
        moved = [i for i, dim in enumerate(dims) if i != dim]
        return "Transpose" if len(moved) == 2 else None
    if op == "take":
        key = attrs["key"]
        return "Gather" if key.elementwise else "Index" if key.negative else "IndexSelect"
    if op in ("sum", "mean") and attrs.get("dims") is not None and shapes and shapes[0] is not None:
        every = len(attrs["dims"]) == len(shapes[0]) and not attrs.get("keepdim")
        return f"{op.capitalize()}Backward{0 if every else 1}"
    if op in _EXTREMES and shapes and shapes[0] is not None and len(attrs["dims"]) == len(shapes[0]):
        return _EXTREMES[op]
    if op == "matmul" and shapes and None not in shapes:
        return "Mm" if max(map(len, shapes)) < 3 else "Bmm"
    return None


class AccumulateGrad:
    """The end of a graph: adds what arrives to the `.grad` of a leaf.

    Args:
        variable: the leaf.
    """

    next_functions = ()

    def __init__(self, variable: Any) -> None:
        self.variable = variable

    def name(self) -> str:
        """PyTorch's name of this kind of node."""
        return "struct torch::autograd::AccumulateGrad"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AccumulateGrad) and self.variable is other.variable

    def __hash__(self) -> int:
        return id(self.variable)

    def __repr__(self) -> str:
        return f"<AccumulateGrad object at {id(self.variable):#x}>"
