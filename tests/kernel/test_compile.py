"""Every kernel instance compiled: no spills, registers within their budget. For which architectures, compiled.py says.

Needs NVRTC (pip install nvidia-cuda-nvrtc nvidia-cuda-runtime) and no GPU.
"""

import ctypes
import re

import pytest
from budgets import BUDGETS, SPILLS, each_for
from compiled import ARCHITECTURES, compiled, instances

import gpunet  # noqa: F401  (declares the kernels)
from gpunet.kernel import Kernel, nvrtc

QUICK = [("bias_act.cu", 90)]


def test_every_declared_instance_has_a_budget():
    declared = {}
    for kernel in Kernel.ours:
        declared.setdefault((kernel.file, kernel.options), set()).update(kernel.expressions())
    assert declared == {key: {each for group, _ in groups for each in group} for key, groups in BUDGETS.items()}


def test_every_instance_is_compiled():
    found = {}
    for case in each_for(BUDGETS, ARCHITECTURES, lambda *_: True):
        *key, capability = case.values
        found.setdefault(tuple(key), set()).update(instances(*key, capability))
    assert found == {key: {each for group, _ in groups for each in group} for key, groups in BUDGETS.items()}


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
    made = compiled(file, options, capability)
    warnings = re.findall(r".*\bwarning [#:].*", made.log)
    if len(made.resources) < len(budget):  # functions of the other instances are never referenced
        warnings = [line for line in warnings if "#177-D" not in line]
    assert not warnings, made.log
    assert "(C75" not in made.log, made.log  # products by wgmma that wait for each other, setmaxnreg ignored
    assert set(made.resources) == set(instances(file, options, capability))
    spills = SPILLS.get((file, capability), {})
    over = {name: used for name, used in made.resources.items()
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
