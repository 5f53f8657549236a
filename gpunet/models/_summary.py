"""A model as a table: its layers, their output shapes, parameters and bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import gpunet
from gpunet import Tensor, nn
from gpunet.nn.hooks import register_module_forward_hook
from gpunet.nn.parameter import is_lazy


@dataclass
class LayerSummary:
    """A row of a summary.

    Args:
        path: the layer's name in the model; of the model itself "".
        kind: its class.
        depth: 0 for the model, 1 for its children, and so on.
        output_shape: the shapes of its outputs, as text; "" if it was not called.
        parameters: how many parameters it holds, with those of the layers inside; each counts once.
        trainable: how many of them require gradients.
        own_parameters: the same as `parameters`, without those of the layers inside, and without any that stand in a
            row above, such as tied weights.
        bytes: of its parameters and buffers, with those of the layers inside.

    Examples:
        >>> models.summary(nn.Linear(3, 2)).layers[0].parameters
        8
    """

    path: str
    kind: str
    depth: int
    output_shape: str
    parameters: int
    trainable: int
    own_parameters: int
    bytes: int


@dataclass
class ModelSummary:
    """What `summary` returns; printed as a table.

    Args:
        layers: a row for each layer, the model first, in the order of their definition.
        parameters: number of parameters.
        trainable: number of those that require gradients.
        bytes: of parameters and buffers.
        output_bytes: of the outputs of all layers that call none inside, in one forward pass; None without input.
        depth: how deep the table goes; None: to the innermost layers.

    Examples:
        >>> found = models.summary(nn.Sequential(nn.Linear(4, 8), nn.ReLU()), (2, 4))
        >>> found.parameters, found.layers[1].output_shape
        (40, '[2, 8]')
    """

    layers: list[LayerSummary] = field(default_factory=list)
    parameters: int = 0
    trainable: int = 0
    bytes: int = 0
    output_bytes: int | None = None
    depth: int | None = None

    @property
    def total_params(self) -> int:
        """The number of parameters, by torchinfo's name."""
        return self.parameters

    @property
    def trainable_params(self) -> int:
        """The number of trainable parameters, by torchinfo's name."""
        return self.trainable

    def rows(self) -> list[LayerSummary]:
        """The layers down to `depth`."""
        return [layer for layer in self.layers if self.depth is None or layer.depth <= self.depth]

    def totals(self) -> list[tuple[str, str]]:
        """Names and values of the lines below the table."""
        lines = [("Parameters", f"{self.parameters:,} ({readable(self.bytes)} with buffers)"),
                 ("Trainable", f"{self.trainable:,}")]
        if self.output_bytes is not None:
            lines.append(("Layers' outputs", readable(self.output_bytes)))
        return lines

    def __str__(self) -> str:
        shown = self.rows()
        marks = list(_branches([layer.depth for layer in shown]))
        lines = [("Layer (type)", "Output shape", "Parameters", "Bytes")]
        for layer, mark in zip(shown, marks, strict=True):
            name = f"{layer.path.rpartition('.')[2]} ({layer.kind})" if layer.path else layer.kind
            lines.append((mark + name, layer.output_shape or "-", f"{layer.parameters:,}" if layer.parameters else "-",
                          readable(layer.bytes) if layer.bytes else "-"))
        widths = [max(len(line[i]) for line in lines) for i in range(4)]
        rule = "─" * (sum(widths) + 6)
        texts = [f"{name:{widths[0]}}  {shape:{widths[1]}}  {count:>{widths[2]}}  {size:>{widths[3]}}"
                 for name, shape, count, size in lines]
        return "\n".join([texts[0], rule, *texts[1:], rule, *(f"{name}: {value}" for name, value in self.totals())])

    __repr__ = __str__


def summary(model: nn.Module, input_size: Sequence[int] | Sequence[Sequence[int]] | None = None, *,
            input_data: Any = None, dtypes: Sequence[gpunet.dtype] | None = None,
            depth: int | None = None) -> ModelSummary:
    """Describes a model: its layers, their output shapes, parameters and bytes, as torchinfo's `summary` does.

    For shapes the model is called once, in eval mode without gradients, with zeros or with `input_data`. On the device
    "meta" (`with gpunet.device("meta")`) this takes neither time nor memory, whatever the model's size.

    Args:
        model: the model.
        input_size: shape of the input, with the batch; or a sequence of the shapes of several. None: without shapes.
        input_data: the input itself: a tensor, or a tuple, list or dictionary of the model's arguments.
        dtypes: the inputs' dtypes; None: the default floating-point type.
        depth: how deep the printed table goes; 1 shows the model's children. None: to the innermost layers.

    Returns:
        The summary, which prints as a table.

    Raises:
        ValueError: input_size and input_data are both given, or the numbers of shapes and dtypes differ.

    Examples:
        >>> models.summary(nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2)), (16, 4))
        Layer (type)  Output shape  Parameters  Bytes
        ─────────────────────────────────────────────
        Sequential    [16, 2]               58  232 B
        ├─0 (Linear)  [16, 8]               40  160 B
        ├─1 (ReLU)    [16, 8]                -      -
        └─2 (Linear)  [16, 2]               18   72 B
        ─────────────────────────────────────────────
        Parameters: 58 (232 B with buffers)
        Trainable: 58
        Layers' outputs: 1.1 KiB
    """
    arguments = _arguments(model, input_size, input_data, dtypes)
    outputs = {} if arguments is None else _outputs(model, arguments)
    named = list(model.named_modules())
    parents = {id(each) for _, each in named
               if any(id(inner) in outputs for inner in each.modules() if inner is not each)}
    seen: set[int] = set()
    layers = []
    for path, module in named:
        weights = _present(module.parameters())
        own = [each for each in _present(module.parameters(recurse=False)) if id(each) not in seen]
        seen |= {id(each) for each in own}
        layers.append(LayerSummary(path, type(module).__name__, path.count(".") + 1 if path else 0,
                            outputs.get(id(module), ("", 0))[0], _count(weights),
                            _count(each for each in weights if each.requires_grad), _count(own),
                            size_of([*weights, *_present(module.buffers())])[1]))
    whole = layers[0]
    output_bytes = sum(size for key, (_, size) in outputs.items() if key not in parents)
    return ModelSummary(layers, whole.parameters, whole.trainable, whole.bytes,
                        None if arguments is None else output_bytes, depth)


def _arguments(model: nn.Module, input_size: Any, input_data: Any, dtypes: Any) -> Any:
    """What the model is called with; None: it is not called."""
    if input_data is not None:
        if input_size is not None:
            raise ValueError("summary: give input_size or input_data, not both.")
        return (input_data,) if isinstance(input_data, Tensor) else input_data
    if input_size is None:
        return None
    sizes = [tuple(input_size)] if all(isinstance(each, int) for each in input_size) else list(input_size)
    if dtypes is not None and len(dtypes) != len(sizes):
        raise ValueError(f"summary: there are {len(sizes)} input sizes and {len(dtypes)} dtypes; give one for each.")
    device = next((each.device for each in model.parameters()), None)
    return tuple(gpunet.zeros(*size, dtype=dtype, device=device)
                 for size, dtype in zip(sizes, dtypes or [None] * len(sizes), strict=True))


def _outputs(model: nn.Module, arguments: Any) -> dict[int, tuple[str, int]]:
    """The shapes, as text, and the bytes of what each module gave in its first call, by the module's id."""
    found: dict[int, tuple[str, int]] = {}

    def look(module: nn.Module, _: Any, output: Any) -> None:
        found.setdefault(id(module), (_shapes(output), size_of(tensors_in(output))[1]))

    modes = [(each, each.training) for each in model.modules()]
    handle = register_module_forward_hook(look)
    model.eval()
    try:
        with gpunet.no_grad():
            model(**arguments) if isinstance(arguments, Mapping) else model(*arguments)
    finally:
        handle.remove()
        for module, training in modes:
            module.training = training
    return found


def tensors_in(value: Any) -> Iterator[Tensor]:
    """The tensors of an output."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from tensors_in(each)
    elif isinstance(value, tuple | list):
        for each in value:
            yield from tensors_in(each)


def _shapes(value: Any) -> str:
    shapes = [str(list(each.shape)) for each in tensors_in(value)]
    return ", ".join(shapes[:2]) + ", ..." * (len(shapes) > 2)


def _present(tensors: Iterable[Any]) -> list[Tensor]:
    """Those that have a shape by now: not the parameters of lazy layers before their first call."""
    return [each for each in tensors if not is_lazy(each)]


def _count(tensors: Iterable[Tensor]) -> int:
    return sum(each.numel() for each in tensors)


def size_of(tensors: Iterable[Any]) -> tuple[int, int]:
    """Elements and bytes."""
    tensors = list(tensors)
    return sum(each.numel() for each in tensors), sum(each.numel() * each.element_size() for each in tensors)


def readable(size: float) -> str:
    """A number of bytes in words."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.1f} {unit}" if unit != "B" else f"{size} B"
        size /= 1024
    return f"{size:.1f} TiB"


def _branches(depths: Sequence[int]) -> Iterator[str]:
    """The lines of a tree in front of each row."""
    for index, depth in enumerate(depths):
        mark = ""
        for level in range(1, depth + 1):
            # Whether another row follows at this level before the tree goes back above it.
            later = next((d for d in depths[index + 1:] if d <= level), 0) == level
            mark += ("├─" if later else "└─") if level == depth else ("│ " if later else "  ")
        yield mark
