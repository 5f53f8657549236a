"""Layers computed together with what follows them: which are, and that the results are those of the layers alone."""

import numpy as np
import pytest

import gpunet
import gpunet.nn.functional as F
from gpunet import nn
from gpunet.models.bert import BERT
from gpunet.models.gpt2 import GPT2
from gpunet.models.resnet import BasicBlock, Bottleneck
from gpunet.nn.joined import normalized
from tests.recorded import ops_called


def one_by_one(modules, x):
    for module in modules:
        x = module(x)
    return x


def same(found, expected):
    """The same bits on the GPU's kernels; on the CPU a batch norm is folded into the weight."""
    found, expected = found.detach(), expected.detach()
    if found.device.type == "cpu":
        np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=1e-5, atol=1e-6)
    else:
        assert (found == expected).all()


ACTIVATIONS = [(nn.ReLU(), "relu"), (nn.GELU(), "gelu"), (nn.GELU("tanh"), "gelu_tanh"), (nn.SiLU(), "silu")]


@pytest.mark.parametrize("activation, name", ACTIVATIONS, ids=[name for _, name in ACTIVATIONS])
def test_a_linear_layer_and_its_activation(device, activation, name):
    """One op; where gradients are recorded, GELU and SiLU only where a kernel keeps what is before them."""
    gpunet.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 8), activation, nn.Linear(8, 3)).to(device)
    x, results = gpunet.randn(2, 5, 6, device=device), []
    for run in (model, lambda x: one_by_one(model, x)):
        leaf = x.clone().requires_grad_()
        y = run(leaf)
        y.square().sum().backward()
        results.append([y, leaf.grad, *[p.grad for p in model.parameters()]])
        model.zero_grad()
    for found, expected in zip(*results, strict=True):
        same(found, expected)
    training = "linear_relu" if name == "relu" else "linear" if device == "cpu" else "linear_kept"
    assert ops_called(lambda: model(x))[0] == training
    with gpunet.no_grad():
        called = ops_called(lambda: model(x))
        same(model(x), one_by_one(model, x))
    assert called == ["linear_relu" if name == "relu" else "linear_epilogue", "linear"]


@pytest.mark.parametrize("activation, name", ACTIVATIONS[1:], ids=[name for _, name in ACTIVATIONS[1:]])
def test_a_convolution_its_norm_and_its_activation(device, activation, name):
    model = nn.Sequential(nn.Conv2d(3, 6, 3), activation, nn.Conv2d(6, 6, 3, groups=6), nn.BatchNorm2d(6), activation)
    model[3].running_mean.normal_()
    model = model.to(device).eval()
    x = gpunet.randn(2, 3, 8, 9, device=device)
    assert ops_called(lambda: model(x))[:2] == ["conv", name]  # gradients are recorded
    with gpunet.no_grad():
        assert ops_called(lambda: model(x)) == ["conv_epilogue"] * 2
        same(model(x), one_by_one(model, x))


def test_what_prevents_it():
    class Own(nn.GELU):
        pass

    hooked, x = nn.GELU(), gpunet.randn(2, 3)
    hooked.register_forward_hook(lambda *_: None)
    with gpunet.no_grad():
        for activation in (hooked, Own(), nn.Tanh(), nn.Mish()):
            model = nn.Sequential(nn.Linear(3, 2), activation)
            assert ops_called(lambda each=model: each(x))[0] == "linear"
        with pytest.raises(RuntimeError, match="approximate"):
            nn.Sequential(nn.Linear(3, 2), nn.GELU("other"))(x)


@pytest.mark.parametrize("norm_first", [False, True])
def test_the_feed_forward_part_of_a_transformer(device, norm_first):
    gpunet.manual_seed(0)
    layer = nn.TransformerEncoderLayer(8, 2, 12, 0.1, F.gelu, batch_first=True, norm_first=norm_first).to(device)
    x = gpunet.randn(2, 4, 8, device=device)
    assert "linear_epilogue" not in ops_called(lambda: layer(x))  # dropout is between
    layer.eval()
    with gpunet.no_grad():
        assert ops_called(lambda: layer(x)).count("linear_epilogue") == 2
        attended = layer._residual(1, x, lambda y: layer.self_attn(y, y, y, need_weights=False)[0])
        inner = layer.norm2(attended) if norm_first else attended
        expected = attended + layer.linear2(F.gelu(layer.linear1(inner)))
        same(layer(x), expected if norm_first else layer.norm2(expected))


def test_residuals_keep_their_type_in_mixed_precision():
    layer, x = nn.TransformerEncoderLayer(8, 2, 12, 0.0, batch_first=True).eval(), gpunet.randn(2, 4, 8)
    plain = layer(x)
    with gpunet.autocast("cpu", dtype=gpunet.bfloat16):
        assert layer(x).dtype == gpunet.float32
    with gpunet.no_grad():
        same(layer(x), plain)


@pytest.mark.parametrize("block, planes, downsample", [(BasicBlock, 8, False), (Bottleneck, 2, True)])
def test_residual_blocks(device, block, planes, downsample):
    gpunet.manual_seed(0)
    around = nn.Sequential(nn.Conv2d(8, 8, 1, bias=False), nn.BatchNorm2d(8)) if downsample else None
    model = block(8, planes, downsample=around).to(device)
    x = gpunet.randn(2, 8, 6, 6, device=device)
    model(x)  # moves the running statistics
    model.eval()
    expected = model(x)  # gradients are recorded: one by one
    with gpunet.no_grad():
        assert set(ops_called(lambda: model(x))) == {"conv_epilogue"}
        found = model(x)
    same(found, expected)


@pytest.mark.parametrize("model, joined", [
    (lambda: GPT2(11, 8, 16, 1, 2), 1), (lambda: BERT(11, 16, 1, 2, 32), 3)], ids=["GPT2", "BERT"])
def test_language_models(device, model, joined):
    gpunet.manual_seed(0)
    model, tokens = model().to(device).eval(), gpunet.tensor([[1, 2, 3, 4]], device=device)
    expected = model(tokens)
    with gpunet.no_grad():
        assert ops_called(lambda: model(tokens)).count("linear_epilogue") == joined
        found = model(tokens)
    for one, other in zip(*(each if isinstance(each, tuple) else (each,) for each in (found, expected)), strict=True):
        same(one, other)


def one_by_one_in_training(norm, x, around):
    y = norm(x)
    return F.relu(y if around is None else y + around)


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("last", [False, True])
def test_a_batch_norm_in_training(device, last, residual):
    """One op on a GPU, with a residual and ReLU: the same results, first and second gradients, running statistics."""
    gpunet.manual_seed(0)
    conv, results = nn.Conv2d(3, 6, 3).to(device), []
    image, around = gpunet.randn(4, 3, 7, 8, device=device), gpunet.randn(4, 6, 5, 6, device=device)
    if last:
        image, around = (each.to(memory_format=gpunet.channels_last) for each in (image, around))
    for joins in (True, False):
        norm, x, r = nn.BatchNorm2d(6).to(device), image.clone().requires_grad_(), around.clone().requires_grad_()
        given = r if residual else None

        def run(norm=norm, x=x, given=given, joins=joins):
            if joins:
                return normalized(conv, norm, x, nn.ReLU(inplace=True), given)
            return one_by_one_in_training(norm, conv(x), given)

        y = run()
        leaves = [x, norm.weight, norm.bias, conv.weight, *([r] if residual else [])]
        first = gpunet.autograd.grad(y.square().sum(), leaves)
        moved = [each.clone() for each in norm.buffers()]
        again = gpunet.autograd.grad(run().square().sum(), leaves, create_graph=True)
        second = gpunet.autograd.grad(sum([each.square().sum() for each in again]), leaves)
        results.append([y, *first, *moved, *second])
        if joins:
            assert ("normalize_relu_moving" in ops_called(run)) == (device != "cpu")
            assert str(y.grad_fn).startswith("<ReluBackward0")
    for i, (found, expected) in enumerate(zip(*results, strict=True)):
        if i >= len(results[0]) - 4 - residual or device == "cpu":  # the plain operations are others
            np.testing.assert_allclose(found.detach().cpu().numpy(), expected.detach().cpu().numpy(), rtol=2e-3,
                                       atol=1e-3)
        else:
            same(found, expected)


def test_batch_norms_in_a_chain_in_training():
    """With a ReLU or without; one that has hooks, does not track, or is in evaluation is called by itself."""
    def called(*layers, train=True):
        model = nn.Sequential(*layers).to("sim").train(train)
        return [name for name in ops_called(lambda: model(x)) if "norm" in name]

    x = gpunet.randn(3, 4, 5, 6, device="sim")
    assert called(nn.BatchNorm2d(4), nn.ReLU(), nn.BatchNorm2d(4)) == ["normalize_relu_moving", "normalize_moving"]
    assert called(nn.Conv2d(4, 2, 1), nn.BatchNorm2d(2), nn.ReLU(True)) == ["normalize_relu_moving"]
    assert called(nn.BatchNorm2d(4), nn.Tanh()) == ["normalize_moving"]
    assert called(nn.BatchNorm2d(4, track_running_stats=False), nn.ReLU()) == ["normalize"]
    assert called(nn.BatchNorm2d(4), nn.ReLU(), train=False) != ["normalize_relu_moving"]
    hooked = nn.BatchNorm2d(4)
    hooked.register_forward_hook(lambda *_: None)
    assert called(hooked, nn.ReLU()) == ["normalize_moving"]
    with pytest.raises(ValueError, match="4 dimensions|4D|expected"):
        nn.Sequential(nn.BatchNorm2d(4), nn.ReLU()).to("sim")(x[0])
