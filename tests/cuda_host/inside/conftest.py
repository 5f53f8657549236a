"""What the tests over the stand-in driver share."""

import os

import pytest

# In any other process they are not collected.
collect_ignore_glob = [] if os.environ.get("FAKE_CUDA_RUN") == "0" else ["test_*.py"]


@pytest.fixture(autouse=True, scope="session")
def _uncompiled_cupy():
    """CuPy's own kernels are not compiled: that takes minutes. Ours are."""
    import cupy.cuda.compiler

    def uncompiled(source, options, arch, file, names, *_):
        return b"uncompiled\0", {name: name for name in names or ()}

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CUPY_CACHE_IN_MEMORY", "1")
        patch.setattr(cupy.cuda.compiler, "_compile_using_nvrtc_no_warning", uncompiled)
        yield
