"""What this machine has: the devices, and the libraries beside which tests compare."""

import functools
import importlib.util

import gpunet

PACKAGES = ("torch", "torchvision", "sklearn", "triton", "numba_cuda", "cupy")


@functools.cache
def why_not(device: str) -> str | None:
    """Why a device cannot be used."""
    try:
        gpunet.zeros(1, device=device)
    except RuntimeError as error:
        return f"no device {device!r} here: {error}"
    return None


@functools.cache
def is_installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


DEVICES = [name for name in ("cpu", "sim", "cuda") if not why_not(name)]
GPUS = DEVICES[1:]  # those that run the CUDA kernels
MISSING = [*filter(None, map(why_not, ("sim", "cuda"))),
           *(f"no {name} here: the tests beside it are left out" for name in PACKAGES if not is_installed(name))]
