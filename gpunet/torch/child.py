"""The main module of a program, loaded again in a process that it has started by "spawn"."""

import os
import runpy

from gpunet.torch.alias import install
from gpunet.torch.program import MAIN


def load() -> dict:
    """The names of the program's main module."""
    install()
    kind, _, name = os.environ[MAIN].partition(" ")
    if kind == "script":
        return runpy.run_path(name, run_name="__mp_main__")
    return runpy.run_module(name, run_name="__mp_main__", alter_sys=True)


if __name__ == "__mp_main__":
    globals().update(load())
