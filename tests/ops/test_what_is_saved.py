"""Memory: an output or input that PyTorch lets you change after the forward pass can be changed here, and the gradients
are the same; and a result shares memory with an input only where PyTorch's does."""

from __future__ import annotations

import re
import warnings

import pytest

import gpunet
from tests.cases import CASES
from tests.oracle import Ours, Torch, check_equal, cotangents, float_results, results

torch = pytest.importorskip("torch")
OURS, THEIRS = Ours(), Torch()
ROWS = {c.text: c for c in CASES if c.torch and all(0 not in i.shape for i in c.inputs.values())}

# (rows, what may be changed in PyTorch and not here, why)
EXCEPT = [(re.compile(rows), change, why) for rows, change, why in [
    (r"scaled_dot_product_attention\(.*", "input k", "PyTorch keeps the key of batches of heads"),
    (r"(x\.)?kron\(.*", "input [xy]", "PyTorch does not notice the change, and its gradient is wrong"),
    (r"x\.unfold\(.*|as_strided\(x, \(3, 3\).*", "output 0",
     "the elements overlap: what they hold afterwards is not defined"),
    (r"nn\.functional\.instance_norm\(.*", "input w", "PyTorch repeats the weight for every image"),
]]


@pytest.fixture(autouse=True)
def no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def gradients_after_a_change(library, case, name: str | None, k: int):
    """The gradients of a row whose input of this name, or whose output k, is doubled in place before the backward pass;
    None where the library refuses."""
    leaves = case.tensors(library, "float64", grad=True)
    tensors = {n: t * 1 if t.requires_grad else t for n, t in leaves.items()}
    outputs = [y for y in float_results(library, case(library, tensors)) if y.requires_grad]
    vectors = cotangents(library, outputs)
    wanted = [t for t in leaves.values() if t.requires_grad]
    try:
        (outputs[k] if name is None else tensors[name]).mul_(2)
        return [g if g is None else library.array(g) for g in library.grad(outputs, wanted, vectors)]
    except RuntimeError:
        return None


def changes(case):
    """What may be changed, (name, 0) for an input and (None, k) for output k; and the ops of the row."""
    tensors = case.tensors(OURS, "float64", grad=True)
    outputs = [y for y in float_results(OURS, case(OURS, tensors)) if y.requires_grad]
    ops, stack = set(), [y._node for y in outputs]
    while stack:
        node = stack.pop()
        node = getattr(node, "node", node)
        if hasattr(node, "edges"):
            ops.add(node.op.name)
            stack += node.edges
    return [*[(n, 0) for n, t in tensors.items() if t.requires_grad], *[(None, k) for k in range(len(outputs))]], ops


def difference(case, name, k):
    """What differs after a change that PyTorch allows, else None."""
    expected = gradients_after_a_change(THEIRS, case, name, k)
    if expected is None:
        return None
    found = gradients_after_a_change(OURS, case, name, k)
    if found is None:
        return "refused, not so in PyTorch"
    try:
        for a, e in zip(found, expected, strict=True):
            if a is not None and e is not None:
                check_equal(a, e, (1e-9, 1e-9))
    except AssertionError as error:
        return f"another gradient: {error}"


def test_what_may_be_changed_before_the_backward_pass():
    wrong, seen = [], set()
    for text, case in ROWS.items():
        if not case.differentiable:
            continue
        places, ops = changes(case)
        alike = re.split(r"\(", text)[0], tuple(sorted(ops)), len(places)  # rows that differ in their numbers only
        if alike in seen:
            continue
        seen.add(alike)
        for name, k in places:
            what = f"input {name}" if name else f"output {k}"
            if any(rows.fullmatch(text) and re.fullmatch(change, what) for rows, change, _ in EXCEPT):
                continue
            if d := difference(case, name, k):
                wrong.append(f"{text} after a change of {what}: {d}")
    assert not wrong, "\n".join(wrong)


def ours_shares(a, b) -> bool:
    def owner(array):
        return array if array.base is None else owner(array.base)

    return owner(a._array) is owner(b._array)


def theirs_shares(a, b) -> bool:
    return a.untyped_storage().data_ptr() == b.untyped_storage().data_ptr()


def shared(library, case, shares) -> list:
    """The pairs of an input and a result that share memory."""
    tensors = {name: t.clone() for name, t in case.tensors(library, case.dtypes[0]).items()}
    answers = [y for y in results(case(library, tensors)) if hasattr(y, "dtype")]
    return [(name, k) for name, t in tensors.items() for k, y in enumerate(answers) if shares(t, y)]


def test_results_share_memory_with_inputs_where_those_of_pytorch_do():
    differing = [text for text, case in ROWS.items() if shared(OURS, case, ours_shares)
                 != shared(THEIRS, case, theirs_shares)]
    assert not differing


@pytest.mark.parametrize("options", [{}, {"num_layers": 2}, {"bidirectional": True, "batch_first": True}], ids=str)
@pytest.mark.parametrize("layer", ["RNN", "LSTM", "GRU"])
def test_the_output_of_a_recurrent_layer_may_be_changed(layer, options):
    rnn = getattr(gpunet.nn, layer)(3, 2, **options).double()
    x = gpunet.randn(4, 2, 3, dtype=gpunet.float64, requires_grad=True)

    def gradients(change):
        y, state = rnn(x)
        before = y * 1
        last = [t.clone() for t in (state if isinstance(state, tuple) else (state,))]
        if change:
            y.mul_(2)
        for now, then in zip(state if isinstance(state, tuple) else (state,), last, strict=True):
            assert gpunet.equal(now, then)  # the states are no part of the output
        loss = (y / 2 if change else before).sum() + last[0].sum()
        first = gpunet.autograd.grad(loss, [x, *rnn.parameters()], create_graph=True)
        return [*first, *gpunet.autograd.grad(sum((g * g).sum() for g in first), [x, *rnn.parameters()])]

    for changed, plain in zip(gradients(True), gradients(False), strict=True):
        check_equal(OURS.array(changed), OURS.array(plain), (1e-12, 1e-12))


def test_pooling_before_an_operation_in_place():
    """A network as it is often written, on a leaf whose gradient PyTorch computes too."""
    grads = []
    for nn, x in (gpunet.nn, gpunet.arange(64.0)), (torch.nn, torch.arange(64.0)):
        x = x.reshape(1, 1, 8, 8).cos().requires_grad_()
        net = nn.Sequential(nn.MaxPool2d(2), nn.ReLU(inplace=True), nn.AdaptiveMaxPool2d(3), nn.Hardtanh(inplace=True))
        net(x).sum().backward()
        grads.append(x.grad.numpy())
    assert (grads[0] == grads[1]).all()
