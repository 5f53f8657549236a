"""The wheel's tag: of a platform where prebuilt CPU kernels are in it (`gpunet build --cpu-levels`), else of any."""

import re
from pathlib import Path

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

MACHINES = {"x86-64-v3": "x86_64", "x86-64-v4": "x86_64", "aarch64": "aarch64"}


class PrebuiltKernels(BuildHookInterface):
    """Names in the wheel's tag the processors and the least glibc that the libraries in it need."""

    def initialize(self, version: str, build_data: dict) -> None:
        """Called by hatchling before a wheel is built. version: "standard", or "editable"."""
        libraries = sorted(Path(self.root, "gpunet", "native", "prebuilt").glob("native-*.so"))
        machines = {machine for level, machine in MACHINES.items() for path in libraries if f"-{level}-" in path.name}
        if version == "editable" or not machines:
            return
        if len(machines) > 1:
            raise RuntimeError("gpunet/native/prebuilt has kernels for x86_64 and for aarch64; a wheel is for one")
        minor = max(int(found) for path in libraries for found in re.findall(rb"GLIBC_2\.(\d+)", path.read_bytes()))
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-manylinux_2_{minor}_{machines.pop()}"
