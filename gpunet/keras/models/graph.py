"""Graph: the calls that lead from a model's inputs to its outputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gpunet.keras.symbolic import KerasTensor, Node, mapped, tensors_in


class Graph:
    """The nodes between symbolic tensors, in the order in which they are computed.

    Attributes:
        operations: layers and operations, in Keras's order: by their distance to the outputs, then as they are found.
        nodes: the calls.
    """

    def __init__(self, owner: str, inputs: Any, outputs: Any) -> None:
        self.owner, self.inputs, self.outputs = owner, inputs, outputs
        self.flat_inputs = _symbolic(owner, "inputs", inputs)
        _symbolic(owner, "outputs", outputs)
        self._known = {id(each) for each in self.flat_inputs}
        self.nodes: list[Node] = []
        self._order: dict[Any, int] = {}  # of operations, as they are found
        done: set[int] = set()
        for each in tensors_in(outputs):
            self._visit(each, done)
        for each in self.flat_inputs:  # that lead to no output
            if each.node is not None and id(each.node) not in done and not each.node.inputs:
                self.nodes.append(each.node)
                self._order[each.node.operation] = -1
        self.operations = self._sorted()

    def _visit(self, tensor: KerasTensor, done: set[int]) -> None:
        node = tensor.node
        if id(node) in done or id(tensor) in self._known and node.inputs:
            return
        if not node.inputs and id(tensor) not in self._known:
            raise ValueError(f"{self.owner}: the outputs depend on {tensor.name}, which is none of the inputs; give it "
                             "to Model(inputs=...) too.")
        done.add(id(node))
        self._order.setdefault(node.operation, len(self._order))
        for each in node.inputs:
            self._visit(each, done)
        self.nodes.append(node)

    def _sorted(self) -> list[Any]:
        depths: dict[int, int] = {}
        of_operation: dict[Any, int] = {}
        inside = {id(node) for node in self.nodes}
        for node in reversed(self.nodes):
            depth = max(depths.get(id(node), 0), of_operation.get(node.operation, 0))
            depths[id(node)] = of_operation[node.operation] = depth
            for each in node.inputs:
                if id(each.node) in inside:
                    depths[id(each.node)] = max(depth + 1, depths.get(id(each.node), 0))
        self.depths = depths
        return sorted(of_operation, key=lambda each: (-of_operation[each], self._order[each]))

    def run(self, given: Any) -> Any:
        """The outputs of tensors, or of symbolic tensors."""
        values = {id(each): value for each, value in zip(self.flat_inputs, self.arranged(given), strict=True)}
        for node in self.nodes:
            if not node.inputs:
                continue
            args = mapped(node.args, lambda each: values[id(each)])
            kwargs = mapped(node.kwargs, lambda each: values[id(each)])
            result = node.operation(*args, **kwargs)
            found = _flat(result)
            for each, value in zip(tensors_in(node.outputs), found, strict=True):
                values.setdefault(id(each), value)
        return mapped(self.outputs, lambda each: values[id(each)])

    def arranged(self, given: Any) -> list[Any]:
        """The inputs in order, from one, several in a list, or a dictionary by name. Raises ValueError."""
        names = [each.name for each in self.flat_inputs]
        if isinstance(given, Mapping):
            keys = list(self.inputs) if isinstance(self.inputs, Mapping) else names
            if missing := [name for name in keys if name not in given]:
                raise ValueError(f"{self.owner} needs the input {missing[0]!r}, and is given {', '.join(given)}.")
            return [given[name] for name in keys]
        values = list(given) if isinstance(given, tuple | list) else [given]
        if len(values) != len(names):
            raise ValueError(f"{self.owner} has {len(names)} inputs ({', '.join(names)}), and is given {len(values)}.")
        for name, value, expected in zip(names, values, self.flat_inputs, strict=True):
            shape = tuple(value.shape)
            fits = len(shape) == len(expected.shape) and all(
                b is None or a is None or a == b for a, b in zip(shape, expected.shape, strict=True))
            if not fits:
                raise ValueError(f"{self.owner}: the input {name} has shape {expected.shape}, and the tensor for it "
                                 f"{shape}.")
        return values


def _symbolic(owner: str, what: str, given: Any) -> list[KerasTensor]:
    found = list(tensors_in(given))
    count = len(_flat(given))
    if not found or len(found) != count:
        raise ValueError(f"{owner}: {what} must be what keras.Input or layers called on it give, not "
                         f"{type(given).__name__}.")
    return found


def _flat(value: Any) -> list[Any]:
    if isinstance(value, tuple | list):
        return [leaf for each in value for leaf in _flat(each)]
    if isinstance(value, Mapping):
        return [leaf for each in value.values() for leaf in _flat(each)]
    return [value]


