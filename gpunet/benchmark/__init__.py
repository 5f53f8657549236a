"""The library for timing kernels against the hardware's limits and against other libraries, on any device.

`gpunet kernel bench` uses it, and so do users' benchmarks. gpunet's own benchmarks are in `bench/`, in the repository.

    measure.py   clocks, and competitors timed in turn     lab.py        a device, inputs, and the peers on them
    contest.py   one case: timed, and its result checked   kernels.py    the contests of gpunet's own kernels
    roofline.py  what a rate is worth: limits, a picture   words.py      figures with their units
"""

from gpunet.benchmark.contest import Case, Contest, WrongResult, measure
from gpunet.benchmark.lab import Lab, relative_error

__all__ = ["Case", "Contest", "Lab", "WrongResult", "measure", "relative_error"]
