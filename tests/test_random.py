"""Random numbers: Philox's published answers, distributions against SciPy, and streams that can be repeated."""

import numpy as np
import pytest

import gpunet
from gpunet import random

N = 200_000


def block(counter, key):
    """One block of Philox 4x32-10 for four counter words and two key words."""
    return [f"{w:08x}" for w in random.philox(*(np.array([c], np.uint64) for c in counter), *key)[0]]


@pytest.mark.parametrize(("counter", "key", "expected"), [
    # kat_vectors of the Random123 distribution (Salmon et al., 2011)
    ([0] * 4, [0] * 2, "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ([0xFFFFFFFF] * 4, [0xFFFFFFFF] * 2, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ([0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344], [0xA4093822, 0x299F31D0], "d16cfe09 94fdcceb 5001e420 24126ea1"),
])
def test_philox_known_answers(counter, key, expected):
    assert " ".join(block(counter, key)) == expected


def test_blocks_are_counted_from_the_seed():
    state = np.array([0, 0], np.uint64)
    assert [f"{w:08x}" for w in random.words(state, 0, 1)[0]] == ["6627e8d5", "e169c58d", "bc57ac4c", "9b00dbd8"]
    np.testing.assert_array_equal(random.words(state, 5, 3), random.words(np.array([0, 3], np.uint64), 2, 3))
    over = np.array([0, 2**32 - 1], np.uint64)  # the counter's first word overflows into the second
    assert len({tuple(b) for b in random.words(over, 0, 4).tolist()}) == 4
    np.testing.assert_array_equal(random.words(over, 1, 1), random.words(np.array([0, 2**32], np.uint64), 0, 1))


# ---- streams


def draws():
    return [gpunet.rand(5), gpunet.randn(3, 2), gpunet.randint(0, 100, (7,)), gpunet.randperm(9),
            gpunet.dropout(gpunet.ones(20), 0.5), gpunet.rand(3, dtype=gpunet.float64),
            gpunet.bernoulli(gpunet.full((9,), 0.5))]


def equal(left, right):
    return all(a.tolist() == b.tolist() for a, b in zip(left, right, strict=True))


def test_one_seed_gives_one_stream():
    assert gpunet.manual_seed(7) is gpunet.default_generator
    first, second = draws(), draws()
    gpunet.manual_seed(7)
    again = draws()
    gpunet.manual_seed(8)
    assert equal(first, again) and not equal(first, second) and not equal(first, draws())
    assert gpunet.initial_seed() == 8


def test_numbers_are_the_same_on_every_device(gpu):
    gpunet.manual_seed(3)
    expected = [gpunet.rand(1031), gpunet.randn(1031), gpunet.randn(5, dtype=gpunet.float64),
                gpunet.randint(-5, 10**6, (99,)),
                gpunet.randperm(100), gpunet.dropout(gpunet.ones(1031), 0.3)]
    gpunet.manual_seed(3)
    found = [gpunet.rand(1031, device=gpu), gpunet.randn(1031, device=gpu),
             gpunet.randn(5, dtype=gpunet.float64, device=gpu),
             gpunet.randint(-5, 10**6, (99,), device=gpu), gpunet.randperm(100, device=gpu),
             gpunet.dropout(gpunet.ones(1031, device=gpu), 0.3)]
    for a, e in zip(found, expected, strict=True):
        assert a.device.type == gpu
        np.testing.assert_array_equal(a.cpu().numpy(), e.numpy())


def test_state_can_be_taken_and_given_back():
    gpunet.rand(3)
    state = gpunet.get_rng_state()
    first = draws()
    gpunet.set_rng_state(state)
    assert equal(first, draws())
    with pytest.raises(RuntimeError,
                       match="Generator.set_state: expected the tensor of two uint64 that get_state gave"):
        gpunet.set_rng_state(gpunet.zeros(3))


def test_generators_are_independent():
    a, b = gpunet.Generator().manual_seed(1), gpunet.Generator().manual_seed(1)
    before = gpunet.get_rng_state().tolist()
    assert gpunet.rand(4, generator=a).tolist() == gpunet.rand(4, generator=b).tolist()
    assert gpunet.rand(4, generator=a).tolist() == gpunet.rand(4, generator=b).tolist()
    assert gpunet.get_rng_state().tolist() == before
    assert gpunet.Generator().seed() != gpunet.Generator().seed()
    big = gpunet.Generator().manual_seed(-1)
    assert big.initial_seed() == 2**64 - 1


def test_seeds_that_differ_little_give_unrelated_numbers():
    rows = np.stack([gpunet.rand(1000, generator=gpunet.Generator().manual_seed(s)).numpy() for s in range(20)])
    assert np.abs(np.corrcoef(rows) - np.eye(20)).max() < 0.15


# ---- distributions


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_uniform(dtype):
    stats = pytest.importorskip("scipy.stats")
    x = gpunet.rand(N, dtype=getattr(gpunet, dtype)).numpy().astype(float)
    assert x.min() >= 0 and x.max() < 1
    assert stats.kstest(x, "uniform").pvalue > 1e-3
    assert stats.kstest(x[::4], "uniform").pvalue > 1e-3  # one word of each block
    assert abs(np.corrcoef(x[:-1], x[1:])[0, 1]) < 4 / N**0.5


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_normal(dtype):
    stats = pytest.importorskip("scipy.stats")
    x = gpunet.randn(N, dtype=getattr(gpunet, dtype)).numpy().astype(float)
    assert np.isfinite(x).all() and stats.kstest(x, "norm").pvalue > 1e-3
    assert abs(x.mean()) < 4 / N**0.5 and abs(x.var() - 1) < 6 * (2 / N) ** 0.5
    assert abs(stats.skew(x)) < 4 * (6 / N) ** 0.5 and abs(stats.kurtosis(x)) < 4 * (24 / N) ** 0.5
    y = gpunet.normal(3.0, 0.5, (N,)).numpy()
    assert abs(y.mean() - 3) < 0.01 and abs(y.std() - 0.5) < 0.01


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_types(dtype):
    x = gpunet.rand(N, dtype=getattr(gpunet, dtype))
    assert x.dtype.name == dtype and 0 <= x.min().item() and x.max().item() <= 1
    assert abs(x.float().mean().item() - 0.5) < 0.01
    assert abs(gpunet.randn(N, dtype=getattr(gpunet, dtype)).float().std().item() - 1) < 0.01


def test_normal_quantile():
    stats = pytest.importorskip("scipy.stats")
    p = np.concatenate([np.linspace(1e-6, 1 - 1e-6, 100_001), np.logspace(-300, -1, 1000),
                        [0.5, 2.0**-33, 1 - 2.0**-33]])
    np.testing.assert_allclose(random.normal_quantile(p), stats.norm.ppf(p), rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_dropout(p):
    x = gpunet.ones(N, requires_grad=True)
    y = gpunet.dropout(x, p)
    kept = y.detach().numpy() != 0
    assert abs(kept.mean() - (1 - p)) <= 4 * (p * (1 - p) / N) ** 0.5
    if p < 1:
        np.testing.assert_allclose(y.detach().numpy()[kept], 1 / (1 - p), rtol=1e-6)
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), y.detach().numpy())
    assert gpunet.dropout(x, p, training=False) is x


def test_dropout_second_derivative_and_types():
    x = gpunet.ones(50, dtype=gpunet.float64, requires_grad=True)

    def dropped(t):
        gpunet.manual_seed(5)
        return gpunet.dropout(t, 0.4) ** 2

    assert gpunet.autograd.gradcheck(dropped, x, fast_mode=True)
    assert gpunet.autograd.gradgradcheck(dropped, x, fast_mode=True)
    assert gpunet.dropout(gpunet.ones(5, dtype=gpunet.bfloat16)).dtype is gpunet.bfloat16
    assert gpunet.dropout(gpunet.ones(0)).shape == (0,) and gpunet.dropout(gpunet.ones(())).shape == ()
    z = gpunet.ones(100)
    assert gpunet.dropout(z, 0.5, inplace=True) is z and 0 < (z == 0).sum().item() < 100


def test_randint():
    stats = pytest.importorskip("scipy.stats")
    x = gpunet.randint(-3, 11, (N,))
    assert x.dtype is gpunet.int64 and x.min().item() == -3 and x.max().item() == 10
    assert stats.chisquare(np.bincount(x.numpy() + 3, minlength=14)).pvalue > 1e-3
    assert gpunet.randint(5, (3, 2)).shape == (3, 2) and gpunet.randint(2, (4,), dtype=gpunet.int8).dtype is gpunet.int8
    wide = gpunet.randint(0, 2**32, (N,)).numpy()
    assert wide.min() >= 0 and wide.max() < 2**32 and stats.kstest(wide / 2**32, "uniform").pvalue > 1e-3
    shifted = gpunet.randint(10**12, 10**12 + 3 * 10**9, (N,)).numpy() - 10**12
    assert shifted.min() >= 0 and shifted.max() < 3 * 10**9 and stats.kstest(shifted / 3e9, "uniform").pvalue > 1e-3


def test_randperm():
    for n in (0, 1, 2, 1000):
        assert sorted(gpunet.randperm(n).tolist()) == list(range(n))
    orders = {tuple(gpunet.randperm(3).tolist()) for _ in range(200)}
    assert len(orders) == 6 and gpunet.randperm(4).dtype is gpunet.int64
    places = np.bincount([gpunet.randperm(4).tolist().index(0) for _ in range(2000)], minlength=4)
    assert pytest.importorskip("scipy.stats").chisquare(places).pvalue > 1e-3


def test_bernoulli():
    p = gpunet.full((N,), 0.3)
    x = gpunet.bernoulli(p)
    assert x.dtype is gpunet.float32 and set(np.unique(x.numpy())) == {0, 1}
    assert abs(x.mean().item() - 0.3) < 0.01
    assert abs(gpunet.empty(N).bernoulli_(0.7).mean().item() - 0.7) < 0.01
    assert gpunet.bernoulli(gpunet.zeros(100)).sum().item() == 0
    assert gpunet.bernoulli(gpunet.ones(100)).sum().item() == 100


def test_fills_in_place():
    x = gpunet.empty(N)
    assert x.uniform_(-2, 3) is x and -2 <= x.min().item() and x.max().item() < 3 and abs(x.mean().item() - 0.5) < 0.02
    assert x.normal_(1, 2) is x and abs(x.mean().item() - 1) < 0.02 and abs(x.std().item() - 2) < 0.02
    leaf = gpunet.ones(3, requires_grad=True)
    with pytest.raises(RuntimeError, match="requires gradients cannot be filled while operations are recorded"):
        leaf.uniform_()
    with gpunet.no_grad():
        leaf.normal_()
    assert leaf.requires_grad


def test_likes_and_empty_sizes():
    x = gpunet.zeros(2, 3, dtype=gpunet.float64)
    assert gpunet.rand_like(x).dtype is gpunet.randn_like(x).dtype is gpunet.float64
    assert gpunet.rand_like(x).shape == gpunet.randn_like(x).shape == (2, 3)
    assert gpunet.rand(0).shape == (0,) and gpunet.randn(2, 0).shape == (2, 0) and gpunet.rand(()).shape == ()
    assert gpunet.rand(2, requires_grad=True).requires_grad


def test_normal_of_tensors():
    mean, std = gpunet.full((50_000, 2), 3.0), gpunet.tensor([0.5, 2.0])
    drawn = gpunet.normal(mean, std)
    assert drawn.shape == (50_000, 2)
    np.testing.assert_allclose(drawn.mean(0).tolist(), [3, 3], atol=0.05)
    np.testing.assert_allclose(drawn.std(0).tolist(), [0.5, 2], rtol=0.02)
    assert gpunet.normal(gpunet.zeros(4), 0.0).tolist() == [0] * 4
    assert gpunet.normal(1.0, gpunet.zeros(3)).tolist() == [1] * 3
    assert gpunet.normal(0.0, 1.0, (2, 3), dtype=gpunet.float64).dtype is gpunet.float64


@pytest.mark.parametrize(("fill", "distribution"), [
    (lambda t: t.exponential_(2.0), ("expon", (), {"scale": 0.5})),
    (lambda t: t.cauchy_(1.0, 0.5), ("cauchy", (), {"loc": 1.0, "scale": 0.5})),
    (lambda t: t.log_normal_(0.5, 0.25), ("lognorm", (0.25,), {"scale": np.exp(0.5)})),
])
def test_fills_follow_their_distribution(fill, distribution):
    stats = pytest.importorskip("scipy.stats")
    name, shape, options = distribution
    drawn = fill(gpunet.empty(20_000, dtype=gpunet.float64)).numpy()
    assert stats.kstest(drawn, getattr(stats, name)(*shape, **options).cdf).pvalue > 1e-3


def test_geometric_and_random_integers():
    drawn = gpunet.empty(50_000, dtype=gpunet.int64).geometric_(0.25)
    assert drawn.min() == 1 and abs(drawn.double().mean().item() - 4) < 0.1
    values = gpunet.empty(5_000, dtype=gpunet.int64).random_(3, 6)
    assert sorted(set(values.tolist())) == [3, 4, 5]
    assert set(gpunet.empty(500, dtype=gpunet.bool).random_().tolist()) == {True, False}
    assert gpunet.empty(500, dtype=gpunet.int8).random_().min() >= 0
    like = gpunet.randint_like(gpunet.zeros(1_000, dtype=gpunet.float64), 2, 5)
    assert like.dtype is gpunet.float64 and set(like.tolist()) == {2.0, 3.0, 4.0}


@pytest.mark.parametrize("replacement", [True, False])
def test_multinomial(device, replacement):
    weights = gpunet.tensor([[1.0, 0.0, 3.0, 0.0], [0.0, 2.0, 1.0, 1.0]], device=device)
    drawn = gpunet.multinomial(weights.repeat(1000, 1), 2, replacement).cpu().numpy().reshape(1000, 2, 2)
    assert drawn.dtype == np.int64
    first = [np.bincount(drawn[:, row, 0], minlength=4) / 1000 for row in range(2)]
    np.testing.assert_allclose(first, [[0.25, 0, 0.75, 0], [0, 0.5, 0.25, 0.25]], atol=0.06)
    assert replacement == (drawn[:, :, 0] == drawn[:, :, 1]).any()
    gpunet.manual_seed(5)
    again = gpunet.multinomial(weights[0], 2, replacement)
    gpunet.manual_seed(5)
    assert again.tolist() == gpunet.multinomial(weights[0].cpu(), 2, replacement).tolist()


def test_multinomial_of_one_category_and_many_draws():
    assert gpunet.multinomial(gpunet.tensor([0.0, 0.0, 5.0]), 100, True).tolist() == [2] * 100
    drawn = gpunet.multinomial(gpunet.tensor([0.2, 0.3, 0.5]), 50_000, True)
    np.testing.assert_allclose(np.bincount(drawn.numpy()) / 50_000, [0.2, 0.3, 0.5], atol=0.01)
