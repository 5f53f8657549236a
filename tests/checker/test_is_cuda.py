"""The kernels that the checker is tested on are CUDA: NVIDIA's own compiler takes them.

Those in public/ stand beside host programs, whose headers NVRTC has not.
"""

import pytest

from gpunet.kernel import nvrtc, signature, source
from tests.checker.harness import HERE


@pytest.fixture(scope="module", autouse=True)
def _compiler():
    try:
        nvrtc.version()
    except nvrtc.NvrtcError as error:
        pytest.skip(str(error))


FILES = [path for path in sorted(HERE.glob("*/*.cu")) if path.parent.name != "public"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_compiles(path):
    text = source.read(path)
    kernels = tuple(name for name, template in signature.kernels(text.text).items() if not template)
    try:
        nvrtc.compile(text, "sm_90a", kernels)
    except nvrtc.CompileError as error:
        if "nv/target" in str(error):
            pytest.skip("cooperative groups need the headers of CUDA's C++ core libraries")
        raise
