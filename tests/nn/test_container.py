"""Containers: Python's protocols, PyTorch's text, and the fused Linear and ReLU of Sequential."""

from collections import OrderedDict

import numpy as np
import pytest

import gpunet
from gpunet import nn
from tests.recorded import ops_called


def names(module):
    return list(module._modules)


def test_sequential_protocol():
    a, b, c = nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 2)
    model = nn.Sequential(a, b)
    assert model.append(c) is model and len(model) == 3 and list(model) == [a, b, c]
    assert model[0] is a and model[-1] is c and list(model[1:]) == [b, c] and type(model[1:]) is nn.Sequential
    model.insert(1, d := nn.Tanh())
    assert list(model) == [a, d, b, c] and names(model) == ["0", "1", "2", "3"]
    del model[1]
    assert list(model) == [a, b, c] and names(model) == ["0", "1", "2"]
    model[1] = d
    assert list(model) == [a, d, c]
    model.extend([b])
    assert list(model + nn.Sequential(a)) == [a, d, c, b, a]
    assert model.pop() is b and len(model) == 3
    with pytest.raises(IndexError, match="index 3 is out of range"):
        model[3]
    with pytest.raises(TypeError, match="is not a Module subclass"):
        model.append(3)


def test_sequential_of_named_modules():
    model = nn.Sequential(OrderedDict(first=nn.Linear(2, 3), then=nn.ReLU()))
    assert names(model) == ["first", "then"] and model.first is model[0]
    assert list(model.state_dict()) == ["first.weight", "first.bias"]
    assert names(model[:1]) == ["first"]
    del model[0]
    assert names(model) == ["then"]


def test_module_list_and_dict():
    layers = nn.ModuleList([nn.Linear(2, 2) for _ in range(3)])
    layers += [nn.ReLU()]
    assert len(layers) == 4 and len(list(layers.parameters())) == 6 and type(layers[:2]) is nn.ModuleList
    layers.insert(0, nn.Tanh())
    assert isinstance(layers[0], nn.Tanh) and isinstance(layers.pop(0), nn.Tanh) and len(layers) == 4
    table = nn.ModuleDict({"a": nn.ReLU(), "b": nn.Linear(1, 1)})
    table["c"] = nn.Tanh()
    table.update([("d", nn.Sigmoid())])
    assert list(table) == list(table.keys()) == ["a", "b", "c", "d"] and "a" in table and len(table) == 4
    assert isinstance(table.pop("a"), nn.ReLU) and "a" not in table
    assert [name for name, _ in table.named_parameters()] == ["b.weight", "b.bias"]
    del table["b"]
    assert not list(table.parameters()) and [type(m) for m in table.values()] == [nn.Tanh, nn.Sigmoid]


def test_parameter_list():
    values = nn.ParameterList([gpunet.ones(2), nn.Parameter(gpunet.zeros(3))])
    values.append(gpunet.ones(1))
    assert [name for name, _ in values.named_parameters()] == ["0", "1", "2"] and len(values) == 3
    assert isinstance(values[0], nn.Parameter) and values[-1].shape == (1,) and len(values[:2]) == 2
    values[0] = gpunet.zeros(4)
    assert values[0].shape == (4,)


@pytest.mark.parametrize("build", [
    lambda nn: nn.Sequential(),
    lambda nn: nn.Sequential(nn.Flatten(), nn.Sequential(nn.Linear(4, 2), nn.ReLU()), nn.Dropout(0.1)),
    lambda nn: nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2), nn.ReLU()]),
    lambda nn: nn.ModuleList([nn.Sequential(nn.Linear(2, 2), nn.ReLU()) for _ in range(3)]),
    lambda nn: nn.ModuleList(),
    lambda nn: nn.ModuleDict({"a": nn.ReLU(), "b": nn.ModuleList([nn.Tanh()])}),
])
@pytest.mark.needs("torch")
def test_text_is_pytorchs(build):
    import torch

    assert repr(build(nn)) == repr(build(torch.nn))


# ---- fusion --------------------------------------------------------------------------------------------------------


def test_linear_and_relu_are_one_op():
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 4), nn.Linear(4, 2))
    x = gpunet.randn(5, 3)
    assert ops_called(lambda: model(x)) == ["linear_relu", "linear", "tanh", "linear", "linear"]


def convolutional(rank, dtype=gpunet.float32):
    """Convolutions, one of them with a filter for each channel, that norms and activations follow."""
    conv, norm = getattr(nn, f"Conv{rank}d"), getattr(nn, f"BatchNorm{rank}d")
    model = nn.Sequential(conv(3, 6, 3, padding=1), norm(6), nn.ReLU(), conv(6, 6, 3, groups=6, bias=False),
                          norm(6, affine=False), conv(6, 4, 2, stride=2), nn.ReLU(inplace=True), norm(4), nn.Tanh())
    for module in model:
        if isinstance(module, norm):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
            if module.affine:
                nn.init.normal_(module.weight)
                nn.init.normal_(module.bias)
    return model.to(dtype)


def test_convolutions_take_in_what_follows():
    model, x = convolutional(2), gpunet.randn(2, 3, 8, 8)
    assert ops_called(lambda: model(x)).count("conv_relu") == 1
    with gpunet.no_grad():
        assert "conv_epilogue" not in ops_called(lambda: model(x))  # the batch's own statistics
        found = ops_called(lambda: model.eval()(x))
    assert found[:3] == ["conv_epilogue", "conv_epilogue", "conv_relu"] and found[-1] == "tanh"
    assert "conv_epilogue" not in ops_called(lambda: model(x))  # gradients are recorded


@pytest.mark.parametrize("rank, dtype", [
    (2, gpunet.float32), *(pytest.param(*case, marks=pytest.mark.slow("sim"))
                           for case in ((1, gpunet.float64), (2, gpunet.bfloat16)))], ids=str)
def test_folded_norms_are_the_same(rank, dtype, device):
    model = convolutional(rank, dtype).eval().to(device)
    x = gpunet.randn(2, 3, *[8] * rank).to(dtype).to(device).requires_grad_()
    y = model(x)
    with gpunet.no_grad():
        found, plain = model(x), x
        for module in model:
            plain = module(plain)
    bound = {gpunet.float32: 2e-6, gpunet.float64: 1e-12, gpunet.bfloat16: 3e-2}[dtype]
    for each in (y.detach(), found):
        np.testing.assert_allclose(each.cpu().double().numpy(), plain.cpu().double().numpy(), atol=bound)
    (y * y).sum().backward()
    reference = x.grad.clone()
    x.grad = None
    y = x
    for module in model:
        y = module(y)
    (y * y).sum().backward()
    np.testing.assert_allclose(reference.cpu().double().numpy(), x.grad.cpu().double().numpy(), atol=30 * bound)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(5, 3), (2, 4, 3), (3,), (0, 3)])
def test_fused_is_the_same(shape, bias, device):
    model = nn.Sequential(nn.Linear(3, 4, bias), nn.ReLU(inplace=True), nn.Linear(4, 2), nn.ReLU()).to(device)
    results = []
    for forward in (model, lambda x: model[2](model[0](x).relu()).relu()):
        x = gpunet.randn(*shape, generator=gpunet.Generator().manual_seed(1)).to(device).requires_grad_()
        y = forward(x)
        model.zero_grad()
        (y * y).sum().backward()
        results.append([t.detach().cpu().numpy() for t in (y, x.grad, *(p.grad for p in model.parameters()))])
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_hooks_and_own_classes_are_not_fused():
    class Leaky(nn.ReLU):
        def forward(self, x):
            return x

    x = gpunet.randn(5, 3)
    model = nn.Sequential(nn.Linear(3, 4), Leaky())
    assert model(x).min().item() < 0
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU())
    fused = model(x)
    seen = []
    handle = model[0].register_forward_hook(lambda module, args, output: seen.append(output))
    assert ops_called(lambda: model(x)) == ["linear", "relu"]
    assert seen[0].min().item() < 0 and model(x).tolist() == fused.tolist()
    handle.remove()
    model[1].register_forward_pre_hook(lambda module, args: -args[0])
    np.testing.assert_allclose(model(x).detach().numpy(), np.maximum(-seen[0].detach().numpy(), 0))
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU())
    model[1].forward = lambda x: x * 0 + 7
    assert model(x).min().item() == 7


def test_layer_after_fused_pair_waits_its_turn():
    """The chain Linear, Linear, ReLU, ReLU: only the neighbours fuse."""
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3), nn.ReLU(), nn.ReLU(), nn.Linear(3, 1))
    x = gpunet.randn(4, 3)
    wanted = model[4](model[1](model[0](x)).relu())
    np.testing.assert_allclose(model(x).detach().numpy(), wanted.detach().numpy(), rtol=1e-6)
