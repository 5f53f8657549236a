"""Which of two engines runs the kernels of the device sim on this machine."""

from __future__ import annotations

import importlib.util
import os
from typing import NamedTuple

from gpunet._environment import choice
from gpunet.sim import toolchain
from gpunet.sim.errors import CompilerMissingError


class Engine(NamedTuple):
    """One of the two.

    Args:
        name: "cxx", the kernels' sources built by the host's C++ compiler (gpunet.sim), or "ptx", what NVIDIA's
            compiler makes of them, run by LLVM (gpunet.ptx).
        why: it is this one, in words.
    """

    name: str
    why: str


_NEEDS = "the sim device needs"


def choose() -> Engine:
    """The engine. $GPUNET_SIM names it; where that is unset or "auto" it is cxx, but ptx on a machine that has what
    that needs and no C++ compiler.

    Raises:
        SettingError: $GPUNET_SIM names no engine.
        CompilerMissingError: the machine lacks what the engine needs, or has what neither needs; the text says what to
            install.
    """
    wanted = choice("GPUNET_SIM", {"auto": "", "cxx": "", "ptx": ""}, "auto")
    toolchain.check_system(_NEEDS)
    if wanted == "ptx":
        if missing := lacking():
            raise CompilerMissingError(f"{_NEEDS} llvmlite and NVRTC, as $GPUNET_SIM is 'ptx', and {missing}: pip "
                                       "install 'gpunet[sim]', or unset GPUNET_SIM")
        return Engine("ptx", "$GPUNET_SIM says so")
    try:
        toolchain.compiler(_NEEDS)
    except CompilerMissingError as error:
        if wanted == "cxx":
            raise
        if missing := lacking():
            raise CompilerMissingError(f"{error}; or pip install 'gpunet[sim]', with which it needs none ({missing})"
                                       ) from None
        return Engine("ptx", "there is no C++ compiler")
    return Engine("cxx", "$GPUNET_SIM says so" if wanted == "cxx" else "there is a C++ compiler")


def lacking() -> str:
    """What ptx lacks on this machine; empty where that is nothing."""
    from gpunet.kernel import compilers  # a machine with a C++ compiler does not ask

    if importlib.util.find_spec("llvmlite") is None:
        return "llvmlite is not installed"
    return compilers.lacking()


def set_num_workers(count: int) -> None:
    """Set how many host threads run the blocks of a launch.

    The default is $GPUNET_SIM_WORKERS, else the number of processors that this process may run on.

    Args:
        count: from 1 to 256.

    Raises:
        ValueError: the number is out of range.

    Examples:
        >>> gpunet.sim.set_num_workers(2)
    """
    if not 1 <= count <= toolchain.MOST_WORKERS:
        raise ValueError(f"the number of workers must be from 1 to {toolchain.MOST_WORKERS}, not {count}")
    if choose().name == "ptx":
        os.environ["GPUNET_SIM_WORKERS"] = str(count)  # each of its launches looks there
    else:
        toolchain.runtime().gpunet_sim_set_workers(count)
