"""The kernels' machine code has the instructions that they were designed around: designs.py.

Needs NVRTC and nvdisasm (pip install nvidia-cuda-nvrtc nvidia-cuda-runtime nvidia-cuda-nvdisasm) and no GPU.
"""

import re

import pytest
from budgets import BUDGETS, SPILLS, each_for
from compiled import WITH_DESIGNS, compiled
from designs import DESIGNS

from gpunet.kernel import nvrtc
from gpunet.kernel.sass import disassembler, number_of

_DOUBLE = ("DADD", "DMUL", "DFMA")
_SLOW = ("F2F", "F2I", "I2F", "I2FP", "I2I", "FRND")


@pytest.fixture(scope="module", autouse=True)
def tools():
    if disassembler() is None:
        pytest.skip("nvdisasm was not found (pip install nvidia-cuda-nvdisasm)")
    try:
        nvrtc.version()
    except nvrtc.NvrtcError as error:
        pytest.skip(str(error))


QUICK = [("bias_act.cu", 90)]


@pytest.mark.parametrize("file, options, capability", each_for(DESIGNS, WITH_DESIGNS, lambda *case: case in QUICK),
                         ids=lambda value: " ".join(value) if isinstance(value, tuple) else None)
def test_machine_code(file, options, capability):
    designs = DESIGNS[file, options]
    code = compiled(file, options, capability).code
    assert set(code) == set(designs)
    spills = SPILLS.get((file, capability), {})
    wrong = {name: found for name, design in designs.items()
             if (found := list(faults(name, design, code[name], spills.get(name, 0), capability == 100)))}
    assert not wrong


def number(counts, each):
    """How many instructions are `each`, in products."""
    return number_of(counts, each) + (2 * number_of(counts, "FFMA2") if each == "FFMA" else 0)


def faults(name, design, code, spills=0, pairs=False):
    """What differs from the design, in words. `spills`: the bytes that may wait in local memory. `pairs`: of a GPU with
    FFMA2."""
    whole, loops = code.counts(), code.loop_counts()
    for forbidden in ("LDL", "STL"):
        if number_of(whole, forbidden) > spills // 4:
            yield f"{forbidden}: local memory"
    atomics = {each for each in whole if each.startswith(("ATOM", "RED."))}
    if bool(atomics) != design.errors or not all("CAS" in each for each in atomics):
        yield f"atomics: {atomics or 'none'}"
    if not design.slow_loops:
        for each in (*_SLOW, *(() if "double" in name else _DOUBLE)):
            if found := max((number_of(loop, each) for loop in loops), default=0):
                yield f"{found} {each} in a loop"
    for each, least in design.whole.items():
        if (found := number(whole, each)) < least:
            yield f"{found} {each}, not {least}"
    for each, most in design.most.items():
        if (found := number(whole, each)) > most:
            yield f"{found} {each}, more than {most}"
    found = [{each: number(loop, each) for each in design.loop} for loop in loops]
    if design.loop and not any(all(has[each] >= least for each, least in design.loop.items()) for has in found):
        yield f"no loop has {design.loop}, but {found}"
    if design.share:
        each, least = design.share[0], pairs and design.paired or design.share[1]
        loop = max(loops, key=lambda counts: (number(counts, each), -counts.total()))  # the innermost that has them
        if (share := number(loop, each) / loop.total()) < least:
            yield f"{each} is {share:.3f} of its loop, less than {least}"


def test_every_kernel_has_a_design():
    kernels = {(file, re.match(r"\w+", name).group()) for (file, _), groups in BUDGETS.items()
               for names, _ in groups for name in names}
    assert kernels == {(file, re.match(r"\w+", name).group()) for (file, _), designs in DESIGNS.items()
                       for name in designs}
