"""What of a file NVRTC compiles: the kernels, without the program around them."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from pathlib import Path

from gpunet.kernel import nvrtc
from gpunet.kernel.c_headers import HEADERS
from gpunet.kernel.source import Source
from gpunet.sim.translate import host_code, rewrite, surface

_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*[<"]([^">]+)[">].*$', re.MULTILINE)


def device_part(source: Source, folders: list[Path]) -> Source:
    """Without what only the host runs and the headers that only it needs: NVRTC takes neither, and many kernels stand
    in one file with the program that launches them. A file of kernels alone stays as it is."""
    whole = _with_includes(rewrite.without_comments(source.text), source.path.name, folders, set())
    device = host_code.remove(whole)
    left_out = [name for name in _INCLUDE.findall(device) if surface.is_left_out(name) and name not in HEADERS
                and not _is_used(name, device)]
    return replace(source, text=source.text if device == whole else device,
                   includes=source.includes | dict.fromkeys(left_out, ""), whole=source.text,
                   digest=hashlib.sha256(f"{source.digest}{whole}".encode()).hexdigest())


# NVIDIA's C++ libraries, which kernels use under these names and programs without them.
_LIBRARIES = {"cuda": re.compile(r"\bcuda\s*::"), "cub": re.compile(r"\bcub\s*::"), "nv": re.compile(r"\bNV_IF")}


def _is_used(header: str, device: str) -> bool:
    """Whether the device's part uses the library that a header is of, and its headers are there."""
    uses = _LIBRARIES.get(header.partition("/")[0])
    return "/" in header and uses is not None and bool(uses.search(device)) and bool(nvrtc.libraries())


def _with_includes(code: str, file: str, folders: list[Path], seen: set[Path]) -> str:
    """The code with the files of these folders that it includes, each once; lines keep their numbers for messages."""
    def include(match: re.Match) -> str:
        path = next((folder / match.group(1) for folder in folders if (folder / match.group(1)).is_file()), None)
        if path is None:
            return match.group()
        back = f'#line {code.count(chr(10), 0, match.end()) + 2} "{file}"'
        if path in seen:
            return back
        seen.add(path)
        text = rewrite.without_comments(path.read_text(encoding="utf-8")).replace("#pragma once", "")
        return f'#line 1 "{path.name}"\n{_with_includes(text, path.name, folders, seen)}\n{back}'

    return _INCLUDE.sub(include, code)
