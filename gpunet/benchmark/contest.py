"""A contest: the competitors of one case, timed in turn, and our result checked.

After the timing, gpunet's results in outputs that were poisoned before are held against a reference in float64, and
every element must have been written: a figure of a wrong result is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gpunet.benchmark.lab import Lab
from gpunet.benchmark.measure import Result, Work, interleave


class WrongResult(AssertionError):
    """A kernel gave a wrong result, so that its time means nothing."""


@dataclass
class Contest:
    """What a case builds: its competitors by name, ours as "gpunet"; the least work of one call, as "bytes" moved and
    "operations"; and the relative error of our results, with the largest that is right (for float32, also of long
    sums; TF32 is near 3e-4)."""

    works: dict[str, Work]
    amounts: dict[str, float]
    error: Callable[[], float] | None = None
    tolerance: float = 3e-5


@dataclass
class Case:
    """A row of a benchmark: its group and name, and what makes its contest."""

    group: str
    name: str
    build: Callable[[Lab], Contest]


def measure(lab: Lab, case: Case, rounds: int, seconds: float = float("inf")) -> Result:
    """Times a case. Raises WrongResult."""
    contest = case.build(lab)
    samples = interleave(contest.works, rounds=rounds, clock=lab.clock, warm_up=2, seconds=seconds)
    errors = check(lab, case, contest)
    notes, lab.notes = lab.notes, []
    return Result(case.group, case.name, samples, contest.amounts, errors, notes)


def check(lab: Lab, case: Case, contest: Contest) -> dict[str, float]:
    """The relative error of one more run of ours into poisoned outputs. Raises WrongResult."""
    if contest.error is None:
        return {}
    ours = contest.works["gpunet"]
    if ours.prepare:
        ours.prepare()
    ours.run()
    lab.device.synchronize()
    error = contest.error()
    if not error <= contest.tolerance:
        raise WrongResult(f"{case.group} {case.name}: relative error {error:.1e} against float64, at most "
                          f"{contest.tolerance:.0e} is right (NaN: an element was not written)")
    return {"gpunet": error}
