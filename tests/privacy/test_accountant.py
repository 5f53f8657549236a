"""The accountant against published figures and against the integral that it stands for."""

import math

import numpy as np
import pytest

from gpunet.privacy import RDPAccountant, compute_rdp, get_noise_multiplier, rdp_to_epsilon

# (examples, batch, noise, epochs, delta, epsilon, bound): TensorFlow Privacy's MNIST tutorial, and values of
# dp-accounting 0.6's RdpAccountant at the same orders, where a whole order gives them.
PUBLISHED = [
    (60000, 250, 1.3, 15, 1e-5, 1.180, "mironov"),
    (60000, 250, 1.3, 15, 1e-5, 0.94220, "balle"),
    (10000, 100, 4.0, 100, 1e-5, 1.03549, "balle"),
]


@pytest.mark.parametrize("examples, batch, noise, epochs, delta, epsilon, bound", PUBLISHED)
def test_published_values(examples, batch, noise, epochs, delta, epsilon, bound):
    rdp = compute_rdp(batch / examples, noise, epochs * examples // batch)
    assert rdp_to_epsilon(rdp, delta, conversion=bound)[0] == pytest.approx(epsilon, abs=5e-4)


@pytest.mark.parametrize("q, sigma", [(0.004, 1.3), (0.01, 4.0), (0.3, 0.7), (0.9, 2.0), (0.5, 10.0)])
@pytest.mark.parametrize("order", [1.1, 2.0, 2.5, 7.9, 20.0])
def test_the_divergence_is_its_integral(q, sigma, order):
    """log of E[(1 - q + q exp((2 z - 1) / (2 sigma^2)))^order] for z of the normal distribution, by quadrature."""
    z = np.linspace(-40 * sigma, order + 40 * sigma, 400_001)
    density = -z**2 / (2 * sigma**2) - math.log(sigma * math.sqrt(2 * math.pi))
    ratio = np.logaddexp(math.log1p(-q), math.log(q) + (2 * z - 1) / (2 * sigma**2))
    moment = np.trapezoid(np.exp(density + order * ratio), z)
    assert compute_rdp(q, sigma, 3, [order])[0] == pytest.approx(3 * math.log(moment) / (order - 1), rel=1e-5)


def test_the_edges():
    assert compute_rdp(0.0, 1.0, 10, [2.0]) == [0.0]
    assert compute_rdp(0.5, 1.0, 0, [2.0]) == [0.0]
    assert compute_rdp(0.5, 0.0, 1, [2.0]) == [math.inf]
    assert compute_rdp(1.0, 2.0, 10, [8.0]) == [10.0]  # the plain Gaussian mechanism: order / (2 sigma^2) a step
    assert compute_rdp(1 - 1e-12, 2.0, 10, [8.0, 8.5]) == pytest.approx([10.0, 10.625], rel=1e-9)


def test_the_accountant_adds_and_is_saved():
    accountant = RDPAccountant()
    assert accountant.get_epsilon(1e-5) == 0
    for _ in range(5):
        accountant.step(noise_multiplier=1.1, sample_rate=0.01)
    accountant.step(noise_multiplier=2.0, sample_rate=0.02, steps=7)
    assert accountant.history == [[1.1, 0.01, 5], [2.0, 0.02, 7]] and len(accountant) == 12
    both = np.add(compute_rdp(0.01, 1.1, 5), compute_rdp(0.02, 2.0, 7))
    assert accountant.get_epsilon(1e-5) == pytest.approx(rdp_to_epsilon(list(both), 1e-5)[0])
    other = RDPAccountant()
    other.load_state_dict(accountant.state_dict())
    assert other.get_epsilon(1e-5) == accountant.get_epsilon(1e-5)
    other.step(noise_multiplier=2.0, sample_rate=0.02)
    assert len(accountant) == 12


@pytest.mark.parametrize("epsilon", [0.5, 8.0])
def test_the_noise_for_an_epsilon(epsilon):
    noise = get_noise_multiplier(epsilon, 1e-5, 0.01, 1000)
    spent = rdp_to_epsilon(compute_rdp(0.01, noise, 1000), 1e-5)[0]
    assert epsilon - 0.01 <= spent <= epsilon


@pytest.mark.parametrize("run, message", [
    (lambda: compute_rdp(1.5, 1.0, 1), "sample_rate"),
    (lambda: compute_rdp(0.5, -1.0, 1), "must not be negative"),
    (lambda: compute_rdp(0.5, 1.0, 1, [1.0]), "orders are above 1"),
    (lambda: rdp_to_epsilon([1.0], 0.0, [2.0]), "delta"),
    (lambda: rdp_to_epsilon([1.0], 0.1), "do not fit"),
    (lambda: rdp_to_epsilon([1.0], 0.1, [2.0], "best"), "'balle' or 'mironov'"),
    (lambda: get_noise_multiplier(0.0, 0.1, 0.1, 1), "must be positive"),
])
def test_errors_say_what_is_wrong(run, message):
    with pytest.raises(ValueError, match=message):
        run()
