"""Recurrent layers against PyTorch's: outputs, states, gradients of both orders; packed sequences."""

import numpy as np
import pytest

import gpunet
from gpunet import nn

torch = pytest.importorskip("torch")

LAYERS = [("RNN", {}), ("RNN", {"nonlinearity": "relu", "bias": False}), ("LSTM", {}), ("GRU", {}),
          ("LSTM", {"num_layers": 2, "bidirectional": True}), ("GRU", {"num_layers": 2, "bidirectional": True}),
          ("RNN", {"bidirectional": True, "batch_first": True}), ("LSTM", {"proj_size": 2, "bidirectional": True}),
          ("GRU", {"bias": False, "batch_first": True}), ("LSTM", {"num_layers": 3, "batch_first": True})]


def pair(name, options, *sizes, dtype="float64"):
    """The layer of each library, with the same weights."""
    torch.manual_seed(0)
    theirs = getattr(torch.nn, name)(*sizes, **options, dtype=getattr(torch, dtype))
    ours = getattr(nn, name)(*sizes, **options, dtype=getattr(gpunet, dtype))
    state = {k: v.detach().numpy() for k, v in theirs.state_dict().items()}
    assert {k: tuple(v.shape) for k, v in ours.state_dict().items()} == {k: v.shape for k, v in state.items()}
    ours.load_state_dict({k: gpunet.tensor(v) for k, v in state.items()})
    assert repr(ours) == repr(theirs)
    return ours, theirs


def both(*shape, seed=0):
    array = np.random.default_rng(seed).standard_normal(shape)
    return gpunet.tensor(array, requires_grad=True), torch.tensor(array, requires_grad=True)


def flatten(value):
    return [t for v in value for t in flatten(v)] if isinstance(value, tuple) else [value]


def check(ours, theirs, rtol=1e-9):
    for a, b in zip(flatten(ours), flatten(theirs), strict=True):
        assert tuple(a.shape) == tuple(b.shape)
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol, 1e-11)


def loss(outputs):
    """A number that depends on every output, and not linearly."""
    return sum((y * y * y).sum() for y in flatten(outputs))


def check_gradients(ours, theirs, inputs):
    """Gradients of both orders of `loss`, for the inputs and the weights."""
    (layer_a, out_a), (layer_b, out_b) = ours, theirs
    xs_a, xs_b = [*(a for a, _ in inputs), *layer_a.parameters()], [*(b for _, b in inputs), *layer_b.parameters()]
    first_a = gpunet.autograd.grad(loss(out_a), xs_a, create_graph=True)
    first_b = torch.autograd.grad(loss(out_b), xs_b, create_graph=True)
    check(first_a, first_b)
    check(gpunet.autograd.grad(loss(first_a), xs_a), torch.autograd.grad(loss(first_b), xs_b), 1e-8)


@pytest.mark.parametrize("name, options", LAYERS)
def test_layer(name, options):
    ours, theirs = pair(name, options, 3, 4)
    inputs = [both(5, 2, 3)]
    a, b = ours(inputs[0][0]), theirs(inputs[0][1])
    check(a, b)
    check_gradients((ours, a), (theirs, b), inputs)


@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
def test_initial_state_and_no_batch(name):
    ours, theirs = pair(name, {"num_layers": 2}, 3, 4)
    for shape, state in [((5, 2, 3), (2, 2, 4)), ((5, 3), (2, 4))]:
        inputs = [both(*shape), *(both(*state, seed=1 + i) for i in range(1 + (name == "LSTM")))]
        (x_a, *h_a), (x_b, *h_b) = zip(*inputs, strict=True)
        a = ours(x_a, tuple(h_a) if name == "LSTM" else h_a[0])
        b = theirs(x_b, tuple(h_b) if name == "LSTM" else h_b[0])
        check(a, b)
        check_gradients((ours, a), (theirs, b), inputs)


@pytest.mark.parametrize("name, options", [(n, o | {"bidirectional": True}) for n in ("RNN", "LSTM", "GRU")
                                           for o in ({}, {"num_layers": 2, "batch_first": True})])
@pytest.mark.parametrize("lengths", [[5, 3, 1], [2, 5, 4]])
def test_packed(name, options, lengths):
    ours, theirs = pair(name, options, 3, 4)
    x, y = both(5, 3, 3)
    in_order = lengths == sorted(lengths, reverse=True)
    a = nn.utils.rnn.pack_padded_sequence(x, lengths, enforce_sorted=in_order)
    b = torch.nn.utils.rnn.pack_padded_sequence(y, torch.tensor(lengths), enforce_sorted=in_order)
    check(a.data, b.data)
    assert a.batch_sizes.tolist() == b.batch_sizes.tolist()
    (out_a, state_a), (out_b, state_b) = ours(a), theirs(b)
    check(out_a.data, out_b.data)
    check(state_a, state_b)
    padded_a = nn.utils.rnn.pad_packed_sequence(out_a, padding_value=0.5, total_length=6)
    padded_b = torch.nn.utils.rnn.pad_packed_sequence(out_b, padding_value=0.5, total_length=6)
    check(padded_a, padded_b)
    check_gradients((ours, (padded_a[0], state_a)), (theirs, (padded_b[0], state_b)), [(x, y)])


@pytest.mark.parametrize("name", ["RNNCell", "LSTMCell", "GRUCell"])
@pytest.mark.parametrize("batch", [(), (2,)])
def test_cell(name, batch):
    ours, theirs = pair(name, {}, 3, 4)
    x, y = both(*batch, 3)
    check(ours(x), theirs(y))
    inputs = [(x, y), *(both(*batch, 4, seed=1 + i) for i in range(1 + (name == "LSTMCell")))]
    (_, *h_a), (_, *h_b) = zip(*inputs, strict=True)
    a = ours(x, tuple(h_a) if len(h_a) == 2 else h_a[0])
    b = theirs(y, tuple(h_b) if len(h_b) == 2 else h_b[0])
    check(a, b)
    check_gradients((ours, a), (theirs, b), inputs)


def test_dropout_stands_between_layers():
    gpunet.manual_seed(0)
    layer, x = nn.LSTM(3, 4, 2, dropout=0.5), gpunet.randn(5, 2, 3)
    assert not gpunet.equal(layer(x)[0], layer(x)[0])
    layer.eval()
    assert gpunet.equal(layer(x)[0], layer(x)[0])
    with pytest.warns(UserWarning, match="num_layers=1"):
        nn.GRU(3, 4, dropout=0.5)


def test_sequences_of_different_lengths():
    parts = [np.arange(n * 2.0).reshape(n, 2) for n in (2, 4, 1)]
    ours, theirs = [gpunet.tensor(p) for p in parts], [torch.tensor(p) for p in parts]
    for options in ({}, {"batch_first": True, "padding_value": -1.0}, {"padding_side": "left"}):
        check(nn.utils.rnn.pad_sequence(ours, **options), torch.nn.utils.rnn.pad_sequence(theirs, **options))
    a = nn.utils.rnn.pack_sequence(ours, enforce_sorted=False)
    b = torch.nn.utils.rnn.pack_sequence(theirs, enforce_sorted=False)
    check(a.data, b.data)
    assert a.sorted_indices.tolist() == b.sorted_indices.tolist()
    for one, part in zip(nn.utils.rnn.unpack_sequence(a), parts, strict=True):
        np.testing.assert_array_equal(one.numpy(), part)


@pytest.mark.parametrize("call, error, words", [
    (lambda: nn.LSTM(3, 4)(gpunet.ones(5, 2, 4)), RuntimeError, r"LSTM: expected 3 features.*\(5, 2, 4\)"),
    (lambda: nn.LSTM(3, 4)(gpunet.ones(5, 2, 3), (gpunet.ones(1, 3, 4), gpunet.ones(1, 2, 4))), RuntimeError,
     r"initial hidden state of shape \(1, 2, 4\), got \(1, 3, 4\)"),
    (lambda: nn.GRU(3, 4)(gpunet.ones(0, 2, 3)), RuntimeError, "at least one time step"),
    (lambda: nn.RNN(3, 4, nonlinearity="selu"), ValueError, "'tanh' or 'relu'"),
    (lambda: nn.GRU(0, 4), ValueError, "input_size must be greater than zero"),
    (lambda: nn.LSTM(3, 4, proj_size=4), ValueError, "proj_size must be smaller"),
    (lambda: nn.utils.rnn.pack_padded_sequence(gpunet.ones(3, 2, 1), [1, 3]), RuntimeError, "decreasing order"),
    (lambda: nn.utils.rnn.pack_padded_sequence(gpunet.ones(3, 2, 1), [4, 3]), RuntimeError, "more than the input's 3"),
    (lambda: nn.LSTMCell(3, 4)(gpunet.ones(2, 5)), RuntimeError, r"\(batch, 3\).*got \(2, 5\)"),
    (lambda: nn.GRUCell(3, 4)(gpunet.ones(1, 2, 3)), ValueError, r"\(batch, 3\).*got \(1, 2, 3\)"),
    (lambda: nn.GRUCell(3, 4)(gpunet.ones(2, 3), gpunet.ones(2, 5)), RuntimeError, "expected a state of shape"),
])
def test_errors(call, error, words):
    with pytest.raises(error, match=words):
        call()
