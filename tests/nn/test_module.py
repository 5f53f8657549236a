"""Module: registration, names, hooks, movement, text, errors."""

import copy
import pickle

import numpy as np
import pytest

import gpunet
from gpunet import nn


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.fill(nn, gpunet)

    def fill(self, lib, tensors):
        self.fc = lib.Linear(2, 2)
        self.scale = lib.Parameter(tensors.ones(2))
        self.register_buffer("mean", tensors.zeros(2))
        self.register_buffer("scratch", tensors.zeros(1), persistent=False)
        self.register_parameter("none", None)
        self.count = 3

    def forward(self, x):
        return self.fc(x) * self.scale + self.mean


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.one = Block()
        self.two = nn.Sequential(Block(), nn.ReLU())
        self.shared = self.one.fc

    def forward(self, x):
        return self.two(self.one(x))


# ---- registration --------------------------------------------------------------------------------------------------


def test_names():
    net = Net()
    assert [n for n, _ in net.named_parameters()] == [
        "one.scale", "one.fc.weight", "one.fc.bias", "two.0.scale", "two.0.fc.weight", "two.0.fc.bias"]
    assert len(list(net.parameters())) == 6 and len(list(net.parameters(recurse=False))) == 0
    assert [n for n, _ in net.named_parameters(remove_duplicate=False)][-2:] == ["shared.weight", "shared.bias"]
    assert [n for n, _ in net.named_buffers(prefix="p")] == ["p.one.mean", "p.one.scratch", "p.two.0.mean",
                                                             "p.two.0.scratch"]
    assert [n for n, _ in net.named_modules()] == ["", "one", "one.fc", "two", "two.0", "two.0.fc", "two.1"]
    assert [n for n, _ in net.named_children()] == ["one", "two", "shared"]
    assert list(net.children()) == [net.one, net.two, net.shared] and len(list(net.modules())) == 7
    assert net.get_submodule("two.0.fc") is net.two[0].fc and net.get_submodule("") is net
    assert net.get_parameter("two.0.scale") is net.two[0].scale and net.get_buffer("one.mean") is net.one.mean
    with pytest.raises(AttributeError, match="Sequential has no attribute `7`"):
        net.get_submodule("two.7")
    with pytest.raises(AttributeError, match="`count` is not an nn.Module"):
        net.get_submodule("one.count")
    with pytest.raises(AttributeError, match="`mean` is not an nn.Parameter"):
        net.get_parameter("one.mean")


@pytest.mark.needs("torch")
def test_names_are_pytorchs():
    import torch

    class Theirs(torch.nn.Module):
        def __init__(self):
            super().__init__()
            Block.fill(self, torch.nn, torch)

    theirs, ours = Theirs(), Block()
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert [n for n, _ in ours.named_parameters()] == [n for n, _ in theirs.named_parameters()]
    assert [n for n, _ in ours.named_buffers()] == [n for n, _ in theirs.named_buffers()]


def test_attributes():
    block = Block()
    assert block.none is None and "none" not in block.state_dict() and "scale" in dir(block) and "fc" in dir(block)
    block.scale = nn.Parameter(gpunet.zeros(2))
    assert block.get_parameter("scale").sum().item() == 0
    block.mean = gpunet.ones(2)
    assert block.state_dict()["mean"].sum().item() == 2
    block.fc = None
    assert block.fc is None and len(list(block.parameters())) == 1
    block.count = nn.Linear(1, 1)  # a plain attribute becomes a module
    assert "count" in dict(block.named_children())
    del block.scale, block.mean, block.count
    assert not hasattr(block, "scale") and not list(block.parameters()) and list(dict(block.named_buffers())) == [
        "scratch"]
    block.buffer = nn.Buffer(gpunet.ones(1), persistent=False)
    assert "buffer" in dict(block.named_buffers()) and "buffer" not in block.state_dict()


@pytest.mark.parametrize("action, error, text", [
    (lambda b: b.nothing, AttributeError, "'Block' object has no attribute 'nothing'"),
    (lambda b: setattr(b, "scale", gpunet.ones(2)), TypeError, "cannot assign 'Tensor' as parameter 'scale'"),
    (lambda b: setattr(b, "fc", 3), TypeError, "cannot assign 'int' as child module 'fc'"),
    (lambda b: setattr(b, "mean", 3), TypeError, "cannot assign 'int' as buffer 'mean'"),
    (lambda b: b.register_buffer("a.b", None), KeyError, "buffer name can.*t contain"),
    (lambda b: b.register_parameter("", None), KeyError, "parameter name can.*t be empty"),
    (lambda b: b.register_buffer("count", None), KeyError, "attribute 'count' already exists"),
    (lambda b: b.add_module("x", 3), TypeError, "int is not a Module subclass"),
    (lambda b: b.train(1), ValueError, "training mode is expected to be boolean"),
    (lambda b: b.to(gpunet.int64), TypeError, "only accepts floating point"),
    (lambda b: nn.Module(3), TypeError, "got arguments that nn.Module does not take: 3"),
    (lambda b: nn.Module()(3), NotImplementedError, r"Module \[Module\] is missing the required"),
])
def test_errors(action, error, text):
    with pytest.raises(error, match=text):
        action(Block())


def test_assigning_before_init():
    class Early(nn.Module):
        def __init__(self):
            self.fc = nn.Linear(1, 1)

    with pytest.raises(AttributeError, match=r"cannot assign module before Module.__init__\(\) call"):
        Early()


def test_parameter_shares_memory():
    t = gpunet.zeros(3)
    p = nn.Parameter(t)
    assert p.requires_grad and p.is_leaf and not t.requires_grad and isinstance(p, gpunet.Tensor)
    t.fill_(2)
    assert p.tolist() == [2, 2, 2]
    assert repr(p) == "Parameter containing:\ntensor([2., 2., 2.], requires_grad=True)"
    assert not nn.Parameter(gpunet.arange(3), requires_grad=False).requires_grad
    assert type(p + 1) is gpunet.Tensor
    with pytest.raises(RuntimeError, match="only tensors of floating-point type can require gradients"):
        nn.Parameter(gpunet.arange(3))


# ---- modes and movement --------------------------------------------------------------------------------------------


def test_train_apply_and_gradients():
    net, order = Net(), []
    assert net.eval() is net and not any(m.training for m in net.modules())
    assert net.train() is net and all(m.training for m in net.modules())
    assert net.apply(lambda m: order.append(type(m).__name__)) is net
    assert order == ["Linear", "Block", "Linear", "Block", "ReLU", "Sequential", "Linear", "Net"]
    net(gpunet.ones(1, 2)).sum().backward()
    assert all(p.grad is not None for p in net.parameters())
    net.zero_grad(set_to_none=False)
    assert all((p.grad == 0).all() for p in net.parameters())
    net.zero_grad()
    assert all(p.grad is None for p in net.parameters())
    assert net.requires_grad_(False) is net and not any(p.requires_grad for p in net.parameters())


def test_types_change_in_place():
    net = Block()
    net.register_buffer("steps", gpunet.tensor(3))
    before = list(net.parameters())
    net(gpunet.ones(1, 2)).sum().backward()
    assert net.double() is net and [id(p) for p in net.parameters()] == [id(p) for p in before]
    assert all(p.dtype is p.grad.dtype is gpunet.float64 for p in net.parameters())
    assert net.mean.dtype is gpunet.float64 and net.steps.dtype is gpunet.int64
    for change, dtype in ((net.half, gpunet.float16), (net.bfloat16, gpunet.bfloat16), (net.float, gpunet.float32)):
        change()
        assert {p.dtype for p in net.parameters()} == {dtype} and net.steps.dtype is gpunet.int64
    net.to(gpunet.zeros(1, dtype=gpunet.float64))
    assert net.scale.dtype is gpunet.float64 and net.scale.is_leaf and net.scale.requires_grad


def test_to_device(device):
    net = Block()
    optimizer = gpunet.optim.SGD(net.parameters(), lr=0.1)
    assert net.to(device) is net
    assert {str(t.device.type) for t in (*net.parameters(), *net.buffers())} == {device}
    net(gpunet.ones(3, 2, device=device)).sum().backward()
    optimizer.step()  # it still holds the same parameters
    net.cpu()
    assert {str(t.device) for t in (*net.parameters(), *net.buffers())} == {"cpu"}
    assert net.scale.grad.device.type == "cpu"
    np.testing.assert_allclose(net.fc.bias.grad.numpy(), [3, 3])
    net.to(device, gpunet.float64)
    assert net.scale.dtype is gpunet.float64 and net.scale.device.type == device


# ---- hooks ---------------------------------------------------------------------------------------------------------


def test_forward_hooks():
    layer, seen = nn.Linear(2, 2), []
    x = gpunet.ones(1, 2)
    plain = layer(x)
    first = layer.register_forward_pre_hook(lambda m, args: seen.append("pre") or (args[0] * 2,))
    second = layer.register_forward_hook(lambda m, args, out: seen.append("post") or out + 1)
    third = layer.register_forward_pre_hook(lambda m, args, kwargs: seen.append("earlier"), prepend=True,
                                            with_kwargs=True)
    np.testing.assert_allclose(layer(x).detach().numpy(),
                               (plain + plain - layer.bias + 1).detach().numpy(), rtol=1e-5, atol=1e-6)
    assert seen == ["earlier", "pre", "post"]
    for handle in (first, second, third):
        handle.remove()
    assert layer(x).tolist() == plain.tolist() and len(seen) == 3
    layer.register_forward_hook(lambda m, args, kwargs, out: out * 0, with_kwargs=True)
    assert layer(x).tolist() == [[0, 0]]


@pytest.mark.filterwarnings("ignore:Full backward hook is firing")
@pytest.mark.parametrize("first_layer", [True, False])
@pytest.mark.needs("torch")
def test_full_backward_hook_is_pytorchs(first_layer):
    """What the hook sees, and the effect of what it returns, also where no input requires gradients."""
    import torch

    results = []
    weights = np.random.default_rng(0).normal(size=(2, 3))
    for lib, layers in ((gpunet, nn), (torch, torch.nn)):
        model = layers.Sequential(layers.Linear(3, 2), layers.Tanh()).double()
        with lib.no_grad():
            model[0].weight.copy_(lib.tensor(weights))
            model[0].bias.copy_(lib.tensor([0.5, -0.5], dtype=lib.float64))
        seen = []

        def hook(module, grad_input, grad_output, seen=seen):
            seen.append([None if g is None else g.tolist() for g in (*grad_input, *grad_output)])
            return tuple(None if g is None else g * 3 for g in grad_input)

        model[0].register_full_backward_hook(hook)
        x = lib.ones(4, 3, dtype=lib.float64, requires_grad=not first_layer)
        handle = model[1].register_full_backward_hook(hook)
        model(x).sum().backward()
        handle.remove()
        results.append((seen, model[0].weight.grad.tolist(), None if first_layer else x.grad.tolist()))
    (a, *values), (b, *others) = results
    assert len(a) == len(b) == 2
    for x, y in zip([*a[0], *a[1], *values], [*b[0], *b[1], *others], strict=True):
        np.testing.assert_allclose(np.array(x, float), np.array(y, float), rtol=1e-12)


def test_full_backward_hook_of_several_inputs():
    class Product(nn.Module):
        def forward(self, x, y, n):
            return x * y, n

    layer, seen = Product(), []
    layer.register_full_backward_hook(lambda m, gi, go: seen.append((gi, go)) or (gi[0] * 10, gi[1], None))
    x, y = gpunet.tensor([2.0], requires_grad=True), gpunet.tensor([3.0], requires_grad=True)
    result, n = layer(x, y, 5)
    result.backward()
    assert n == 5 and x.grad.tolist() == [30] and y.grad.tolist() == [2]
    (gi, go), = seen
    assert [g and g.item() for g in gi] == [3, 2, None] and [g and g.item() for g in go] == [1, None]


# ---- errors in layers ----------------------------------------------------------------------------------------------


def test_error_names_the_layers_path():
    net = nn.Sequential(nn.Flatten(), nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(5, 2)))
    with pytest.raises(RuntimeError, match="linear: an input of shape") as caught:
        net(gpunet.ones(1, 4))
    assert caught.value.__notes__ == [
        "in Linear(in_features=5, out_features=2, bias=True), layer '1.2' of Sequential"]
    fused = nn.Sequential(nn.Flatten(), nn.Linear(4, 3), nn.ReLU())
    with pytest.raises(RuntimeError) as caught:
        fused(gpunet.ones(1, 5))
    assert caught.value.__notes__ == [
        "in Linear(in_features=4, out_features=3, bias=True), layer '1' of Sequential"]


# ---- text, copies --------------------------------------------------------------------------------------------------


def test_text():
    class Wide(nn.Module):
        def extra_repr(self):
            return "a=1\nb=2"

    assert repr(Wide()) == "Wide(\n  a=1\n  b=2\n)"
    assert repr(Block()) == "Block(\n  (fc): Linear(in_features=2, out_features=2, bias=True)\n)"
    assert repr(nn.Module()) == "Module()"


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies(duplicate):
    net = Net().eval()
    twin = duplicate(net)
    assert repr(twin) == repr(net) and not twin.training
    assert twin.shared is twin.one.fc and twin.shared is not net.shared
    for (n, p), (m, q) in zip(net.named_parameters(), twin.named_parameters(), strict=True):
        assert n == m and type(q) is nn.Parameter and q.requires_grad and p.tolist() == q.tolist() and p is not q
    x = gpunet.ones(1, 2)
    assert twin(x).tolist() == net(x).tolist()
    with gpunet.no_grad():
        twin.one.scale.fill_(0)
    assert net.one.scale.tolist() == [1, 1]


def test_forward_hooks_that_are_always_called():
    class Broken(nn.Module):
        def forward(self, x):
            raise ArithmeticError("broken")

    layer, seen = Broken(), []
    layer.register_forward_hook(lambda module, args, output: seen.append("never"))
    layer.register_forward_hook(lambda module, args, output: seen.append(output), always_call=True)
    layer.register_forward_hook(lambda module, args, kwargs, output: seen.append(kwargs), always_call=True,
                                with_kwargs=True)
    with pytest.raises(ArithmeticError):
        layer(x=1)
    assert seen == [None, {"x": 1}]
