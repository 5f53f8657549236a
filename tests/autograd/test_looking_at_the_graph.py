"""What programs that look at the graph find: PyTorch's names of nodes, edges, hooks of several tensors."""

import re

import pytest

import gpunet

OPERATIONS = """
x + 1, x - 1, x * 2, x / 2, 2 / x, x ** 2, -x, x.exp(), x.log(), x.tanh(), x.relu(), x.sqrt(), x.log1p(), x.clamp(0, 1)
x.sum(), x.sum(1), x.mean(), x.mean(1), x.max(), x.amax(1), x.prod(), x.cumsum(0), x.norm(), x.median()
x @ x, L.bmm(x[None], x[None])
x.view(4), x.transpose(0, 1), x.unsqueeze(0), x.expand(3, 2, 2), x[0], x[:, 1:], x[None], x[L.tensor([0])], x.flip(0)
x.gather(0, L.zeros(1, 2, dtype=L.int64)), x.index_select(0, L.tensor([0])), x.unfold(0, 1, 1), x.diagonal(), x.triu()
L.cat([x, x]), L.where(x > 0, x, x), L.maximum(x, x), x.softmax(0), x.log_softmax(0), x.double(), x.clone(), x.sigmoid()
F.linear(x, x, x[0]), F.cross_entropy(x, L.tensor([0, 1])), F.pad(x, (1, 1)), F.gelu(x), F.leaky_relu(x), F.silu(x)
F.conv2d(x[None, None], x[None, None]), F.max_pool2d(x[None, None], 2), F.avg_pool2d(x[None, None], 2)
(x * 1).mul_(2), (x * 1).relu_(), F.unfold(x[None, None], 2), L.topk(x, 1)[0] * 1
""".strip().splitlines()


@pytest.fixture(params=["gpunet", "torch"])
def library(request):
    return pytest.importorskip(request.param)


@pytest.mark.parametrize("operations", OPERATIONS)
@pytest.mark.needs("torch")
def test_nodes_are_called_as_pytorchs(operations):
    import torch

    names = []
    for library in (gpunet, torch):
        x = library.rand(2, 2, requires_grad=True)
        made = eval(operations, {"L": library, "F": library.nn.functional, "x": x})
        made = made if isinstance(made, tuple) else (made,)
        names.append([y.grad_fn.name() for y in made])
        assert all(f"grad_fn=<{y.grad_fn.name()}>" in repr(y) for y in made)
        assert all(re.fullmatch(rf"<{y.grad_fn.name()} object at 0x[0-9a-f]+>", repr(y.grad_fn)) for y in made)
    assert names[0] == names[1]


def test_the_graph_can_be_walked(library):
    """The idiom of programs that draw a graph: edges, and the leaves at their ends."""
    x, w = library.ones(2, requires_grad=True), library.ones(2, requires_grad=True)
    found, todo = [], [((x * w + x).sum().grad_fn, 0)]
    while todo:
        node, index = todo.pop(0)
        found.append((node.name(), index, getattr(node, "variable", None)))
        todo += [(edge, i) for edge, i in node.next_functions if edge is not None]
    assert [name for name, _, leaf in found if leaf is None] == ["SumBackward0", "AddBackward0", "MulBackward0"]
    leaves = [leaf for _, _, leaf in found if leaf is not None]
    assert sorted(map(id, leaves)) == sorted([id(x), id(x), id(w)])
    assert len({edge for edge, _ in (x * x).grad_fn.next_functions}) == 1
    assert (x * library.ones(2)).grad_fn.next_functions[1] == (None, 0)


@pytest.mark.parametrize("mode", ["all", "any"])
def test_hooks_of_several_tensors(library, mode):
    a, b, c = [library.ones(1, requires_grad=True) for _ in range(3)]
    h, calls = a * b, []
    handle = library.autograd.graph.register_multi_grad_hook([a, b, c, h], calls.append, mode=mode)

    def called():
        found = [[g and g.tolist() for g in call] if mode == "all" else call.tolist() for call in calls]
        calls.clear()
        return found

    every = [[[2.0], [1.0], None, [1.0]]] if mode == "all" else [[1.0]]
    for _ in range(2):
        (h + a).sum().backward(retain_graph=True)
        assert called() == every
    (h + a).sum().backward(retain_graph=True, inputs=[b])
    assert called() == ([[None, [1.0], None, [1.0]]] if mode == "all" else [[1.0]])
    (c * 2).sum().backward()
    assert called() == ([[None, None, [2.0], None]] if mode == "all" else [[2.0]])
    handle.remove()
    (h + c).sum().backward()
    assert called() == []
    with pytest.raises(ValueError, match="mode"):
        library.autograd.graph.register_multi_grad_hook([a], calls.append, mode="some")
