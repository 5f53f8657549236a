"""The kernels that the checker is tested on are CUDA: NVIDIA's own compiler takes them."""

import pytest

from gpunet.kernel import nvrtc, signature, source
from tests.checker.harness import HERE


@pytest.fixture(scope="module", autouse=True)
def _compiler():
    try:
        nvrtc.version()
    except nvrtc.NvrtcError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("path", sorted(HERE.glob("*/*.cu")), ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_compiles(path):
    text = source.read(path)
    kernels = tuple(name for name, template in signature.kernels(text.text).items() if not template)
    try:
        nvrtc.compile(text, "sm_90a", kernels)
    except nvrtc.CompileError as error:
        if "nv/target" in str(error):
            pytest.skip("cooperative groups need the headers of CUDA's C++ core libraries")
        raise
