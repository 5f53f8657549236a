"""Gradients of single examples against a loop of single examples; the clipped, noisy step; the whole engine."""

import numpy as np
import pytest

import gpunet
import gpunet.nn.functional as F
from gpunet import nn, optim
from gpunet.data import DataLoader, TensorDataset
from gpunet.privacy import DPOptimizer, PerSampleGradients, PoissonBatchSampler, PrivacyEngine

N = 4


class Twice(nn.Module):
    """One layer used twice, a parameter of its own, and one that is frozen."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 3)
        self.scale = nn.Parameter(gpunet.rand(3))
        self.layer.bias.requires_grad_(False)

    def forward(self, x):
        return self.layer(self.layer(x).tanh()) * self.scale


class Last(nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        return self.layer(x)[0]


class Self(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)

    def forward(self, x):
        return self.attention(x, x, x)[0]


NETWORKS = {
    "linear": (lambda: nn.Sequential(nn.Linear(3, 5), nn.ReLU(inplace=True), nn.Linear(5, 2, bias=False)), (3,)),
    "linear on rows": (lambda: nn.Linear(3, 5), (2, 6, 3)),
    "conv2d": (lambda: nn.Sequential(nn.Conv2d(4, 6, 3, 2, 1, groups=2), nn.ReLU(),
                                     nn.Conv2d(6, 2, (2, 1), dilation=2)), (4, 7, 6)),
    "conv1d": (lambda: nn.Conv1d(2, 4, 3, padding="same"), (2, 5)),
    "conv3d": (lambda: nn.Conv3d(1, 2, 2), (1, 3, 3, 2)),
    "reflecting conv": (lambda: nn.Conv2d(1, 2, 3, padding=1, padding_mode="reflect"), (1, 4, 4)),
    "transposed conv": (lambda: nn.ConvTranspose2d(2, 3, 2), (2, 3, 3)),
    "norms": (lambda: nn.Sequential(nn.GroupNorm(2, 4), nn.Flatten(), nn.LayerNorm(12), nn.PReLU()), (4, 3)),
    "lstm": (lambda: Last(nn.LSTM(3, 2, batch_first=True)), (5, 3)),
    "attention": (Self, (5, 4)),
    "encoder": (lambda: nn.TransformerEncoderLayer(4, 2, 8, dropout=0.0, batch_first=True), (3, 4)),
    "used twice": (Twice, (3,)),
}


def examples(shape, samples=N):
    return gpunet.tensor(np.random.default_rng(0).standard_normal((samples, *shape)))


def loss_of(model, x):
    return (model(x) ** 2).flatten(1).sum(1)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_each_example_has_the_gradient_of_its_own(name, reduction):
    gpunet.manual_seed(0)
    make, shape = NETWORKS[name]
    model, x = make().double(), examples(shape)
    parameters = [p for p in model.parameters() if p.requires_grad]
    alone = [gpunet.autograd.grad(loss_of(model, x[n:n + 1]).sum(), parameters) for n in range(N)]
    with PerSampleGradients(model, reduction):
        getattr(loss_of(model, x), reduction)().backward()
    for index, parameter in enumerate(parameters):
        expected = np.stack([each[index].numpy() for each in alone])
        np.testing.assert_allclose(parameter.grad_sample.numpy(), expected, atol=1e-12)
        total = getattr(expected, reduction)(0)
        np.testing.assert_allclose(parameter.grad.numpy(), total, atol=1e-12)
    assert not any(hasattr(p, "grad_sample") for p in model.parameters() if not p.requires_grad)


def test_embeddings_have_gradients_of_examples():
    model = nn.Embedding(5, 2)
    tokens = gpunet.tensor([[0, 1, 1], [4, 4, 4]])
    with PerSampleGradients(model, "sum"):
        model(tokens).sum().backward()
    counts = [[1, 2, 0, 0, 0], [0, 0, 0, 0, 3]]
    np.testing.assert_array_equal(model.weight.grad_sample[:, :, 0].numpy(), counts)


def test_the_step_clips_and_adds_noise():
    """A step of SGD against the formula: noise of the same seed, each example's norm over all parameters."""
    gpunet.manual_seed(1)
    model, x = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)), examples((3,)).float()
    parameters = list(model.parameters())
    alone = [gpunet.autograd.grad(loss_of(model, x[n:n + 1]).sum(), parameters) for n in range(N)]
    norms = [float(sum(float((g**2).sum()) for g in each)) ** 0.5 for each in alone]
    bound = float(np.median(norms))
    noise = gpunet.Generator().manual_seed(7)
    expected = []
    for index, p in enumerate(parameters):
        clipped = sum(each[index].numpy() * min(1, bound / norm) for each, norm in zip(alone, norms, strict=True))
        drawn = gpunet.empty_like(p, requires_grad=False).normal_(generator=noise).numpy()
        expected.append(p.detach().numpy() - 0.5 * (clipped + 1.5 * bound * drawn) / 8)
    optimizer = DPOptimizer(optim.SGD(model.parameters(), lr=0.5), PerSampleGradients(model), 1.5, bound, 8,
                            generator=gpunet.Generator().manual_seed(7))
    loss_of(model, x).mean().backward()
    optimizer.step()
    for p, wanted in zip(parameters, expected, strict=True):
        np.testing.assert_allclose(p.detach().numpy(), wanted, atol=1e-6)
        assert not hasattr(p, "grad_sample")


def test_no_example_moves_the_sum_by_more_than_the_bound():
    gpunet.manual_seed(0)
    model = nn.Linear(3, 2)
    optimizer = DPOptimizer(optim.SGD(model.parameters(), lr=1.0), PerSampleGradients(model), 0.0, 0.25)
    x = examples((3,), 1).float() * 1e4
    loss_of(model, x).mean().backward()
    sums = optimizer.clipped_sum().values()
    assert sum(float((each**2).sum()) for each in sums) ** 0.5 == pytest.approx(0.25, rel=1e-5)


def test_schedules_and_checkpoints_reach_the_optimizer():
    model = nn.Linear(2, 2)
    inner = optim.Adam(model.parameters(), lr=1.0)
    optimizer = DPOptimizer(inner, PerSampleGradients(model), 1.0, 1.0)
    schedule = optim.lr_scheduler.StepLR(optimizer, 1, 0.5)
    model(gpunet.rand(3, 2)).mean().backward()
    optimizer.step()
    schedule.step()
    assert inner.param_groups[0]["lr"] == 0.5
    fresh = DPOptimizer(optim.Adam(model.parameters()), PerSampleGradients(nn.Linear(1, 1)), 1.0, 1.0)
    fresh.load_state_dict(optimizer.state_dict())
    assert fresh.param_groups[0]["lr"] == 0.5 and len(fresh.state) == 2


def test_poisson_batches():
    batches = list(PoissonBatchSampler(200, 0.1, steps=400, generator=gpunet.Generator().manual_seed(0)))
    sizes = np.array([len(batch) for batch in batches])
    assert len(batches) == 400 and all(batch == sorted(set(batch)) for batch in batches)
    assert sizes.mean() == pytest.approx(20, abs=1) and sizes.var() == pytest.approx(18, rel=0.25)
    counts = np.bincount(np.concatenate(batches), minlength=200)
    assert counts.min() > 10 and counts.max() < 75


def test_private_training_learns_and_counts():
    gpunet.manual_seed(0)
    x = gpunet.randn(400, 4)
    y = (x[:, 0] > x[:, 1]).long()
    model = nn.Linear(4, 2)
    engine = PrivacyEngine()
    model, optimizer, loader = engine.make_private_with_epsilon(
        module=model, optimizer=optim.SGD(model.parameters(), lr=1.0),
        data_loader=DataLoader(TensorDataset(x, y), batch_size=40), target_epsilon=3.0, target_delta=1e-3, epochs=4,
        max_grad_norm=1.0)
    for _ in range(4):
        for inputs, targets in loader:
            optimizer.zero_grad()
            F.cross_entropy(model(inputs), targets).backward()
            optimizer.step()
    assert 2.9 < engine.get_epsilon(1e-3) <= 3.0 and len(engine.accountant) == 40
    assert (model(x).argmax(1) == y).float().mean() > 0.9


def test_an_empty_batch_is_a_step_of_noise():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 2), nn.LayerNorm(2))
    pairs = TensorDataset(gpunet.rand(5, 1, 4, 4), gpunet.zeros(5).long())
    _, optimizer, loader = PrivacyEngine().make_private(
        module=model, optimizer=optim.SGD(model.parameters(), lr=1.0), data_loader=DataLoader(pairs, batch_size=1),
        noise_multiplier=1.0, max_grad_norm=1.0)
    inputs, targets = loader.collate_fn([])
    assert inputs.shape == (0, 1, 4, 4) and targets.shape == (0,)
    before = model[0].weight.detach().clone()
    F.cross_entropy(model(inputs), targets).backward()
    optimizer.step()
    assert all(p.isfinite().all() for p in model.parameters()) and (model[0].weight != before).all()


def test_errors_say_what_is_wrong():
    for layer, message in [(nn.BatchNorm1d(3), "mixes the examples"), (nn.LSTM(2, 2), "batch_first=True"),
                           (nn.GRU(2, 2, 2, batch_first=True, dropout=0.1), "dropout=0")]:
        with pytest.raises(ValueError, match=message):
            PerSampleGradients(nn.Sequential(layer))
    model = nn.Linear(2, 2)
    optimizer = DPOptimizer(optim.SGD(model.parameters(), lr=1.0), PerSampleGradients(model), 1.0, 1.0)
    with pytest.raises(RuntimeError, match="no gradients of examples"):
        optimizer.step()
    model(gpunet.rand(3, 2)).sum().backward()
    with pytest.raises(RuntimeError, match="an earlier forward pass"):
        model(gpunet.rand(3, 2)).sum().backward()
    for noise, norm, message in [(-1.0, 1.0, "noise_multiplier"), (1.0, 0.0, "max_grad_norm")]:
        with pytest.raises(ValueError, match=message):
            DPOptimizer(optim.SGD(model.parameters(), lr=1.0), PerSampleGradients(model), noise, norm)
    with pytest.raises(ValueError, match="sample_rate"):
        PoissonBatchSampler(3, 0.0)
    with pytest.raises(ValueError, match="batch_size"):
        loader = DataLoader(TensorDataset(gpunet.rand(4, 2)), batch_sampler=PoissonBatchSampler(4, 0.5))
        PrivacyEngine().make_private(module=model, optimizer=optim.SGD(model.parameters(), lr=1.0), data_loader=loader,
                                     noise_multiplier=1.0, max_grad_norm=1.0)


def test_the_module_is_left_as_it_was():
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    PerSampleGradients(model).remove()
    model(gpunet.rand(3, 2)).sum().backward()
    assert not hasattr(model[0].weight, "grad_sample")
