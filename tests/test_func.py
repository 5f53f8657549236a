"""Modules as functions of their parameters."""

import pytest

import gpunet
from gpunet import nn
from gpunet.func import functional_call, stack_module_state
from tests.both import same_in_both


def test_a_step_of_gradient_descent_that_is_differentiated():
    """The idiom of meta-learning, in both libraries."""
    def program(library):
        from importlib import import_module

        call = import_module(f"{library.__name__}.func").functional_call
        model = library.nn.Sequential(library.nn.Linear(2, 3), library.nn.BatchNorm1d(3), library.nn.Linear(3, 1))
        model.eval()
        with library.no_grad():
            for i, p in enumerate(model.parameters()):
                p.copy_(library.linspace(-1, 1 + i, p.numel()).reshape(p.shape))
        x, y = library.linspace(-1, 1, 8).reshape(4, 2), library.ones(4, 1)
        weights = dict(model.named_parameters())
        for _ in range(2):
            loss = ((call(model, weights, x) - y) ** 2).mean()
            gradients = library.autograd.grad(loss, list(weights.values()), create_graph=True)
            weights = {name: w - 0.1 * g for (name, w), g in zip(weights.items(), gradients, strict=True)}
        ((call(model, (weights, dict(model.named_buffers())), (x,)) - y) ** 2).mean().backward()
        return [p.grad for p in model.parameters()]

    same_in_both(program, 1e-4)


def test_the_module_is_as_before():
    model = nn.Linear(2, 2)
    weight = model.weight
    with pytest.raises(RuntimeError, match="linear"):
        functional_call(model, {"weight": gpunet.ones(5, 5)}, gpunet.ones(1, 2))
    assert model.weight is weight and list(dict(model.named_parameters())) == ["weight", "bias"]


def test_shared_parameters():
    model = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False))
    model[1].weight = model[0].weight
    ones, zeros = gpunet.ones(2, 2), gpunet.zeros(2, 2)
    assert functional_call(model, {"0.weight": ones}, gpunet.ones(2)).tolist() == [4.0, 4.0]
    assert functional_call(model, {"0.weight": ones, "1.weight": zeros}, gpunet.ones(2),
                           tie_weights=False).tolist() == [0.0, 0.0]
    with pytest.raises(ValueError, match=r"0\.weight and 1\.weight are one parameter"):
        functional_call(model, {"0.weight": ones, "1.weight": zeros}, gpunet.ones(2))


def test_errors():
    model = nn.Linear(2, 2)
    with pytest.raises(RuntimeError, match="no parameter or buffer scale"):
        functional_call(model, {"scale": gpunet.ones(1)}, gpunet.ones(2))
    with pytest.raises(RuntimeError, match="no tensor is given for bias"):
        functional_call(model, {"weight": gpunet.ones(2, 2)}, gpunet.ones(2), strict=True)
    with pytest.raises(KeyError, match="weight"):
        functional_call(model, [{"weight": gpunet.ones(2, 2)}] * 2, gpunet.ones(2))
    for models, message in (([], "at least one"), ([nn.Linear(1, 1), nn.ReLU()], "same class"),
                            ([nn.Linear(1, 1), nn.Linear(1, 1).eval()], "training/eval")):
        with pytest.raises(RuntimeError, match=message):
            stack_module_state(models)


def test_states_are_stacked():
    models = [nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)) for _ in range(4)]
    parameters, buffers = stack_module_state(models)
    assert parameters["0.weight"].shape == (4, 3, 2) and parameters["0.weight"].is_leaf
    assert parameters["0.weight"].requires_grad and not buffers["1.running_mean"].requires_grad
    x = gpunet.rand(5, 2)
    for i, model in enumerate(models):
        parts = [{name: tensor[i] for name, tensor in part.items()} for part in (parameters, buffers)]
        found = functional_call(model, parts, x)
        assert (found == model.eval().train()(x)).all()
