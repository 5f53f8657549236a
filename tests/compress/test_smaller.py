"""Pruning, distillation, and the table."""

import numpy as np
import pytest

import gpunet
from gpunet import compress, nn, optim


def test_the_smallest_weights_go_and_stay_away():
    gpunet.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Linear(16, 10))
    before = [model[0].weight.detach().numpy().copy(), model[2].weight.detach().numpy().copy()]
    sizes = np.sort(np.abs(np.concatenate([each.ravel() for each in before])))
    threshold = sizes[round(0.6 * len(sizes))]
    compress.prune_weights(model, 0.6)
    for layer, old in zip((model[0], model[2]), before, strict=True):
        np.testing.assert_array_equal(layer.weight.detach().numpy(), np.where(abs(old) < threshold, 0, old))
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        model(gpunet.ones(2, 1, 4, 4)).square().mean().backward()
        optimizer.step()
    model(gpunet.ones(2, 1, 4, 4))
    assert compress.sparsity(model) == pytest.approx(0.6, abs=0.01)
    compress.prune_weights(model, 0.8, permanent=True)  # of all, those of before included
    assert compress.sparsity(model) == pytest.approx(0.8, abs=0.01)
    assert "2.weight" in model.state_dict() and not any("mask" in name for name in model.state_dict())
    with pytest.raises(ValueError, match="share from 0 to 1"):
        compress.prune_weights(model, 1.5)


def test_removed_units_are_as_if_they_were_silent():
    """The smaller model is the large one with the outputs of its weakest units set to 0."""
    gpunet.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(2, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
                          nn.Linear(32, 12), nn.Tanh(), nn.Linear(12, 3))
    model(gpunet.randn(20, 2, 6, 6))  # statistics
    model.eval()
    small = compress.remove_units(model, 0.5)
    assert (small[0].out_channels, small[1].num_features, small[5].in_features, small[5].out_features,
            small[7].in_features) == (4, 4, 16, 6, 6)
    x = gpunet.randn(5, 2, 6, 6)
    with gpunet.no_grad():
        for index, following in ((0, 2), (5, 6)):
            weak = model[index].weight.flatten(1).norm(dim=1).argsort()[: model[index].weight.shape[0] // 2]

            def silence(layer, args, output, weak=weak):
                output[:, weak] = 0
                return output

            model[following].register_forward_hook(silence)
        np.testing.assert_allclose(small(x).numpy(), model(x).numpy(), atol=1e-6)
    small.train()(x).sum().backward()
    assert all(p.grad.shape == p.shape for p in small.parameters())
    with pytest.raises(ValueError, match=r"layer 1 \(Softmax\) may mix units"):
        compress.remove_units(nn.Sequential(nn.Linear(2, 2), nn.Softmax(1), nn.Linear(2, 2)), 0.5)
    with pytest.raises(ValueError, match="expected a Sequential"):
        compress.remove_units(nn.Linear(2, 2), 0.5)


def test_distillation_is_hintons_formula():
    random = np.random.default_rng(0)
    s, t, y = random.standard_normal((6, 4)), random.standard_normal((6, 4)), random.integers(0, 4, 6)

    def softmax(x):
        return np.exp(x) / np.exp(x).sum(1, keepdims=True)

    p, q = softmax(t / 3), softmax(s / 3)
    soft = 9 * (p * np.log(p / q)).sum(1).mean()
    hard = -np.log(softmax(s)[range(6), y]).mean()
    student, teacher = gpunet.tensor(s, requires_grad=True), gpunet.tensor(t, requires_grad=True)
    loss = compress.distillation_loss(student, teacher, gpunet.tensor(y), temperature=3.0, alpha=0.7)
    assert loss.item() == pytest.approx(0.7 * soft + 0.3 * hard)
    assert compress.distillation_loss(student, teacher, temperature=3.0).item() == pytest.approx(soft)
    loss.backward()
    expected = (0.7 * 3 * (q - p) + 0.3 * (softmax(s) - np.eye(4)[y])) / 6
    np.testing.assert_allclose(student.grad.numpy(), expected, atol=1e-12)
    assert teacher.grad is None
    for bad, message in [((student[0], teacher), "one shape"), ((student, teacher, None, 0.0), "temperature")]:
        with pytest.raises(ValueError, match=message):
            compress.distillation_loss(*bad)


def test_the_table():
    model = nn.Sequential(nn.Linear(20, 30), nn.Dropout(0.5), nn.Linear(30, 3))
    model[1].eval()
    x = gpunet.randn(50, 20)
    right = nn.Sequential(*model).eval()(x).argmax(1)
    model.train()
    model[1].eval()
    found = compress.compare({"float32": model, "int8": compress.quantize_dynamic(model)}, x, right, repeats=2)
    assert [row.name for row in found] == ["float32", "int8"] and found[0].accuracy == 1 and found[1].accuracy > 0.9
    assert found[0].bytes == 4 * (20 * 30 + 30 + 30 * 3 + 3) and found[1].bytes == 20 * 30 + 30 * 3 + 8 * 33
    assert all(row.milliseconds > 0 for row in found) and model.training and not model[1].training
    with pytest.raises(ValueError, match="repeats"):
        compress.compare({}, x, right, repeats=0)
