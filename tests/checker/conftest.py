"""The checker builds kernels with the host's compiler."""

import pytest

from gpunet.sim import CompilerMissingError, toolchain


@pytest.fixture(scope="session", autouse=True)
def _compiler():
    try:
        toolchain.compiler()
    except CompilerMissingError as error:
        pytest.skip(str(error))
