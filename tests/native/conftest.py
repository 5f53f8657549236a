"""Fixtures of the kernels' tests."""

import pytest

import gpunet
from gpunet import native


@pytest.fixture(autouse=True, scope="package")
def _kernels_serve():
    if not native.wait():
        pytest.skip(f"no native kernels here: {native.status()}")


@pytest.fixture
def with_threads():
    """`with_threads(run)`: the result of run(), which is bit for bit the same with 1, 2 and 5 threads."""
    before = gpunet.get_num_threads()

    def check(run):
        results = []
        for count in (1, 2, 5):
            gpunet.set_num_threads(count)
            results.append(run())
        for other in results[1:]:
            assert results[0].tobytes() == other.tobytes()
        return results[0]

    yield check
    gpunet.set_num_threads(before)
