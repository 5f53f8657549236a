"""Lazy layers, bags of embeddings, dictionaries of parameters, and wrappers for one device."""

import copy
import pickle

import numpy as np
import pytest

import gpunet
from gpunet import nn
from tests.both import copy_weights, outcome, same_in_both

LAZY = [("LazyLinear", (3,), {}, (2, 4)), ("LazyLinear", (3, False), {}, (4,))]
for rank in (1, 2, 3):
    shape = (2, 4, *range(4, 4 + rank))
    LAZY += [(f"LazyConv{rank}d", (6, 2), {"groups": 2}, shape),
             (f"LazyConv{rank}d", (3, 2), {"bias": False}, shape[1:]),
             (f"LazyConvTranspose{rank}d", (6, 3), {"stride": 2, "groups": 2}, shape),
             (f"LazyBatchNorm{rank}d", (), {}, shape), (f"LazyBatchNorm{rank}d", (0.1, 0.3), {"affine": False}, shape),
             (f"LazyInstanceNorm{rank}d", (), {"affine": True, "track_running_stats": True}, shape)]


@pytest.mark.parametrize("name, args, options, shape", LAZY, ids=lambda x: str(x).replace(" ", ""))
@pytest.mark.needs("torch")
def test_a_lazy_layer_becomes_pytorchs(name, args, options, shape):
    import torch

    ours, theirs = getattr(nn, name)(*args, **options), getattr(torch.nn, name)(*args, **options)
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    assert type(ours).__name__ == name and list(ours.state_dict()) == list(theirs.state_dict())
    first = ours(gpunet.tensor(x))
    theirs(torch.tensor(x))
    assert repr(ours) == repr(theirs) and type(ours) is getattr(nn, name.removeprefix("Lazy"))
    assert not ours._hooked, "the hooks are gone"
    copy_weights(ours, theirs)
    with torch.no_grad():
        expected = theirs(torch.tensor(x)).numpy()
    assert first.shape == expected.shape
    np.testing.assert_allclose(ours(gpunet.tensor(x)).detach().numpy(), expected, rtol=1e-4, atol=1e-5)


def lazy_model(lib):
    return lib.nn.Sequential(lib.nn.LazyConv1d(2, 2), lib.nn.LazyBatchNorm1d(), lib.nn.Flatten(), lib.nn.LazyLinear(3))


def loading(lib):
    """Into lazy modules, from them, and from modules that have run."""
    ready = lazy_model(lib)
    ready(lib.ones(2, 3, 5))
    ready[1].reset_running_stats()
    with lib.no_grad():
        for i, p in enumerate(ready.parameters()):
            p.fill_(i + 1)
    fresh = lazy_model(lib)
    result = repr(fresh.load_state_dict(ready.state_dict()))
    kinds = [type(m).__name__ for m in fresh]
    y = fresh.eval()(lib.ones(2, 3, 5))
    return (result, kinds, [type(m).__name__ for m in fresh], y, dict(fresh.state_dict()), fresh[3].in_features,
            repr(lazy_model(lib).load_state_dict(lazy_model(lib).state_dict())),
            outcome(ready.load_state_dict, lazy_model(lib).state_dict()))


def own_lazy_module(lib):
    class Scale(lib.nn.modules.lazy.LazyModuleMixin if lib is not gpunet else nn.LazyModuleMixin, lib.nn.Module):
        def __init__(self):
            super().__init__()
            self.factor = lib.nn.UninitializedParameter()

        def initialize_parameters(self, x, *, value):
            if self.has_uninitialized_params():
                self.factor.materialize(x.shape[-1:])
                lib.nn.init.constant_(self.factor, value)

        def forward(self, x, *, value):
            return x * self.factor

    module = Scale()
    before = module.has_uninitialized_params()
    return before, module(lib.ones(2, 3), value=4.0), module.has_uninitialized_params(), module.factor.requires_grad


def parameter_dict(lib):
    d = lib.nn.ParameterDict({"a": lib.ones(2), "b": lib.nn.Parameter(lib.zeros(1, 3))})
    d["c"] = lib.ones(1)
    d["n"] = 5
    popped = d.pop("a")
    d.update([("e", lib.zeros(2))])
    d.setdefault("c", lib.zeros(9))
    both = d | lib.nn.ParameterDict({"z": lib.ones(1)})
    twin = d.copy()
    lists = (d, both, *(lib.nn.ParameterList([lib.ones(2, 3)] * n) for n in (1, 2)))
    return ([repr(each).replace("gpunet", "torch") for each in lists],
            list(d), len(d), "b" in d, popped, d.get("x"), d["n"], list(d.state_dict()), sorted(both.keys()),
            list(reversed(d)), [k for k, _ in d.items()], twin["c"] is d["c"], d.popitem()[0],
            [p.requires_grad for p in d.parameters()], len(list(d.values())), list(d.fromkeys(["u"], 1).items()))


def bags(lib):
    results = []
    for mode in ("sum", "mean", "max"):
        layer = lib.nn.EmbeddingBag(6, 3, mode=mode, padding_idx=1, max_norm=1.5, include_last_offset=True)
        with lib.no_grad():
            layer.weight.copy_(lib.tensor(np.random.default_rng(0).normal(size=(6, 3)), dtype=lib.float32))
        y = layer(lib.tensor([0, 1, 5, 5, 2]), lib.tensor([0, 2, 2, 5]))
        y.square().sum().backward()
        results.append((y, layer.weight, layer.weight.grad, repr(layer)))
    given = lib.nn.EmbeddingBag.from_pretrained(lib.tensor([[1.0, 2.0], [3.0, 4.0]]), mode="sum")
    weights = lib.tensor([[2.0, 3.0]])
    call = lib.nn.functional.embedding_bag
    x, w = lib.tensor([0, 1]), lib.ones(2, 2)
    return (results, given(lib.tensor([[0, 1]]), per_sample_weights=weights), given.weight.requires_grad,
            outcome(call, x, w), outcome(call, x.reshape(1, 2), w, lib.tensor([0])), outcome(call, x, w, x, mode="min"))


def wrappers(lib):
    model = lib.nn.DataParallel(lib.nn.Linear(2, 1))
    with lib.no_grad():
        for p in model.parameters():
            p.fill_(2)
    return list(model.state_dict()), model(lib.ones(1, 2)), model.module.weight


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("program", [loading, own_lazy_module, parameter_dict, bags, wrappers],
                         ids=lambda program: program.__name__)
def test_as_in_pytorch(program):
    same_in_both(program)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_before_the_first_call(duplicate):
    model = lazy_model(gpunet).double()
    twin = duplicate(model)
    x = gpunet.ones(2, 3, 4, dtype=gpunet.float64)
    assert twin(x).shape == (2, 3) and {p.dtype for p in twin.parameters()} == {gpunet.float64}
    assert not twin[0]._hooked and model[0].has_uninitialized_params() and model(x).shape == (2, 3)


def test_lazy_layers_on_devices(device):
    model = lazy_model(gpunet).to(device)
    assert model(gpunet.ones(2, 3, 5, device=device)).device.type == device
    assert {p.device.type for p in model.parameters()} == {device}


def test_sentences():
    layer = nn.LazyLinear(2)
    for use in (lambda: layer.weight.shape, lambda: layer.weight + 1, lambda: nn.init.ones_(layer.weight)):
        with pytest.raises(RuntimeError, match="UninitializedParameter of a lazy module has no shape and no values"):
            use()
    with pytest.raises(RuntimeError, match="LazyConv2d: expected an input of 3 or 4 dimensions"):
        nn.LazyConv2d(2, 2)(gpunet.ones(2, 2))
    with pytest.raises(ValueError, match=r"a model computes on one device here, got device_ids \[0, 1\]"):
        nn.DataParallel(nn.Linear(1, 1), device_ids=[0, 1])
    with pytest.raises(ValueError, match="one device"):
        nn.parallel.DistributedDataParallel(nn.Linear(1, 1), device_ids=[0, 1])
