"""The graph that a forward pass leaves behind, and the walk back through it.

A `Node` stands for one call of an op: where its inputs came from (edges), and what the op's gradient needs (saved).
An edge is a Node, a `Slot` (one output of a Node that has several), a leaf tensor, or None where no gradient flows.
"""

from __future__ import annotations

import heapq
import itertools
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from gpunet._channels_last import order_of
from gpunet._layouts import format_of
from gpunet.engine.extensions import extensions
from gpunet.engine.modes import mode, no_grad
from gpunet.engine.tensors import wrap

if TYPE_CHECKING:
    from gpunet.tensor import Tensor

# What an op's gradient asks of each of its outputs and inputs. SPARE is kept for what is seldom needed: the second
# derivative of a fused op, or an output that was changed and is computed again.
DROP, KEEP, META, SPARE, LAYOUT = 0, 1, 2, 3, 4

next_order = itertools.count().__next__

_new = object.__new__

NOTHING = ()  # saved by a node whose gradient needs no values


class Meta(NamedTuple):
    """What remains of a tensor whose values a gradient does not need."""

    shape: tuple[int, ...]
    dtype: Any
    device: Any
    strides: tuple[int, ...] | None = None  # in bytes, where the gradient asks for the layout


class Spare(NamedTuple):
    """An input that is kept as SPARE: until it is needed it may be changed."""

    tensor: Any
    version: int


class Packed(NamedTuple):
    """A saved tensor that a pack hook has taken; see `saved_tensors_hooks` in autograd/graph.py."""

    meta: Meta
    packed: Any
    unpack: Callable[[Any], Tensor]
    edge: Any  # where the tensor's gradient goes
    kind: str = "packed"  # a fifth entry: other tuples that a node keeps have two to four

    def restored(self) -> Tensor:
        """The tensor, with its place in the graph."""
        with no_grad():
            tensor = self.unpack(self.packed)
        if not hasattr(tensor, "_array"):
            raise TypeError(f"saved_tensors_hooks: the unpack hook must return a tensor, got {type(tensor).__name__}")
        tensor = wrap(tensor._array, tensor._device)
        if self.edge is not None:
            # A leaf's place is the leaf itself, which a tensor with other memory reaches through a node.
            tensor._node = self.edge if type(self.edge) in (Node, Slot) else new_node(_IDENTITY, {}, [self.edge],
                                                                                      NOTHING)
            tensor._requires_grad = True
        return tensor


class Part:
    """A gradient that is computed when all of it has come together: calling it gives the tensor. Parts that belong to
    one place in the graph can do that with less work together."""

    __slots__ = ()

    def __call__(self) -> Tensor:
        """The gradient."""
        raise NotImplementedError

    def beside(self, other: Any) -> Part:
        """This part and another one."""
        raise NotImplementedError


class Joint(NamedTuple):
    """What the gradient of a `joint` op may know of the walk, to do in one kernel what would be several.

    wanted: for each input whether its gradient is. onto: by the number of an input the gradient that has already come
    for it; a formula that adds its own to it takes it out.
    """

    wanted: list[bool]
    onto: dict[int, Tensor]


class Slot(NamedTuple):
    """One of several outputs of a Node."""

    node: Node
    index: int  # pyright: ignore[reportIncompatibleMethodOverride]  # not a tuple's method


class Node:
    """One recorded call of an op. Newer nodes have a higher `order`; edges lead to older ones only. See `new_node`."""

    __slots__ = ("op", "attrs", "edges", "saved", "results", "shapes", "order", "hooks", "__weakref__")

    op: Any
    attrs: dict[str, Any]
    edges: Sequence[Any]
    saved: Any
    results: Any
    shapes: Any
    order: int
    hooks: dict[int, dict[Any, Callable[[Tensor], Tensor | None]]] | None

    def __lt__(self, other: Node) -> bool:  # for the heap: newest first
        return self.order > other.order

    def name(self) -> str:
        """PyTorch's name of such a node: "AddBackward0"."""
        from gpunet.engine.node_names import name_of

        return name_of(self.op, self.attrs, self._input_shapes())

    @property
    def next_functions(self) -> tuple[tuple[Any, int], ...]:
        """Where the gradients of the inputs go: pairs of a node, or None, and which of its outputs the input is."""
        from gpunet.engine.node_names import AccumulateGrad

        def pair(edge: Any) -> tuple[Any, int]:
            if edge is None or type(edge) is Node:
                return edge, 0
            return (edge[0], edge[1]) if type(edge) is Slot else (AccumulateGrad(edge), 0)

        return tuple(pair(edge) for edge in self.edges)

    def _input_shapes(self) -> list[Any]:
        """The shape of each input, None where the node does not know it."""
        kept = self.saved or ()
        return [x[0].shape if type(x) is Spare or type(x) is tuple and len(x) == 2 else x[0] if type(x) is tuple
                else x.meta.shape if type(x) is Packed else None for x in kept]

    def __repr__(self) -> str:
        return f"<{self.name()} object at {id(self):#x}>"

    def release(self) -> None:
        """Frees the saved values. A node that has none can be gone through again, as in PyTorch."""
        if self.results or any([isinstance(x, tuple) and len(x) in (2, 5) for x in self.saved]):
            self.saved = self.results = None

    def unpack(self) -> tuple[list, list]:
        """The saved outputs and inputs, after checking that nobody has changed them since."""
        if self.saved is None:
            if self.results is None:
                raise RuntimeError(
                    f"{self.op.name}: trying to go backward through the graph a second time, but its saved values were "
                    "freed by the first; pass retain_graph=True to the first backward() or grad()"
                )
            self.saved, self.results = self.results(self)  # they are computed again: see utils/checkpoint.py
        inputs: list[Any] = []
        for kept in self.saved:
            if type(kept) is tuple:
                kept = self._unchanged(*kept) if len(kept) == 2 else Meta(*kept)
            elif type(kept) is Spare:
                kept = self._unchanged(*kept) if mode.grad else kept.tensor
            elif type(kept) is Packed:
                kept = kept.restored()
            inputs.append(kept)
        outputs: list[Any] = []
        for i, kept in enumerate(self.results):
            if type(kept) is Packed:
                kept = kept.restored()
                kept._node, kept._requires_grad = self if self.op.outputs == 1 else Slot(self, i), True
            elif kept is not None and len(kept) == 4:
                array, counter, version, device = kept
                if counter[0] != version:
                    if self.op.repeatable:
                        return self._again(inputs)
                    raise _changed(self.op.name, "its output", array.shape, version, counter[0])
                kept = wrap(array, device)
                kept._version, kept._requires_grad = counter, True
                kept._node = self if self.op.outputs == 1 else Slot(self, i)
            elif kept is not None:
                kept = Meta(*kept)
            outputs.append(kept)
        return outputs or [None] * self.op.outputs, inputs or [None] * len(self.edges)

    def _unchanged(self, tensor: Tensor, version: int) -> Tensor:
        if tensor._version[0] != version:
            raise _changed(self.op.name, "an input", tensor.shape, version, tensor._version[0])
        return tensor

    def _again(self, inputs: list) -> tuple[list, list]:
        """The outputs, of which one was changed, computed once more from the inputs."""
        for kept in self.saved:
            if type(kept) is Spare:
                self._unchanged(*kept)
        results = self.op.call(*inputs, **self.attrs)
        return [results] if self.op.outputs == 1 else list(results), inputs

    def backward(self, gradients: list, joint: Joint | None = None) -> Sequence[Any]:
        """The gradients of the inputs: per input a tensor, None, or a function that computes it when wanted."""
        outputs, inputs = self.unpack()
        op = self.op
        if mode.grad and op.second_by_via:
            return _through_composition(self, gradients, inputs)
        seed = gradients[0] if op.outputs == 1 else gradients
        if joint is not None:
            return op.vjp(seed, *(*outputs, *inputs)[: op.arity], **self.attrs, joint=joint)
        return op.vjp(seed, *(*outputs, *inputs)[: op.arity], **self.attrs)


def new_node(op: Any, attrs: dict[str, Any], edges: Sequence[Any], saved: Any, results: Any = NOTHING,
             shapes: Any = None) -> Node:
    """A Node; a function, because calling a class takes longer, and this is done for each recorded call."""
    node = _new(Node)
    node.op = op
    node.attrs = attrs
    node.edges = edges
    # per input: (tensor, its version at the time), the same as a Spare, what a Meta has, a number or None
    node.saved = saved
    node.results = results  # per output: (array, version list, version, device), (shape, dtype, device) or None
    node.shapes = shapes  # of the inputs, where broadcasting means that gradients must be summed back
    node.order = next_order()
    node.hooks = None  # {output index: functions}
    if extensions.note is not None:
        extensions.note(node)
    return node


class _Identity:
    """The op of a node through which a gradient passes unchanged."""

    name, outputs, arity, second_by_via, repeatable, joint = "identity", 1, None, False, False, False

    @staticmethod
    def vjp(gradient: Tensor, *_: Any) -> Sequence[Tensor]:
        """The gradient itself."""
        return (gradient,)


_IDENTITY = _Identity()


def _changed(op: str, which: str, shape: Iterable[int], version: int, now: int) -> RuntimeError:
    return RuntimeError(
        f"{op}: {which} of shape {tuple(shape)} that its gradient needs was changed by an in-place operation after "
        f"the forward pass (it is at version {now}; version {version} was expected): use the out-of-place form, or "
        "clone() it first"
    )


def _beside(tensor: Tensor) -> Tensor:
    """The same value with a node of its own: a gradient with respect to it is not also that of another input which was
    made from it, and goes on into its history when it is differentiated."""
    other = wrap(tensor._array, tensor._device, tensor._version)
    other._requires_grad = True
    other._node = new_node(_IDENTITY, {}, [source(tensor)], NOTHING)
    return other


def _through_composition(node: Node, gradients: list, inputs: list) -> list:
    """Gradients of a fused op for `create_graph=True`: those of the composition of plain ops that it stands for."""
    wanted = [i for i, edge in enumerate(node.edges) if edge is not None]
    inputs = [_beside(x) if i in wanted else x for i, x in enumerate(inputs)]
    results = node.op.via(*inputs, **node.attrs)
    results = results if isinstance(results, tuple) else (results,)
    pairs = [(r, g) for r, g in zip(results, gradients, strict=False) if g is not None and r._requires_grad]
    found = run([r for r, _ in pairs], [g for _, g in pairs], [inputs[i] for i in wanted], True, True)
    answer: list[Any] = [None] * len(inputs)
    for i, g in zip(wanted, found, strict=True):
        answer[i] = g
    return answer


def sum_to(gradient: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Undoes broadcasting: sums a gradient over the dimensions in which an input of `shape` was repeated."""
    if gradient.shape == shape:
        return gradient
    extra = len(gradient.shape) - len(shape)
    repeated = tuple(range(extra)) + tuple(
        i + extra for i, n in enumerate(shape) if n == 1 and gradient.shape[i + extra] != 1
    )
    return gradient.sum(repeated, keepdim=True).reshape(shape) if repeated else gradient.reshape(shape)


def source(tensor: Tensor) -> Any:
    """Where a tensor's gradient goes: its Node or Slot, or the tensor itself if it is a leaf."""
    return tensor._node or tensor


def _seed(root: Tensor, gradient: Tensor | None) -> Tensor:
    """The gradient to start from at a root."""
    if not root._requires_grad:
        raise RuntimeError(
            "backward: the tensor does not require gradients and was not computed from one that does; "
            "call requires_grad_() on a leaf before the forward pass"
        )
    if gradient is None:
        if root._array.size != 1:
            raise RuntimeError(
                f"backward: the gradient can be left out only for a tensor with one element, not for shape "
                f"{tuple(root.shape)}; pass gradient=, or reduce the loss with .mean() or .sum()"
            )
        return root._unit()
    if tuple(gradient.shape) != tuple(root.shape):
        raise RuntimeError(
            f"backward: the gradient has shape {tuple(gradient.shape)}, the tensor {tuple(root.shape)}; "
            "they must be the same"
        )
    return gradient


def _between(roots: list, targets: set) -> set:
    """The nodes on a path from the roots to the targets: only these need to be visited."""
    useful, seen = set(), set()
    stack = [(node, False) for node in roots]
    while stack:
        node, edges_done = stack.pop()
        if edges_done:
            if any(_leads_to(edge, useful, targets) for edge in node.edges if edge is not None):
                useful.add(node)
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            stack.extend((edge_key(edge)[0], False) for edge in node.edges if type(edge) in (Node, Slot))
    return useful


def _leads_to(edge: Any, useful: set, targets: set) -> bool:
    key = edge_key(edge)
    return key in targets or (type(key) is tuple and key[0] in useful)


def edge_key(edge: Any) -> Any:
    """A hashable name of an edge's end: (node, output index), or the id of a leaf tensor."""
    if type(edge) is Node:
        return edge, 0
    if type(edge) is Slot:
        return edge.node, edge.index
    return id(edge)


def run(roots: Sequence[Tensor], gradients: Sequence[Tensor | None], wanted: Sequence[Tensor] | None = None,
        retain_graph: bool = False, create_graph: bool = False) -> list[Tensor | None]:
    """Walks the graph back from `roots`. Leaves collect their gradient in `.grad`; or, if `wanted` tensors are
    given, nothing is stored and their gradients are returned (None where there is none); else an empty list."""
    pending: dict = {}  # Node -> list of gradients, one an output
    leaves: dict = {}  # id -> [leaf, gradient]
    captured: dict = {}
    targets: Any = None if wanted is None else {edge_key(source(t)) for t in wanted}
    heap: list[Node] = []
    parts = False  # whether a Part has come

    def deliver(edge: Any, gradient: Any) -> None:
        kind = type(edge)
        if kind is Node or kind is Slot:
            node, index = (edge, 0) if kind is Node else edge
            if useful is not None and node not in useful and (node, index) not in targets:
                return
            slots = pending.get(node)
            if slots is None:
                slots = pending[node] = [None] * node.op.outputs
                heapq.heappush(heap, node)
        elif targets is None or id(edge) in targets:
            slots, index = leaves.setdefault(id(edge), [edge, None]), 1
        else:
            return
        before = slots[index]
        slots[index] = gradient if before is None else before + gradient if not parts else _together(before, gradient)

    grad_before, mode.grad = mode.grad, create_graph
    autocast_before, mode.autocast = mode.autocast, None  # gradients have the types of what they belong to
    walking_before = mode.walking
    try:
        useful: Any = None
        if targets is not None:
            ends = [source(r) for r in roots]
            useful = _between([edge_key(e)[0] for e in ends if type(e) in (Node, Slot)], targets)
        mode.walking = roots, useful, targets
        for root, gradient in zip(roots, gradients, strict=True):
            deliver(source(root), _seed(root, gradient))
        while heap:
            node = heapq.heappop(heap)
            incoming = pending.pop(node)
            if parts:
                incoming = [each() if isinstance(each, Part) else each for each in incoming]
            if node.hooks:
                for index, functions in node.hooks.items():
                    if incoming[index] is not None:
                        incoming[index] = call_hooks(functions.values(), incoming[index])
            if targets is not None:
                for index, gradient in enumerate(incoming):
                    if (node, index) in targets:
                        captured[node, index] = gradient
                if node not in useful:
                    continue
            around = extensions.backward
            if node.op.joint and not create_graph and incoming[0] is not None and incoming[0]._device.joins:
                joint = _joint(node, pending, leaves, useful, targets)
                there = tuple(joint.onto)
                results = node.backward(incoming, joint) if around is None else around(node, incoming, joint)
                for i in there:
                    if i not in joint.onto:  # the formula has added its own to it
                        slots, index = _place(node.edges[i], pending, leaves)
                        slots[index] = None
                joint = slots = None
            else:
                results = node.backward(incoming) if around is None else around(node, incoming, None)
            shapes = node.shapes
            # The first input's comes last: it goes on through the graph, most often, and is then still in the caches.
            for i in range(min(len(node.edges), len(results)) - 1, -1, -1):
                edge, gradient = node.edges[i], results[i]
                if edge is None or gradient is None:
                    continue
                if targets is not None and not _leads_to(edge, useful, targets):
                    continue
                if not hasattr(gradient, "_array"):
                    if isinstance(gradient, Part):  # of an op that does not broadcast
                        parts = True
                        deliver(edge, gradient)
                        continue
                    gradient = gradient()
                if shapes is not None:
                    gradient = sum_to(gradient, shapes[i])
                deliver(edge, gradient)
            if not (retain_graph or create_graph):
                node.release()
        incoming = results = gradient = None  # so that a leaf can see that nobody else holds its gradient
        if parts:
            for entry in leaves.values():
                if isinstance(entry[1], Part):
                    entry[1] = entry[1]()
            entry = None
        if wanted is None:
            for key in list(leaves):
                leaf, gradient = leaves.pop(key)
                accumulate(leaf, gradient, create_graph)
            return []
        found: list[Tensor | None] = []
        for t in wanted:
            end = source(t)
            if end is t:
                entry = leaves.get(id(t))
                gradient = entry and entry[1]
                if gradient is not None and t._hooks:
                    gradient = call_hooks(t._hooks.values(), gradient)
            else:
                gradient = captured.get(edge_key(end))
            found.append(_shown(gradient) if gradient is not None else None)
        return found
    finally:
        mode.grad, mode.autocast, mode.walking = grad_before, autocast_before, walking_before


def _place(edge: Any, pending: dict, leaves: dict) -> tuple[list, int]:
    """The list and the index in it where what comes along an edge is added up; empty if nothing has come."""
    kind = type(edge)
    if kind is Node or kind is Slot:
        node, index = (edge, 0) if kind is Node else edge
        return pending.get(node, NOTHING), index
    return leaves.get(id(edge), NOTHING), 1


def _joint(node: Node, pending: dict, leaves: dict, useful: Any, targets: Any) -> Joint:
    """What is known to the walk when it comes to a node."""
    joint = Joint([edge is not None and (targets is None or _leads_to(edge, useful, targets)) for edge in node.edges],
                  {})
    if node.shapes is None:
        seen = set()
        for i, edge in enumerate(node.edges):
            if joint.wanted[i] and (key := edge_key(edge)) not in seen:
                seen.add(key)  # what has come is added to one of two inputs that are the same
                slots, index = _place(edge, pending, leaves)
                if slots and hasattr(slots[index], "_array"):
                    joint.onto[i] = slots[index]
    return joint


def _together(before: Any, gradient: Any) -> Any:
    """The sum of what has come and what comes, of which one may be a Part."""
    if isinstance(before, Part):
        return before.beside(gradient) if isinstance(gradient, Part) else before() + gradient
    return before + (gradient() if isinstance(gradient, Part) else gradient)


def _shown(gradient: Tensor) -> Tensor:
    """A gradient as user code may have it: the ones with which a backward pass began are kept for the next."""
    return gradient.clone() if gradient.is_unit else gradient


def call_hooks(functions: Iterable[Callable[[Tensor], Tensor | None]], gradient: Tensor) -> Tensor:
    gradient = _shown(gradient)
    for function in list(functions):
        replaced = function(gradient)
        if replaced is not None:
            gradient = replaced
    return gradient


def accumulate(leaf: Tensor, gradient: Tensor, create_graph: bool) -> None:
    """Adds a gradient to a leaf's, through its hooks."""
    if leaf._hooks:
        gradient = call_hooks(leaf._hooks.values(), gradient)
    if leaf.grad is None:
        leaf.grad = gradient if create_graph else _own(gradient, leaf)
    elif create_graph:
        leaf.grad = leaf.grad + gradient
    else:
        leaf.grad.add_(gradient)  # in place: what holds the gradient's memory (a recorded step) keeps seeing it
    if leaf._post_hooks:
        for function in list(leaf._post_hooks.values()):
            if function(leaf) is not None:
                raise RuntimeError("a hook of register_post_accumulate_grad_hook must return None; change the tensor's "
                                   "grad in place, or assign to it")


def _own(gradient: Tensor, leaf: Tensor) -> Tensor:
    """The gradient as a tensor whose memory is its alone: itself if nobody else can see it, else a copy. It lies in
    memory in the order in which the leaf does.

    One gradient may have reached two leaves, or be a view, or a value that a node or the user holds.
    """
    recorded = 0 if extensions.recorder is None else extensions.recorder.references(gradient._array)
    alone = (sys.getrefcount(gradient) <= _ALONE and sys.getrefcount(gradient._version) == _ATTRIBUTE_ALONE
             and sys.getrefcount(gradient._array) == _ATTRIBUTE_ALONE + recorded
             and (gradient._array.flags.c_contiguous and leaf._array.ndim < 4 or _lie_alike(gradient, leaf)))
    if alone:
        return gradient.detach()
    return gradient.detach().clone(memory_format=None if leaf._array.ndim < 4 else format_of(leaf._array))


def _lie_alike(gradient: Tensor, leaf: Tensor) -> bool:
    return order_of(gradient._array) == (order_of(leaf._array) or "rows")


def _counts() -> tuple[int, int]:
    """The reference counts that `_own` sees for a gradient that nobody else holds, and for its attributes. They depend
    on the interpreter's version, so they are measured, through the same calls: run(), accumulate(), _own()."""

    class Gradient:
        def __init__(self) -> None:
            self.attribute = []

    def own(gradient: Any, leaf: Any) -> tuple[int, int]:
        return sys.getrefcount(gradient), sys.getrefcount(gradient.attribute)

    def accumulate(leaf: Any, gradient: Any) -> tuple[int, int]:
        return own(gradient, leaf)

    def run() -> tuple[int, int]:
        leaf, gradient = [None, Gradient()]
        return accumulate(leaf, gradient)

    return run()


_ALONE, _ATTRIBUTE_ALONE = _counts()
