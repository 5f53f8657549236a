"""What the runs on the suite come to, as text."""

from __future__ import annotations

import collections
import statistics
from collections.abc import Callable, Iterator

from bench.indigo.run import BOUNDS, RACE, Result
from bench.indigo.suite import BUGS, PUBLISHED, Graph


def lines(results: list[Result], graphs: list[Graph]) -> Iterator[str]:
    yield from _surprises(results)
    ran = [result for result in results if not result.refused]
    yield f"\n{len(results)} codes, {len(results) - len(ran)} refused"
    yield "\neach bug by itself, found at its own line (a code may have several)"
    for bug in BUGS:
        mine = [result for result in ran if bug in result.bugs]
        yield f"  {bug:10} {sum(result.right[bug] for result in mine):4} of {len(mine)}"
    yield f"\n{'all launches together':24} {'found':>6} {'missed':>6} {'false':>6} {'clean':>6}"
    bad: dict[str, tuple[Callable[[Result], bool], tuple[str, ...]]] = {
        "race": (lambda result: result.racy, RACE),
        "out of bounds": (lambda result: "boundsBug" in result.bugs, BOUNDS)}
    for title, (is_bad, kinds) in bad.items():
        counts = collections.Counter((is_bad(result), result.has(kinds)) for result in ran)
        yield (f"  {title:22} {counts[True, True]:6} {counts[True, False]:6} {counts[False, True]:6}"
               f" {counts[False, False]:6}")
    table = [graph for graph in graphs if graph.name in PUBLISHED]
    if table:
        yield (f"\n{'races on graph':36} {'gpunet':>6} {'of':>4} {'false':>5}"
               " | published, of 346: HiRace, iGUARD, Compute Sanitizer")
        for graph in table:
            racy = [result.has(RACE, graph.name) for result in ran if result.racy]
            false = sum(result.has(RACE, graph.name) for result in ran if not result.racy)
            title = f"{graph.name}, {graph.origin}"
            yield f"  {title:34} {sum(racy):6} {len(racy):4} {false:5} | {PUBLISHED[graph.name]}"
    yield "\nseconds, medians"
    for what in ("first launch, with the build", "launch"):
        values = [result.seconds[what] for result in ran]
        if values:
            yield f"  {what:30} {statistics.median(values):.4f}"


def _surprises(results: list[Result]) -> Iterator[str]:
    """Each code of which not just its bugs are found."""
    for result in results:
        if result.refused:
            yield f"refused {result.name}: {result.refused}"
            continue
        wrong = []
        if result.racy != result.has(RACE):
            wrong.append("a race is not found" if result.racy else "a race that is none")
        if ("boundsBug" in result.bugs) != result.has(BOUNDS):
            wrong.append("an access outside is not found" if "boundsBug" in result.bugs else "an access that is inside")
        wrong += [f"{bug} is not at its line" for bug, right in result.right.items() if not right]
        found = {each for *_, findings in result.found for each in findings}
        wrong += [f"also {kind}" for kind in sorted({kind for kind, *_ in found} - {*RACE, *BOUNDS})]
        if wrong:
            yield f"{result.name}: {'; '.join(wrong)}  {sorted(found, key=str)}"
