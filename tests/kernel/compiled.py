"""The machine code of the instances in budgets.py and designs.py: compiled once for both, and kept in the cache of
compiled kernels.

What has a design is compiled for each of its architectures. The rest is compiled for one architecture of each
generation; of files that take long each instance for one of them, which its name decides. With
GPUNET_TEST_ARCHITECTURES=all in the environment everything is compiled for every architecture.
"""

import os
import pickle
import zlib
from dataclasses import dataclass

from budgets import BUDGETS
from designs import DESIGNS

from gpunet.kernel import cache, nvrtc, source
from gpunet.kernel.nvrtc import Resources
from gpunet.kernel.sass import Code, disassemble, disassembler

ALL = os.environ.get("GPUNET_TEST_ARCHITECTURES") == "all"
ARCHITECTURES = (75, 80, 86, 89, 90, 100, 120) if ALL else (75, 80, 90, 100, 120)
WITH_DESIGNS = (80, 90, 100)
_OF_GENERATIONS = (75, 80, 90, 120)
# Up to minutes for one architecture.
_LONG = ("attention.cu", "attention_tensor.cu", "conv_channels.cu", "conv_channels_any.cu", "conv_tensor.cu",
         "depthwise_channels.cu", "matmul_tensor.cu", "pointwise.cu", "norm.cu")


def instances(file: str, options: tuple[str, ...], capability: int) -> tuple[str, ...]:
    """Those that are compiled for an architecture."""
    return tuple(name for group, _ in BUDGETS[file, options] for name in group if ALL
                 or name in DESIGNS[file, options] and capability in WITH_DESIGNS
                 or capability == _OF_GENERATIONS[zlib.crc32(name.encode()) % len(_OF_GENERATIONS)]
                 or capability in _OF_GENERATIONS and file not in _LONG)


@dataclass(frozen=True)
class Compiled:
    """log: what the compiler said. code: the machine code of those with a design; None where there are none,
    or no nvdisasm."""

    log: str
    resources: dict[str, Resources]
    code: dict[str, Code] | None


def compiled(file: str, options: tuple[str, ...], capability: int) -> Compiled:
    """What NVRTC makes of them."""
    given, arch, names = source.read(file), nvrtc.architecture(capability), instances(file, options, capability)
    shown = [name for name in names if name in DESIGNS[file, options] and capability in WITH_DESIGNS]

    def make() -> bytes:
        made = nvrtc.compile(given, arch, names, options)
        symbols = {name: made.symbols[name] for name in shown}
        code = disassemble(made.cubin, symbols) if symbols and disassembler() else None
        return pickle.dumps(Compiled(made.log, made.resources, code))

    key = nvrtc.key(given, arch, names, options, "tests", shown, disassembler() is not None)
    return pickle.loads(cache.build(key, ".pickle", make).read_bytes())
