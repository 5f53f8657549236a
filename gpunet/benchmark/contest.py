"""A contest: the competitors of one case, timed in turn, and our result checked.

After the timing, gpunet's kernel runs once more into outputs full of NaN. The result is compared with a reference in
float64, so an element that was not written is found too. The time of a wrong result is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gpunet.benchmark.lab import Lab
from gpunet.benchmark.measure import Result, Work, interleave


class WrongResult(AssertionError):
    """A kernel gave a wrong result, so its time means nothing.

    Examples:
        >>> issubclass(benchmark.WrongResult, AssertionError)
        True
    """


@dataclass
class Contest:
    """The competitors of one case, what one call does, and how wrong our result is.

    Args:
        works: competitors by name; ours is "gpunet".
        amounts: the least work of one call: "bytes" moved and "operations".
        error: a function that gives the relative error of our results.
        tolerance: the largest relative error that passes. The default suits float32, also long sums; TF32 is near 3e-4.

    Examples:
        >>> from gpunet.benchmark.measure import Work
        >>> benchmark.Contest({"gpunet": Work(lambda: None)}, {"bytes": 4096}).tolerance
        3e-05
    """

    works: dict[str, Work]
    amounts: Mapping[str, float]
    error: Callable[[], float] | None = None
    tolerance: float = 3e-5


@dataclass
class Case:
    """A row of a benchmark.

    Args:
        group: the kernel.
        name: what this row measures of it, such as its sizes.
        build: makes the row's contest on a Lab.

    Examples:
        >>> from gpunet.benchmark.kernels import copies
        >>> [case.name for case in copies("tiny")]
        ['4096 B']
    """

    group: str
    name: str
    build: Callable[[Lab], Contest]


def measure(lab: Lab, case: Case, rounds: int, seconds: float = float("inf")) -> Result:
    """Times the competitors of a case in turn, and checks our result.

    Args:
        lab: the device and the peers.
        case: what to measure.
        rounds: how many times each competitor is timed.
        seconds: after this time no round begins, if half of the rounds are done.

    Returns:
        Samples in seconds per call, by competitor, with amounts, errors and notes.

    Raises:
        WrongResult: our relative error is above the contest's tolerance, or NaN.

    Examples:
        >>> from gpunet.benchmark.kernels import KERNELS
        >>> case = next(KERNELS["bias_relu"]("tiny"))
        >>> result = benchmark.measure(benchmark.Lab("cpu"), case, rounds=1)
        >>> len(result.samples["gpunet"]), result.errors["gpunet"] < 1e-6
        (1, True)
    """
    contest = case.build(lab)
    samples = interleave(contest.works, rounds=rounds, clock=lab.clock, warm_up=2, seconds=seconds)
    errors = check(lab, case, contest)
    notes, lab.notes = lab.notes, []
    return Result(case.group, case.name, samples, dict(contest.amounts), errors, notes)


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
