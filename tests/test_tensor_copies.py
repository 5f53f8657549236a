"""Copies of tensors and modules, and subclasses of Tensor and Parameter."""

import copy
import io
import pickle

import numpy as np
import pytest

import gpunet
from gpunet import nn
from tests.both import outcome, same_in_both


def pickled(value):
    return pickle.loads(pickle.dumps(value))


def deep_copies(lib):
    base = lib.arange(6.0).reshape(2, 3)
    everything = {"base": base, "row": base[1], "column": base.t()[1], "step": base[:, ::2], "again": base}
    twin = copy.deepcopy(everything)
    twin["base"].mul_(10)
    leaf = lib.ones(2, requires_grad=True)
    (leaf * 2).sum().backward()
    leaf.tag = ["x"]
    leaf.register_hook(lambda g: g * 100)
    other = copy.deepcopy(leaf)
    other.tag.append("y")
    other.grad.add_(1)
    (other * 1).sum().backward()
    parameter = lib.nn.Parameter(lib.ones(2))
    (parameter * 2).sum().backward()
    return (everything, twin, twin["again"] is twin["base"], twin["column"].stride(), leaf.tag, other.tag, leaf.grad,
            other.grad, copy.deepcopy(parameter).grad, outcome(copy.deepcopy, leaf * 2), copy.deepcopy(leaf.detach()))


def pickles(lib):
    leaf = lib.ones(2, requires_grad=True)
    (leaf * 2).sum().backward()
    leaf.tag = 3
    twin = pickled(leaf)
    turned, parameter = pickled(lib.arange(6).reshape(2, 3).t()), pickled(lib.nn.Parameter(lib.ones(1)))
    return (twin, twin.requires_grad, twin.grad, twin.tag, turned, turned.stride(), type(parameter).__name__,
            parameter.requires_grad, pickled(leaf * 2).requires_grad, pickled([leaf, leaf])[0] is not leaf)


def shallow_copies(lib):
    x = lib.zeros(2)
    x.tag = 1
    twin = copy.copy(x)
    twin.add_(1)
    return x, twin.tag, twin is x


def subclasses(lib):
    class Named(lib.Tensor):
        def describe(self):
            return type(self).__name__ + str(tuple(self.shape))

    x = lib.ones(2, 2).as_subclass(Named)
    made = Named([1.0, 2.0])
    results = [x + 1, 1 - x, lib.ones(2, 2) * x, x @ x, x.sum(), x[0], x.T, x.double(), x.detach(), x.data, x.clone(),
               x.softmax(-1), lib.cat([lib.ones(1, 2), x]), x.split(1)[0], x.max(0).values, x > 0, x.reshape(4),
               lib.nn.functional.linear(x, lib.nn.Parameter(lib.ones(1, 2))), lib.nn.Linear(2, 2)(x), x.mul_(1),
               lib.nn.functional.relu(x)]
    x.requires_grad_()
    (x * 2).sum().backward()
    return ([type(each).__name__ for each in results], type(x.grad).__name__, made.describe(), made,
            isinstance(x + 1, lib.Tensor), type((x + 1).as_subclass(lib.Tensor)).__name__, repr(made),
            type(lib.nn.Parameter(lib.ones(1)) + 1).__name__, type(lib.ones(1) + 1).__name__)


def constructors(lib):
    class Tagged(lib.Tensor):
        @staticmethod
        def __new__(cls, data, tag, *args, **kwargs):
            return super().__new__(cls, data, *args, **kwargs)

        def __init__(self, data, tag):
            self.tag = tag

    class Weight(lib.nn.Parameter):
        def __new__(cls, data=None, requires_grad=True, scale=4):
            weight = super().__new__(cls, data, requires_grad)
            weight.scale = scale
            return weight

    source = lib.zeros(2)
    tagged, weight = Tagged(source, "t"), Weight(lib.ones(2), scale=5)
    source.add_(1)
    model = lib.nn.Linear(2, 1)
    model.weight = Weight(lib.ones(1, 2))
    return (tagged.tag, tagged, type(tagged + 1).__name__, weight.scale, weight.requires_grad,
            type(weight + 1).__name__, list(dict(model.named_parameters())), type(model.weight).__name__,
            type(lib.Tensor._make_subclass(Weight, lib.ones(1), True)).__name__, lib.Tensor(2, 3).shape[1])


def unrelated_subclasses(lib):
    class One(lib.Tensor):
        pass

    class Two(lib.Tensor):
        pass

    class Three(Two):
        pass

    one, two, three = (lib.ones(1).as_subclass(kind) for kind in (One, Two, Three))
    return outcome(lambda: one + two), type(two + three).__name__, type(three + two).__name__


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("program", [deep_copies, pickles, shallow_copies, subclasses, constructors,
                                     unrelated_subclasses], ids=lambda program: program.__name__)
def test_as_in_pytorch(program):
    same_in_both(program)


def test_copies_on_every_device(device):
    base = gpunet.arange(6.0, device=device).reshape(2, 3)
    everything = [base, base[:, 1:], base.T, base[:0], gpunet.ones(2, 2, dtype=gpunet.bfloat16, device=device)]
    for duplicate in (copy.deepcopy, pickled):
        twin = duplicate(everything)
        assert [t.tolist() for t in twin] == [t.tolist() for t in everything]
        assert all(t.device == base.device and t.dtype is u.dtype for t, u in zip(twin, everything, strict=True))
    twin = copy.deepcopy(everything)
    twin[0][0, 1] = 9
    assert twin[1][0, 0].item() == twin[2][1, 0].item() == 9 and base[0, 1].item() == 1


def test_a_module_with_everything_is_copied(device):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)).to(device)
            self.layer[0].register_forward_hook(_double)
            self.tied = self.layer[0].weight
            self.table = self.layer[0].weight.detach()[0]

        def forward(self, x):
            return self.layer(x)

    globals()["Net"] = Net
    Net.__qualname__ = "Net"
    net = Net()
    x = gpunet.tensor(np.random.default_rng(0).normal(size=(4, 2)), dtype=gpunet.float32, device=device)
    for duplicate in (copy.deepcopy, pickled):
        twin = duplicate(net)
        assert twin.tied is twin.layer[0].weight is not net.tied and twin.layer[0].weight.grad is None
        assert gpunet.equal(twin.eval()(x), net.eval()(x))
        optimizer = gpunet.optim.SGD(twin.parameters(), lr=1.0)
        before = net.tied.tolist()
        twin.train()(x).square().sum().backward()
        optimizer.step()
        assert net.tied.tolist() == before != twin.tied.tolist()


def _double(module, args, output):
    return output * 2


def test_older_ways_to_pickle():
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        file = io.BytesIO()
        pickle.dump(gpunet.ones(2), file, protocol)
        assert pickle.loads(file.getvalue()).tolist() == [1, 1]


def test_hooks_are_not_pickled():
    x = gpunet.ones(1, requires_grad=True)
    x.register_hook(print)
    with pytest.warns(UserWarning, match="pickling a tensor leaves its hooks out"):
        assert pickled(x)._hooks is None


def test_sentences():
    with pytest.raises(TypeError, match="Watched: gpunet calls no __torch_function__; override the methods"):
        class Watched(gpunet.Tensor):
            @classmethod
            def __torch_function__(cls, function, types, args=(), kwargs=None):
                return function(*args)

    with pytest.raises(TypeError, match="as_subclass: expected a subclass of gpunet.Tensor, got <class 'int'>"):
        gpunet.ones(1).as_subclass(int)
