"""Parametrizations and pruning: the same as in PyTorch, from the same weights."""

import copy
import importlib

import numpy as np
import pytest

import gpunet
from gpunet import nn
from tests.both import outcome, same_in_both


def filled(lib, module):
    """The module with fixed parameters in place of random ones."""
    with lib.no_grad():
        for i, p in enumerate(module.parameters()):
            p.copy_(lib.tensor(np.random.default_rng(i).normal(size=tuple(p.shape)), dtype=p.dtype))
    return module


def trained(lib, layer, shape=(4, 3), steps=3):
    """Some steps of training, and what comes of them."""
    x = lib.tensor(np.random.default_rng(9).normal(size=shape), dtype=lib.float64)
    optimizer, losses = lib.optim.SGD(layer.parameters(), lr=0.05), []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = layer(x).square().sum()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses, layer.weight.detach()


def symmetric(lib):
    class Symmetric(lib.nn.Module):
        def forward(self, x):
            return x.triu() + x.triu(1).mT

        def right_inverse(self, a):
            return a.triu()

    class Shifted(lib.nn.Module):
        def forward(self, x):
            return x + 1

    p = lib.nn.utils.parametrize
    layer = filled(lib, lib.nn.Linear(3, 3).double())
    p.register_parametrization(layer, "weight", Symmetric())
    p.register_parametrization(layer, "bias", Shifted())
    keys = list(layer.state_dict())
    result = trained(lib, layer)
    twin = copy.deepcopy(layer)
    layer.weight = lib.ones(3, 3, dtype=lib.float64)
    refused = outcome(setattr, layer, "bias", lib.ones(3, dtype=lib.float64))
    moved = p.transfer_parametrizations_and_params(layer, filled(lib, lib.nn.Linear(3, 3).double()))
    about = (layer.weight, p.is_parametrized(layer, "bias"), p.type_before_parametrizations(layer) is lib.nn.Linear,
             outcome(p.register_parametrization, layer, "nothing", Shifted()))
    p.register_parametrization(twin, "weight", Shifted())
    text = repr(twin)
    twice = twin.weight.detach()
    p.remove_parametrizations(twin, "weight")
    p.remove_parametrizations(twin, "bias", leave_parametrized=False)
    return (keys, result, about, refused, text, twice, twin.weight, twin.bias, type(twin).__name__,
            p.is_parametrized(twin), moved.weight, list(moved.state_dict()))


def reshaping(lib):
    class First(lib.nn.Module):
        def forward(self, x):
            return x[0]

    p = lib.nn.utils.parametrize
    kept = lib.nn.Linear(2, 2)
    p.register_parametrization(kept, "weight", First(), unsafe=True)
    return (outcome(p.register_parametrization, lib.nn.Linear(2, 2), "weight", First()), kept.weight.shape[0],
            outcome(p.register_parametrization, lib.nn.Linear(2, 2), "weight", First()))


def cached(lib):
    class Counted(lib.nn.Module):
        calls = 0

        def forward(self, x):
            self.calls += 1
            return x * 2

    p = lib.nn.utils.parametrize
    layer, counted = lib.nn.Linear(2, 2), Counted()
    p.register_parametrization(layer, "weight", counted)
    start = counted.calls
    with p.cached():
        same = layer.weight is layer.weight
    layer.weight, layer.weight  # noqa: B018
    return counted.calls - start, same


def weight_norms(lib):
    results = []
    for dim in (0, 1, None):
        layer = lib.nn.utils.parametrizations.weight_norm(filled(lib, lib.nn.Linear(3, 2).double()), dim=dim)
        results.append((list(layer.state_dict()), trained(lib, layer)))
    old = lib.nn.utils.parametrizations.weight_norm(lib.nn.Linear(1, 1))
    old.load_state_dict({"weight_g": lib.ones(1, 1) * 3, "weight_v": lib.ones(1, 1), "bias": lib.ones(1)})
    return results, old.weight, repr(old)


def spectral_norms(lib):
    results = []
    for make, shape in ((lambda: lib.nn.Linear(3, 2), (4, 3)), (lambda: lib.nn.ConvTranspose1d(2, 3, 2), (2, 2, 4)),
                        (lambda: lib.nn.Conv2d(2, 2, 2), (1, 2, 3, 3))):
        layer = lib.nn.utils.parametrizations.spectral_norm(filled(lib, make().double()))
        state = layer.parametrizations.weight[0]
        with lib.no_grad():
            state._u.fill_(0.5), state._v.fill_(0.5)
        results.append((list(layer.state_dict()), trained(lib, layer, shape), layer.eval().weight, layer.weight))
    return results, repr(layer)


def orthogonals(lib):
    results = []
    for shape in ((3, 3), (2, 4), (4, 2)):
        for name in (None, "matrix_exp", "cayley", "householder"):
            layer = filled(lib, lib.nn.Linear(*shape).double())
            with lib.no_grad():  # an orthogonal start, and a fixed base
                layer.weight.copy_(lib.tensor(np.linalg.qr(np.random.default_rng(1).normal(size=(5, 5)))[0]
                                              [:shape[1], :shape[0]]))
            lib.nn.utils.parametrizations.orthogonal(layer, orthogonal_map=name)
            size = max(shape)
            layer.parametrizations.weight[0].base.copy_(lib.tensor(
                np.linalg.qr(np.random.default_rng(2).normal(size=(size, size)))[0]))
            results.append(trained(lib, layer, (4, shape[0])))
    plain = filled(lib, lib.nn.Linear(3, 4).double())
    lib.nn.utils.parametrizations.orthogonal(plain, orthogonal_map="householder", use_trivialization=False)
    return results, plain.parametrizations.weight.original.detach(), trained(lib, plain)


def pruning(lib):
    p = importlib.import_module(f"{lib.__name__}.nn.utils.prune")
    layer = filled(lib, lib.nn.Linear(3, 4).double())
    p.l1_unstructured(layer, "weight", 3)
    p.ln_structured(layer, "weight", 0.25, 2, 0)
    p.ln_structured(layer, "weight", 1, float("inf"), -1)
    p.custom_from_mask(layer, "bias", lib.tensor([1, 0, 1, 1]))
    state = dict(layer.state_dict())
    result = trained(lib, layer)
    p.l1_unstructured(layer, "bias", 0.4, importance_scores=lib.tensor([4.0, 3.0, 1.0, 2.0], dtype=lib.float64))
    bias = layer.bias.detach()
    pruned = p.is_pruned(layer)
    p.remove(layer, "weight"), p.remove(layer, "bias")
    conv = filled(lib, lib.nn.Conv2d(2, 3, 2))
    p.ln_structured(conv, "weight", 1, 1, 1)
    model = filled(lib, lib.nn.Sequential(lib.nn.Linear(3, 2), lib.nn.Linear(2, 3)))
    places = [(model[0], "weight"), (model[1], "weight"), (model[1], "bias")]
    p.global_unstructured(places, pruning_method=p.L1Unstructured, amount=0.3)
    p.global_unstructured(places, pruning_method=p.L1Unstructured, amount=2)
    return (state, result, bias, pruned, p.is_pruned(layer), dict(layer.state_dict()), conv.weight_mask,
            dict(model.state_dict()), outcome(p.remove, layer, "weight"),
            outcome(p.l1_unstructured, layer, "weight", 99),
            outcome(p.l1_unstructured, layer, "weight", 1.5), outcome(p.random_structured, layer, "bias", 1, 0))


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("program", [symmetric, reshaping, cached, weight_norms, spectral_norms, orthogonals, pruning],
                         ids=lambda program: program.__name__)
def test_as_in_pytorch(program):
    same_in_both(program)


def test_orthogonal_stays_orthogonal():
    for shape in ((4, 4), (3, 5), (5, 3)):
        layer = nn.utils.parametrizations.orthogonal(nn.Linear(*shape).double())
        _, weight = trained(gpunet, layer, (4, shape[0]))
        weight = weight.numpy()
        small = weight @ weight.T if weight.shape[0] <= weight.shape[1] else weight.T @ weight
        np.testing.assert_allclose(small, np.eye(len(small)), atol=1e-12)
    with pytest.raises(ValueError, match="orthogonal_map has to be one of"):
        nn.utils.parametrizations.orthogonal(nn.Linear(2, 2), orthogonal_map="other")


def test_random_pruning():
    for method, left in ((nn.utils.prune.random_unstructured, 7), (nn.utils.prune.random_structured, 9)):
        layer = method(nn.Linear(3, 4), "weight", *((5,) if left == 7 else (1, 0)))
        assert layer.weight_mask.sum().item() == left
        assert gpunet.equal(layer.weight, layer.weight_orig * layer.weight_mask)


def test_a_parametrized_module_is_not_pickled():
    import pickle

    with pytest.raises(RuntimeError, match="a parametrized module cannot be pickled; save its state_dict"):
        pickle.dumps(nn.utils.parametrizations.weight_norm(nn.Linear(2, 2)))
