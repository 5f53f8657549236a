"""Explanations against their definitions: closed forms, finite differences, loops over windows and over orders."""

import itertools

import numpy as np
import pytest

import gpunet
from gpunet import interpret, nn


def network(seed=0):
    gpunet.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(1, 3, 3), nn.Tanh(), nn.Dropout(0.5), nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(),
                         nn.Linear(4 * 4 * 2, 5)).double()


def images(samples=2):
    return gpunet.tensor(np.random.default_rng(1).standard_normal((samples, 1, 8, 6)))


def answers(model, x, target):
    """The outputs in eval mode, one for each sample."""
    model.eval()
    with gpunet.no_grad():
        found = model(x)[range(len(target)), target].numpy()
    model.train()
    return found


def test_gradients_are_those_of_finite_differences():
    model, x, target, step = network(), images(), [1, 3], 1e-6
    slopes = np.zeros(x.shape)
    for place in np.ndindex(*x.shape[1:]):
        more, less = x.clone(), x.clone()
        more[(slice(None), *place)] += step
        less[(slice(None), *place)] -= step
        slopes[(slice(None), *place)] = (answers(model, more, target) - answers(model, less, target)) / (2 * step)
    np.testing.assert_allclose(interpret.saliency(model, x, target, abs=False).numpy(), slopes, atol=1e-7)
    np.testing.assert_allclose(interpret.saliency(model, x, target).numpy(), abs(slopes), atol=1e-7)
    np.testing.assert_allclose(interpret.input_x_gradient(model, x, target).numpy(), x.numpy() * slopes, atol=1e-7)


@pytest.mark.parametrize("baselines", [None, 0.3, gpunet.full((1, 1, 8, 6), -1.0)])
def test_integrated_gradients_are_complete(baselines):
    model, x, target = network(), images(), [1, 3]
    model[4] = nn.Softplus()  # a kink costs the integral its digits
    found, delta = interpret.integrated_gradients(model, x, baselines, target, return_convergence_delta=True)
    start = gpunet.zeros_like(x) + (0.0 if baselines is None else baselines)
    difference = answers(model, x, target) - answers(model, start, target)
    np.testing.assert_allclose(found.sum((1, 2, 3)).numpy() - difference, delta.numpy(), atol=1e-12)
    assert abs(delta.numpy()).max() < 1e-8 * abs(difference).max()
    in_parts = interpret.integrated_gradients(model, x, baselines, target, internal_batch_size=30)
    np.testing.assert_allclose(in_parts.numpy(), found.numpy(), atol=1e-12)


def test_integrated_gradients_of_a_polynomial():
    """x y^2 from 0: x gets x y^2 / 3 and y the rest; two points are exact up to the third degree."""
    x = gpunet.tensor([[2.0, 3.0], [-1.0, 4.0]])
    found = interpret.integrated_gradients(lambda x: x[:, 0] * x[:, 1] ** 2, x, n_steps=2)
    np.testing.assert_allclose(found.numpy(), [[6, 12], [-16 / 3, -32 / 3]], rtol=1e-5)


def test_smooth_grad_averages_over_noise():
    """The mean gradient of x^2 is 2 x, of its square 4 x^2 + 4 s^2."""
    x = gpunet.tensor([[1.0, -2.0]]).repeat(500, 1)
    options = {"n_samples": 10, "stdevs": 0.5, "abs": False}
    gpunet.manual_seed(0)
    mean = interpret.smooth_grad(lambda x: (x**2).sum(1), x, **options)
    squares = interpret.smooth_grad(lambda x: (x**2).sum(1), x, square=True, **options)
    np.testing.assert_allclose(mean.mean(0).numpy(), [2, -4], atol=0.06)
    np.testing.assert_allclose(squares.mean(0).numpy(), [5, 17], rtol=0.05)
    np.testing.assert_allclose(mean.std(0).numpy(), [1 / 10**0.5] * 2, rtol=0.1)  # 2 s / sqrt(samples)
    by = interpret.smooth_grad(lambda x: x.sum(1), x, stdevs=0.0, n_samples=1, method=interpret.integrated_gradients)
    np.testing.assert_allclose(by.numpy(), x.numpy(), rtol=1e-5)


def test_grad_cam_is_its_formula():
    model, x, target = network(), images(), [1, 3]
    model.eval()
    maps = model[:4](x).detach().requires_grad_()
    model[4:](maps)[[0, 1], target].sum().backward()
    weights = maps.grad.numpy().mean((2, 3), keepdims=True)
    expected = (weights * maps.detach().numpy()).sum(1, keepdims=True)
    model.train()
    signed = interpret.grad_cam(model, model[3], x, target, relu_attributions=False)
    np.testing.assert_allclose(signed.numpy(), expected)
    found = interpret.grad_cam(model, model[3], x, target)
    np.testing.assert_allclose(found.numpy(), np.maximum(expected, 0))
    assert interpret.grad_cam(model, model[3], x, target, interpolate=True).shape == (2, 1, 8, 6)


def test_grad_cam_of_a_layer_whose_output_is_changed_in_place():
    model, x = network(), images()
    expected = interpret.grad_cam(model, model[3], x, 2)
    model[4] = nn.ReLU(inplace=True)
    np.testing.assert_array_equal(interpret.grad_cam(model, model[3], x, 2).numpy(), expected.numpy())


@pytest.mark.parametrize("window, strides", [((1, 3, 4), (1, 2, 3)), ((1, 1, 1), 1), ((1, 8, 6), 5)])
def test_occlusion_is_a_loop_over_windows(window, strides):
    model, x, target = network(), images(), [1, 3]
    steps = (1, strides, strides) if isinstance(strides, int) else strides
    starts = [range(0, max(1, n - w + s), s) for n, w, s in zip((1, 8, 6), window, steps, strict=True)]
    total, count = np.zeros(x.shape), np.zeros(x.shape)
    for corner in itertools.product(*starts):
        place = (slice(None), *(slice(at, at + w) for at, w in zip(corner, window, strict=True)))
        covered = x.clone()
        covered[place] = 0.2
        fall = answers(model, x, target) - answers(model, covered, target)
        total[place] += fall[:, None, None, None]
        count[place] += 1
    found = interpret.occlusion(model, x, window, strides, 0.2, target, perturbations_per_eval=7)
    np.testing.assert_allclose(found.numpy(), total / count, atol=1e-12)


PATCHES = gpunet.arange(48).reshape(8, 6) // 12


def test_shapley_values_are_the_mean_over_all_orders():
    model, x, target = network(), images(), [1, 3]
    expected = np.zeros((2, 4))
    for order in itertools.permutations(range(4)):
        shown = gpunet.full_like(x, 0.1)
        before = answers(model, shown, target)
        for feature in order:
            shown = gpunet.where(PATCHES == feature, x, shown)
            now = answers(model, shown, target)
            expected[:, feature] += (now - before) / 24
            before = now
    found = interpret.shapley_values(model, x, 0.1, target, PATCHES, perturbations_per_eval=5)
    np.testing.assert_allclose(found[:, 0, ::2, 0].numpy(), expected, atol=1e-12)
    assert (found.reshape(2, 4, 12) == found.reshape(2, 4, 12)[:, :, :1]).all()
    gpunet.manual_seed(0)
    sampled = interpret.shapley_value_sampling(model, x, 0.1, target, PATCHES.unsqueeze(0), n_samples=400)
    np.testing.assert_allclose(sampled[:, 0, ::2, 0].numpy(), expected, atol=0.06 * abs(expected).max())
    np.testing.assert_allclose(sampled[:, 0, ::2, 0].sum(1).numpy(), expected.sum(1), atol=1e-12)


def test_shapley_values_of_the_glove_game():
    """A left glove and two right ones: a pair is worth 1. The left one gets 2/3, the right ones 1/6 each."""
    found = interpret.shapley_values(lambda x: x[:, 0] * x[:, 1:].amax(1), gpunet.ones(1, 3))
    np.testing.assert_allclose(found.numpy(), [[2 / 3, 1 / 6, 1 / 6]], rtol=1e-6)


def test_feature_visualization_raises_its_channel():
    model = network()
    gpunet.manual_seed(0)
    image = interpret.feature_visualization(model, model[3], 2, (1, 8, 6), steps=40, lr=0.2, total_variation=0.01,
                                            jitter=1, low=-1.0)
    assert image.shape == (1, 8, 6) and -1 <= float(image.min()) and float(image.max()) <= 1
    model.eval()
    others = [float(model[:4](gpunet.rand(1, 1, 8, 6).double() * 2 - 1)[0, 2].mean()) for _ in range(50)]
    assert float(model[:4](image.unsqueeze(0))[0, 2].mean()) > max(others)
    smooth, rough = (interpret.feature_visualization(model, None, 0, (1, 8, 6), 40, 0.2, total_variation=weight)
                     for weight in (3.0, 0.0))
    assert abs(np.diff(smooth.numpy())).mean() < 0.5 * abs(np.diff(rough.numpy())).mean()


METHODS = [
    lambda model, x, t: interpret.saliency(model, x, t),
    lambda model, x, t: interpret.integrated_gradients(model, x, target=t, n_steps=2),
    lambda model, x, t: interpret.smooth_grad(model, x, t, n_samples=1),
    lambda model, x, t: interpret.grad_cam(model, model[3], x, t),
    lambda model, x, t: interpret.occlusion(model, x, (1, 8, 6), target=t),
    lambda model, x, t: interpret.shapley_values(model, x, target=t, feature_mask=PATCHES),
    lambda model, x, t: interpret.shapley_value_sampling(model, x, target=t, feature_mask=PATCHES, n_samples=1),
    lambda model, x, t: interpret.feature_visualization(model, None, 9 if t == 9 else 0, (1, 8, 6), steps=1),
]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("target, fails", [(0, False), (9, True)])
def test_the_model_is_as_it_was(method, target, fails):
    model = network()
    model[2].eval()  # a part in another mode than the whole
    model[0].weight.requires_grad_(False)
    model[6].weight.grad = gpunet.ones_like(model[6].weight)
    modes = [each.training for each in model.modules()]
    if fails:
        with pytest.raises(ValueError, match="9"):
            method(model, images(), target)
    else:
        method(model, images(), target)
    assert [each.training for each in model.modules()] == modes
    assert [p.requires_grad for p in model.parameters()] == [False, True, True, True, True, True]
    assert (model[6].weight.grad == 1).all() and model[3].weight.grad is None
    assert not any(each._forward_hooks for each in model.modules())
    with gpunet.no_grad():  # where gradients are off, explanations still work
        if not fails:
            method(model, images(), target)


@pytest.mark.parametrize("run, message", [
    (lambda m, x: interpret.saliency(m, x.long(), 0), "have no gradient"),
    (lambda m, x: interpret.saliency(m, x[:0], 0), "at least one sample"),
    (lambda m, x: interpret.saliency(m, x), "need a target"),
    (lambda m, x: interpret.saliency(m, x, [1]), "one class for each sample"),
    (lambda m, x: interpret.saliency(m, x, (1, 2)), "is no place in outputs"),
    (lambda m, x: interpret.saliency(lambda x: x.detach().sum((1, 2, 3)), x), "does not depend"),
    (lambda m, x: interpret.saliency(lambda x: x.sum(), x), "whose first size is the batch's"),
    (lambda m, x: interpret.integrated_gradients(m, x, gpunet.zeros(3), 0), "baselines of shape"),
    (lambda m, x: interpret.grad_cam(m, nn.ReLU(), x, 0), "is no layer of"),
    (lambda m, x: interpret.grad_cam(m, m[6], x, 0), "choose a layer with maps"),
    (lambda m, x: interpret.grad_cam(m, "3", x, 0), "one of the model's modules"),
    (lambda m, x: interpret.occlusion(m, x, (3, 3), target=0), "a window"),
    (lambda m, x: interpret.occlusion(m, x, (1, 3, 3), 4, target=0), "strides"),
    (lambda m, x: interpret.shapley_values(m, x, target=0), "2.48 sets"),
    (lambda m, x: interpret.shapley_values(m, x, target=0, feature_mask=gpunet.zeros(5)), "feature_mask of shape"),
    (lambda m, x: interpret.shapley_value_sampling(m, x, target=0, n_samples=0), "n_samples must be at least 1"),
    (lambda m, x: interpret.feature_visualization(m, None, 0, (1, 8, 6), start=x[0]), "start must have the shape"),
])
def test_errors_say_what_is_wrong(run, message):
    with pytest.raises((TypeError, ValueError), match=message):
        run(network(), images())
