"""pytest plugin of gpunet: runs the kernels of a test under the kernel checker.

    @pytest.mark.cuda_check          # or the fixture cuda_check, or `pytest --cuda-check` for all tests
    def test_my_kernel():
        ...

Every launch on the simulated device (`sim`), direct or by tensors, runs under the checker, in a process of its own;
the test fails with the mistakes that were found, and warnings become pytest's. The fixture gives the list of findings,
which a test may look at and clear.

It stands outside the package, so that pytest loads no more than this file where nothing is checked.
"""

import pytest


def pytest_addoption(parser):
    parser.addoption("--cuda-check", action="store_true",
                     help="gpunet: run every launch on the simulated device under the kernel checker")


def pytest_configure(config):
    config.addinivalue_line("markers", "cuda_check(timeout=60): run the test's launches on gpunet's simulated device "
                                       "under the kernel checker, each for so many seconds at most")


_findings = pytest.StashKey()


@pytest.fixture
def cuda_check(request):
    """The findings of the test so far; what is left in the list at the test's end makes it fail."""
    return request.node.stash[_findings]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item, nextitem):
    item.stash[_findings] = []
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    marker = item.get_closest_marker("cuda_check")
    if not (marker or "cuda_check" in item.fixturenames or item.config.getoption("--cuda-check")):
        return (yield)
    from gpunet import sim

    findings = item.stash[_findings]
    with sim.checked(*(marker.args if marker else ()), **(marker.kwargs if marker else {}), findings=findings):
        result = yield
    if errors := [each for each in findings if each.severity == "error"]:
        pytest.fail("the kernel checker found:\n" + "\n".join(map(str, errors)), pytrace=False)
    for each in findings:
        item.warn(pytest.PytestWarning(f"the kernel checker warns:\n{each}"))
    return result
