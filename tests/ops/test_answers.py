"""Functions that answer with a Python value."""

import pytest

import gpunet


@pytest.mark.parametrize(("x", "y", "expected"), [
    ([1.0, 2.0], [1.0, 2.0], True), ([1.0, 2.0], [1.0, 2.5], False), ([1.0], [1.0, 1.0], False),
    ([1, 2], [1.0, 2.0], True),
    ([float("nan")], [float("nan")], False), ([], [], True)])
def test_equal(x, y, expected, device):
    assert gpunet.equal(gpunet.tensor(x, device=device), gpunet.tensor(y, device=device)) is expected


def test_allclose(device):
    x = gpunet.tensor([1.0, float("nan")], device=device)
    assert x.allclose(x + 1e-9) is False and gpunet.allclose(x, x, equal_nan=True) is True
    assert gpunet.allclose(x[:1], x[:1] + 1e-6) and not gpunet.allclose(x[:1], x[:1] + 1e-4)
