"""Machine code (SASS) of compiled kernels, as NVIDIA's disassembler shows it."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from gpunet.kernel.loops import natural_loops

__all__ = ["Code", "disassemble", "disassembler", "mix", "number_of"]

_SECTION = re.compile(r"^\.text\.(?=\S+:$)", re.MULTILINE)
_LABEL = re.compile(r"^(\.L_\S+):")
_FUNCTION = re.compile(r"^\$\S+:$")
_INSTRUCTION = re.compile(r"^\s+/\*[0-9a-f]{4,}\*/\s+(?:\{\s*)?(@!?U?P\w+\s+)?([\w.]+)(.*)")
_TARGET = re.compile(r"\.L_[\w$]+")


@dataclass(frozen=True)
class Code:
    """A kernel's machine code.

    Args:
        instructions: without their operands.
        loops: the numbers of each loop's instructions.

    Examples:
        >>> from gpunet.kernel import sass
        >>> sass.Code(["FFMA", "FFMA", "EXIT"], []).counts()["FFMA"]
        2
    """

    instructions: list[str]
    loops: list[frozenset[int]]

    def counts(self) -> Counter[str]:
        """How often each instruction stands in it."""
        return Counter(self.instructions)

    def loop_counts(self) -> list[Counter[str]]:
        """The same of each loop."""
        return [Counter(self.instructions[each] for each in loop) for loop in self.loops]


def number_of(counts: Counter[str], name: str) -> int:
    """How many instructions are `name`, with any further modifiers: LDG.E is LDG.E.128 too.

    Args:
        counts: of all instructions.
        name: the one.

    Returns:
        The number.

    Examples:
        >>> from gpunet.kernel import sass
        >>> sass.number_of(sass.Code(["LDG.E.128", "LDG.E", "LDGSTS"], []).counts(), "LDG.E")
        2
    """
    return sum(count for each, count in counts.items() if each == name or each.startswith(name + "."))


def disassembler() -> str | None:
    """Where NVIDIA's disassembler, nvdisasm, is.

    Returns:
        Its path: from the wheel nvidia-cuda-nvdisasm, or a CUDA toolkit's; None where there is none.

    Examples:
        >>> from gpunet.kernel import sass
        >>> sass.disassembler() is None or sass.disassembler().endswith("nvdisasm")
        True
    """
    spec = importlib.util.find_spec("nvidia")
    wheels = [Path(place) / "cu13" / "bin" / "nvdisasm" for place in (spec and spec.submodule_search_locations or ())]
    found = next((str(path) for path in wheels if path.is_file()), None)
    return found or shutil.which("nvdisasm") or shutil.which("/usr/local/cuda/bin/nvdisasm")


def disassemble(cubin: bytes, symbols: dict[str, str]) -> dict[str, Code]:
    """The machine code of kernels as text.

    Args:
        cubin: the file.
        symbols: of the kernels, by what they are called.

    Returns:
        Their code, by what they are called.

    Raises:
        FileNotFoundError: there is no disassembler.

    Examples:
        >>> from gpunet.kernel import nvrtc, sass, source
        >>> program = nvrtc.compile(source.read("random.cu"), "sm_80", ("uniform<float>",))
        >>> "EXIT" in sass.disassemble(program.cubin, program.symbols)["uniform<float>"].counts()
        True
    """
    tool = disassembler()
    if tool is None:
        raise FileNotFoundError("nvdisasm was not found: pip install nvidia-cuda-nvdisasm")
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(cubin)
        file.flush()
        text = subprocess.run([tool, "-c", file.name], check=True, capture_output=True, text=True).stdout
    expressions = {symbol: expression for expression, symbol in symbols.items()}
    sections = (part.partition(":\n") for part in _SECTION.split(text)[1:])
    return {expressions[symbol]: _code(body) for symbol, _, body in sections if symbol in expressions}


# Instructions that name where the threads that take them go on; of calls those within a function, which are jumps.
# Where threads meet again, BSYNC, the next instruction is what its BSSY names.
_JUMPS = ("BRA", "BRX", "JMP", "JMX", "CALL")
_ENDS = ("BRA", "BRX", "JMP", "JMX", "EXIT", "RET", "KILL")  # after which nothing follows, unless on a condition


def _code(text: str) -> Code:
    instructions: list[str] = []
    jumps: list[list[str]] = []  # the labels that each instruction may lead to
    falls: list[bool] = []  # whether the next one may follow it
    places, entries = {}, [0]
    for line in text.splitlines():
        if label := _LABEL.match(line):
            places[label.group(1)] = len(instructions)
        elif _FUNCTION.match(line):  # which the kernel calls
            entries.append(len(instructions))
        elif found := _INSTRUCTION.match(line):
            guard, name, operands = found.groups()
            kind = name.split(".")[0]
            condition = guard or operands.partition("`")[0].strip(" ;") and kind == "BRA"
            instructions.append(name)
            jumps.append(_TARGET.findall(operands) if kind in _JUMPS else [])
            falls.append(bool(kind not in _ENDS or condition))
    end = len(instructions)
    after = [[each for each in (at + 1 if follows else end, *(places.get(label, end) for label in labels))
              if each < end] for at, (follows, labels) in enumerate(zip(falls, jumps, strict=True))]
    return Code(instructions, natural_loops(after, [each for each in entries if each < end]))


# What instructions are for, by how their names begin; the first that fits.
_KINDS = {
    "tensor cores": ("HMMA", "IMMA", "DMMA", "BMMA", "QMMA", "OMMA", "HGMMA", "IGMMA", "QGMMA", "UTC"),
    "global memory": ("LDG", "STG", "ATOMG", "RED", "LD.", "ST.", "ATOM.", "LDGSTS", "CCTL", "UBLKCP", "UTMA"),
    "shared memory": ("LDS", "STS", "ATOMS", "SYNCS", "MOVM"),
    "local memory": ("LDL", "STL"),
    "constants": ("LDC", "ULDC", "LDCU"),
    "float32": ("FFMA", "FADD", "FMUL", "FMNMX", "FSETP", "FSEL", "FSET", "FCHK", "FSWZADD"),
    "float64": ("DFMA", "DADD", "DMUL", "DSETP", "DMNMX"),
    "half": ("HFMA2", "HADD2", "HMUL2", "HSETP2", "HMNMX2", "HSET2"),
    "special functions": ("MUFU",),
    "conversions": ("F2F", "F2I", "I2F", "FRND", "F2FP", "I2I", "I2FP"),
    "warps": ("SHFL", "VOTE", "MATCH", "REDUX", "WARPSYNC", "ELECT"),
    "barriers": ("BAR", "MEMBAR", "DEPBAR", "LDGDEPBAR", "ERRBAR", "FENCE", "WARPGROUP", "UCGABAR"),
    "control": ("BRA", "BRX", "EXIT", "RET", "CALL", "BSSY", "BSYNC", "NOP", "YIELD", "BREAK", "WARPGROUP", "NANOSLEEP",
                "JMP", "KILL", "BPT"),
}


def mix(code: Code) -> dict[str, int]:
    """A kernel's instructions by what they are for, as they stand in the code and not as they run.

    Args:
        code: the kernel's.

    Returns:
        How many there are of each kind, the most first; what is none of these counts as "integers, moves".

    Examples:
        >>> from gpunet.kernel import sass
        >>> sass.mix(sass.Code(["FFMA", "FFMA.FTZ", "IMAD", "EXIT"], []))
        {'float32': 2, 'integers, moves': 1, 'control': 1}
    """
    found = Counter(next((kind for kind, names in _KINDS.items() if f"{each}.".startswith(names)), "integers, moves")
                    for each in code.instructions)
    return dict(found.most_common())
