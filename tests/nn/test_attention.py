"""Attention and Transformer layers against PyTorch's: values, gradients, masks; states load both ways."""

import numpy as np
import pytest

import gpunet
from gpunet import nn

torch = pytest.importorskip("torch")


def pair(name, *sizes, **options):
    """The layer of each library, with the same weights, biases included."""
    torch.manual_seed(0)
    theirs = getattr(torch.nn, name)(*sizes, **options, dtype=torch.float64)
    for p in theirs.parameters():
        torch.nn.init.normal_(p, 0, 0.3)
    ours = getattr(nn, name)(*sizes, **options, dtype=gpunet.float64)
    state = {k: v.numpy() for k, v in theirs.state_dict().items()}
    assert {k: tuple(v.shape) for k, v in ours.state_dict().items()} == {k: v.shape for k, v in state.items()}
    ours.load_state_dict({k: gpunet.tensor(v) for k, v in state.items()})
    return ours, theirs


def tensors(*shapes, seed=0):
    """The same numbers for both libraries."""
    rng = np.random.default_rng(seed)
    arrays = [rng.standard_normal(shape) for shape in shapes]
    return ([gpunet.tensor(a, requires_grad=True) for a in arrays],
            [torch.tensor(a, requires_grad=True) for a in arrays])


def masks(**given):
    return ({k: gpunet.tensor(v) if isinstance(v, np.ndarray) else v for k, v in given.items()},
            {k: torch.tensor(v) if isinstance(v, np.ndarray) else v for k, v in given.items()})


def check(layers, inputs, options):
    """Values and gradients of a weighted sum of the outputs."""
    outputs = [layer(*xs, **o) for layer, xs, o in zip(layers, inputs, options, strict=True)]
    ours, theirs = [[y for y in (o if isinstance(o, tuple) else (o,)) if y is not None] for o in outputs]
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), 1e-9, 1e-10)
    sum((y * y * y).sum() for y in ours).backward()
    sum((y * y * y).sum() for y in theirs).backward()
    grads = [[*xs, *layer.parameters()] for layer, xs in zip(layers, inputs, strict=True)]
    for a, b in zip(*grads, strict=True):
        assert (a.grad is None) == (b.grad is None)
        if a.grad is not None:
            np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), 1e-8, 1e-9)


CAUSAL = np.triu(np.ones((3, 5), dtype=bool), 2)
PADDING = np.array([[False] * 5, [False, False, False, True, True]])


@pytest.mark.parametrize("options, call", [
    ({}, {}), ({"bias": False}, {"need_weights": False}), ({"batch_first": True}, {"average_attn_weights": False}),
    ({"kdim": 6, "vdim": 2}, {}), ({"add_bias_kv": True, "add_zero_attn": True}, {"attn_mask": CAUSAL}),
    ({}, {"attn_mask": CAUSAL, "key_padding_mask": PADDING}), ({}, {"attn_mask": CAUSAL * -2.5, "need_weights": False}),
    ({}, {"attn_mask": np.broadcast_to(CAUSAL, (4, 3, 5)).copy(), "key_padding_mask": PADDING * -1.5}),
    ({"batch_first": True}, {"key_padding_mask": PADDING, "need_weights": False}),
])
@pytest.mark.filterwarnings("ignore:Support for mismatched key_padding_mask")  # PyTorch
def test_multihead_attention(options, call):
    layers = pair("MultiheadAttention", 4, 2, **options)
    k, v = options.get("kdim", 4), options.get("vdim", 4)
    shapes = [(3, 2, 4), (5, 2, k), (5, 2, v)]
    if options.get("batch_first"):
        shapes = [(s[1], s[0], s[2]) for s in shapes]
    check(layers, tensors(*shapes), masks(**call))


def test_attention_to_itself_and_without_a_batch():
    layers = pair("MultiheadAttention", 6, 3)
    xs, ys = tensors((4, 6))
    check(layers, ([xs[0]] * 3, [ys[0]] * 3), masks())
    check(layers, tensors((3, 6), (5, 6), (5, 6)), masks(attn_mask=CAUSAL))


@pytest.mark.parametrize("name, shapes", [("TransformerEncoderLayer", [(3, 2, 4)]),
                                          ("TransformerDecoderLayer", [(3, 2, 4), (5, 2, 4)])])
@pytest.mark.parametrize("options", [{}, {"norm_first": True, "activation": "gelu"}, {"bias": False},
                                     {"batch_first": True}])
def test_layers(name, shapes, options):
    layers = pair(name, 4, 2, 7, 0.0, **options)
    if options.get("batch_first"):
        shapes = [(batch, length, features) for length, batch, features in shapes]
    mask = np.triu(np.ones((3, 3), dtype=bool), 1)
    check(layers, tensors(*shapes), masks())
    check(layers, tensors(*shapes), masks(**{"src_mask" if "Encoder" in name else "tgt_mask": mask}))


@pytest.mark.filterwarnings("ignore:enable_nested_tensor is True")  # PyTorch
def test_transformer():
    layers = pair("Transformer", 4, 2, 2, 2, 7, 0.0)
    mask = torch.nn.Transformer.generate_square_subsequent_mask(3).numpy()
    np.testing.assert_array_equal(nn.Transformer.generate_square_subsequent_mask(3).numpy(), mask)
    check(layers, tensors((5, 2, 4), (3, 2, 4)),
          masks(tgt_mask=mask.astype(float), tgt_is_causal=True, src_key_padding_mask=PADDING * -9.0,
                memory_key_padding_mask=PADDING * -9.0))


def test_copies_of_a_layer_are_their_own():
    encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 7), 2)
    assert len({id(p) for p in encoder.parameters()}) == 2 * 12


@pytest.mark.parametrize("call, error, words", [
    (lambda: nn.MultiheadAttention(5, 2), ValueError, "5 must be divisible by num_heads 2"),
    (lambda: nn.MultiheadAttention(4, 2)(*[gpunet.ones(3, 2, 5)] * 3), RuntimeError, r"expected 4, 4 and 4 features"),
    (lambda: nn.MultiheadAttention(4, 2)(*[gpunet.ones(3, 2, 4)] * 3, attn_mask=gpunet.ones(2, 3)), RuntimeError,
     r"attn_mask of shape \(3, 3\) or \(4, 3, 3\), got \(2, 3\)"),
    (lambda: nn.TransformerEncoderLayer(4, 2, activation="selu"), RuntimeError, "'relu', 'gelu' or a function"),
    (lambda: nn.Transformer(4, 2, 1, 1, 7)(gpunet.ones(3, 2, 4), gpunet.ones(3, 1, 4)), RuntimeError, "same batch"),
    (lambda: nn.functional.scaled_dot_product_attention(*[gpunet.ones(3, 4)] * 3, gpunet.ones(3, 3), is_causal=True),
     RuntimeError, "either attn_mask or is_causal"),
    (lambda: nn.functional.scaled_dot_product_attention(gpunet.ones(3, 4), gpunet.ones(3, 5), gpunet.ones(3, 4)),
     RuntimeError, r"same features.*\(3, 4\), \(3, 5\)"),
])
def test_errors(call, error, words):
    with pytest.raises(error, match=words):
        call()
