"""Every kernel instance compiled for every supported architecture: no spills, registers within their budget.

Needs NVRTC (pip install nvidia-cuda-nvrtc nvidia-cuda-runtime) and no GPU.
"""

import pytest
from budgets import BUDGETS

import gpunet  # noqa: F401  (declares the kernels)
from gpunet.kernel import Kernel, nvrtc, source

ARCHITECTURES = (75, 80, 86, 89, 90, 100, 120)


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


@pytest.mark.parametrize("capability", ARCHITECTURES)
@pytest.mark.parametrize("file, options", BUDGETS, ids=lambda value: value if isinstance(value, str) else "")
def test_registers_and_spills(compiler, file, options, capability):
    budget = {expression: registers for group, registers in BUDGETS[file, options] for expression in group}
    program = nvrtc.compile(source.read(file), nvrtc.architecture(capability), tuple(budget), options)
    assert "warning" not in program.log, program.log
    assert set(program.resources) == set(budget)
    over = {name: used for name, used in program.resources.items()
            if used.spill_stores or used.spill_loads or used.stack or used.registers > budget[name]}
    assert not over
