"""The table that Model.summary prints, as Keras 3 does."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from typing import Any

from gpunet.keras.symbolic import Operation, is_shape
from gpunet.models._summary import size_of


def print_summary(model: Any, line_length: int | None, print_fn: Callable[[str], Any] | None,
                  show_trainable: bool) -> None:
    """Prints the table, or gives its text to `print_fn`."""
    from rich.console import Console
    from rich.table import Column, Table

    graph = model._graph if type(model).__name__ != "Sequential" else None
    rows = model.layers if graph is None else graph.operations
    connected = graph is not None and not _in_line(graph)
    header, justify = ["Layer (type)", "Output Shape", "Param #"], ["left", "left", "right"]
    positions, length = [0.45, 0.80, 1.0], 88
    if connected:
        header, justify = [*header, "Connected to"], [*justify, "left"]
        positions, length = [0.3, 0.56, 0.74, 1.0], 108
    if show_trainable:
        header, justify = [*header, "Trainable"], [*justify, "center"]
        positions, length = [0.9 * each for each in positions] + [1.0], length + 12
    length = line_length or min(length, shutil.get_terminal_size().columns - 4)
    widths, at = [], 0
    for position in positions:
        widths.append(max(int(position * length) - at, 4))
        at += widths[-1]
    table = Table(*[Column(name, justify=side, width=width)  # pyright: ignore[reportArgumentType]
                    for name, side, width in zip(header, justify, widths, strict=True)],
                  width=length, show_lines=True)
    for each in rows:
        table.add_row(*_row(each, graph if connected else None, show_trainable))
    console = Console(highlight=False, **({"force_terminal": False, "color_system": None} if print_fn else {}))
    if print_fn:
        console.begin_capture()
    console.print(f'[bold]Model: "{_plain(model.name)}"[/]')
    console.print(table)
    for line in _totals(model):
        console.print(line)
    if print_fn:
        print_fn(console.end_capture())


def _in_line(graph: Any) -> bool:
    """Whether each call leads to one other."""
    depths = [graph.depths[id(node)] for node in graph.nodes]
    operations = [id(node.operation) for node in graph.nodes]
    return (len(set(depths)) == len(depths) and len(set(operations)) == len(operations)
            and all(len(node.inputs) < 2 for node in graph.nodes))


def _row(layer: Any, graph: Any, show_trainable: bool) -> list[str]:
    operation = isinstance(layer, Operation)
    kind = layer.kind if operation else type(layer).__name__
    if operation:
        params = _number(0)
    elif not getattr(layer, "built", True):
        params = f"{_number(0)} (unbuilt)"
    else:
        params = _number(f"{sum(math.prod(each.shape) for each in _weights(layer)):,}")
    name = getattr(layer, "name", kind)
    row = [f"{_plain(name)} ([color(33)]{_plain(kind)}[/])", _shape(layer), params]
    if graph is not None:
        row.append(_connections(layer, graph))
    if show_trainable:
        has, trained = bool(_weights(layer)), getattr(layer, "trainable", True)
        row.append(("[bold][color(34)]Y[/][/]" if trained else "[bold][color(9)]N[/][/]") if has else
                   "[bold]-[/]")
    return row


def _weights(layer: Any) -> list[Any]:
    if isinstance(layer, Operation):
        return []
    return layer.weights if hasattr(layer, "weights") else list(layer.parameters())


def _shape(layer: Any) -> str:
    nodes = getattr(layer, "nodes", None)
    if not nodes:
        shape = getattr(layer, "output_shape", None)
        return "?" if not isinstance(shape, tuple) else _one_shape(shape)
    outputs = nodes[-1].outputs
    if hasattr(outputs, "shape"):
        return _one_shape(outputs.shape)
    return "[" + ", ".join(_one_shape(each.shape) for each in outputs) + "]"


def _one_shape(shape: Any) -> str:
    assert is_shape(shape)
    return "(" + ", ".join(_number(each) for each in shape) + ")"


def _connections(layer: Any, graph: Any) -> str:
    found = []
    for node in layer.nodes:
        if any(node is each for each in graph.nodes):
            for each in node.inputs:
                place = each.node.operation.nodes.index(each.node)
                found.append(f"{_plain(each.node.operation.name)}[{_number(place)}][{_number(each.index)}]")
    return ", ".join(found) or "-"


def _totals(model: Any) -> list[str]:
    trained, fixed = size_of(model.trainable_weights), size_of(model.non_trainable_weights)
    optimizer = size_of(model._optimizer_weights())
    lines = [("Total params", [sum(each) for each in zip(trained, fixed, optimizer, strict=True)]),
             ("Trainable params", trained), ("Non-trainable params", fixed)]
    if optimizer[0]:
        lines.append(("Optimizer params", optimizer))
    return [f"[bold] {name}: [/]{_number(f'{count:,}')} ({_readable(memory)})" for name, (count, memory) in lines]


def _readable(size: float) -> str:
    for unit in ("B", "KB", "MB", "GB", "TB"):
        if size / 1024 < 1:
            return f"{size:.2f} {unit}"
        size /= 1024
    return f"{size:.2f} PB"


def _number(value: Any) -> str:
    return f"[color({45 if value is None else 34})]{value}[/]"


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(text)
