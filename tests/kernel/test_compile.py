"""Every kernel instance compiled for one architecture of each generation: no spills, registers within their budget.

Of files with many large instances each is compiled for one of them, in turn. With GPUNET_TEST_ARCHITECTURES=all in the
environment, all for every supported one. Needs NVRTC (pip install
nvidia-cuda-nvrtc nvidia-cuda-runtime) and no GPU.
"""

import ctypes
import os

import pytest
from budgets import BUDGETS, SPILLS, each_for

import gpunet  # noqa: F401  (declares the kernels)
from gpunet.kernel import Kernel, nvrtc, source

ALL = os.environ.get("GPUNET_TEST_ARCHITECTURES") == "all"
ARCHITECTURES = (75, 80, 86, 89, 90, 100, 120) if ALL else (75, 80, 90, 120)
QUICK = [("bias_act.cu", 80)]
IN_TURN = ("attention.cu", "attention_tensor.cu", "conv_channels.cu", "conv_tensor.cu",
           "matmul_tensor.cu")  # a minute for one architecture


def test_every_declared_instance_has_a_budget():
    declared = {}
    for kernel in Kernel.ours:
        declared.setdefault((kernel.file, kernel.options), set()).update(kernel.expressions())
    assert declared == {key: {each for group, _ in groups for each in group} for key, groups in BUDGETS.items()}


@pytest.fixture(scope="module")
def compiler():
    try:
        return nvrtc.version()
    except nvrtc.NvrtcError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("file, options, capability", each_for(BUDGETS, ARCHITECTURES, lambda *case: case in QUICK),
                         ids=lambda value: " ".join(value) if isinstance(value, tuple) else None)
def test_registers_and_spills(compiler, file, options, capability):
    budget = {expression: registers for group, registers in BUDGETS[file, options] for expression in group}
    if file in IN_TURN and not ALL:
        budget = dict(list(budget.items())[ARCHITECTURES.index(capability)::len(ARCHITECTURES)])
    program = nvrtc.compile(source.read(file), nvrtc.architecture(capability), tuple(budget), options)
    assert "warning" not in program.log, program.log
    assert "(C75" not in program.log, program.log  # products by wgmma that wait for each other, setmaxnreg ignored
    assert set(program.resources) == set(budget)
    spills = SPILLS.get((file, capability), {})
    over = {name: used for name, used in program.resources.items()
            if used.registers > budget[name]
            or max(used.spill_stores, used.spill_loads, used.stack) > spills.get(name, 0)}
    assert not over


def test_the_builtin_functions_are_loaded_before_the_compiler(tmp_path, monkeypatch):
    """NVRTC opens them by name alone, and has no search path in some of its wheels."""
    names = ["libnvrtc.so.13", "libnvrtc-builtins.so.13.0"]
    for name in names:
        (tmp_path / name).touch()
    loaded, load = [], ctypes.CDLL

    def noting(name, mode=ctypes.DEFAULT_MODE):
        loaded.append((name, mode))
        return load(None)

    monkeypatch.setattr(nvrtc, "_roots", lambda: [])
    monkeypatch.setattr(nvrtc, "_candidates", lambda roots: [tmp_path / names[0]])
    monkeypatch.setattr(ctypes, "CDLL", noting)
    with pytest.raises(AttributeError, match="nvrtc"):  # this process has none of its functions
        nvrtc._library.__wrapped__()
    assert loaded == [(str(tmp_path / names[1]), ctypes.RTLD_GLOBAL), (str(tmp_path / names[0]), ctypes.DEFAULT_MODE)]
