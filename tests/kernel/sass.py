"""Machine code (SASS) of compiled kernels, as NVIDIA's disassembler shows it."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

_SECTION = re.compile(r"^\.text\.(?=\S+:$)", re.MULTILINE)
_LABEL = re.compile(r"^(\.L_\S+):")
_INSTRUCTION = re.compile(r"^\s+/\*[0-9a-f]{4,}\*/\s+(?:\{\s*)?(?:@!?U?P\w+\s+)?([\w.]+)(.*?);")
_TARGET = re.compile(r"`\((\.L_\S+)\)")


@dataclass(frozen=True)
class Code:
    """A kernel's instructions without their operands, and its loops as (first, last) instruction."""

    instructions: list[str]
    loops: list[tuple[int, int]]

    def counts(self) -> Counter[str]:
        return Counter(self.instructions)

    def loop_counts(self) -> list[Counter[str]]:
        return [Counter(self.instructions[first:last + 1]) for first, last in self.loops]


def number_of(counts: Counter[str], name: str) -> int:
    """How many instructions are `name`, with any further modifiers: LDG.E is LDG.E.128 too."""
    return sum(count for each, count in counts.items() if each == name or each.startswith(name + "."))


def disassembler() -> str | None:
    """Path of nvdisasm: from the wheel nvidia-cuda-nvdisasm, or a CUDA toolkit's."""
    spec = importlib.util.find_spec("nvidia")
    wheels = [Path(place) / "cu13" / "bin" / "nvdisasm" for place in (spec.submodule_search_locations if spec else ())]
    found = next((str(path) for path in wheels if path.is_file()), None)
    return found or shutil.which("nvdisasm") or shutil.which("/usr/local/cuda/bin/nvdisasm")


def disassemble(cubin: bytes, symbols: dict[str, str], folder: Path) -> dict[str, Code]:
    """Per name expression its kernel's code."""
    path = folder / "kernels.cubin"
    path.write_bytes(cubin)
    text = subprocess.run([disassembler(), "-c", str(path)], check=True, capture_output=True, text=True).stdout
    expressions = {symbol: expression for expression, symbol in symbols.items()}
    sections = (part.partition(":\n") for part in _SECTION.split(text)[1:])
    return {expressions[symbol]: _code(body) for symbol, _, body in sections if symbol in expressions}


def _code(text: str) -> Code:
    instructions, jumps, places = [], [], {}
    for line in text.splitlines():
        if label := _LABEL.match(line):
            places[label.group(1)] = len(instructions)
        elif found := _INSTRUCTION.match(line):
            if found.group(1).startswith("BRA") and (target := _TARGET.search(found.group(2))):
                jumps.append((target.group(1), len(instructions)))
            instructions.append(found.group(1))
    loops = [(places[label], at) for label, at in jumps if places.get(label, at) < at]
    return Code(instructions, loops)
