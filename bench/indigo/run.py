"""One code of the suite under the checker."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from bench.indigo.suite import RACES, TYPES, Code, Graph, arguments, launches

ENGINES = ("cxx", "ptx")
RACE, BOUNDS = ("race",), ("out of bounds", "crash")
_TIMEOUT = 10  # seconds for a launch


@dataclass
class Result:
    """found: for each launch the graph, grid, block, and its findings as (kind, line, the other party's line).
    right: by bug, whether it is found at its line."""

    name: str
    bugs: tuple[str, ...]
    refused: str = ""
    found: list[tuple[str, int, int, list[tuple]]] = field(default_factory=list)
    right: dict[str, bool] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def racy(self) -> bool:
        return bool(set(self.bugs) & set(RACES))

    def as_dict(self) -> dict:
        """For a file; launches without findings are left out."""
        found: dict[str, list] = {}
        for graph, _, _, findings in self.found:
            found[graph] = found.get(graph, []) + [each for each in findings if each not in found.get(graph, [])]
        return {"name": self.name, "refused": self.refused, "right": self.right,
                "found": {graph: told for graph, told in found.items() if told},
                "seconds": {what: round(value, 5) for what, value in self.seconds.items()}}

    def has(self, kinds: tuple[str, ...], graph: str | None = None) -> bool:
        return any(kind in kinds for name, _, _, findings in self.found for kind, *_ in findings
                   if graph in (None, name))


def run(code: Code, graphs: list[Graph], include: Path, engine: str = "cxx") -> Result:
    """All launches of a code under the checker of that engine. Warnings are no findings here."""
    from gpunet import ptx, sim
    from gpunet.kernel import nvrtc
    from gpunet.sim.profiling import compiled

    result = Result(code.name, code.bugs)
    kernel = sim.Module(code.text, file=f"{code.name}.cu", options=(f"-I{include}",)).get_function("test_kernel")
    check = partial(ptx.check, compiled(kernel)) if engine == "ptx" else partial(sim.check, kernel)
    taken = []
    for graph, grid, block in launches(code, graphs):
        start = time.perf_counter()
        try:
            findings = check(grid, block, arguments(graph, TYPES[code.type]), timeout=_TIMEOUT)
        except (sim.CompileError, nvrtc.CompileError, ptx.Unsupported) as error:
            result.refused = str(error).strip().splitlines()[0][:200]
            return result
        taken.append(time.perf_counter() - start)
        told = [(each.kind, each.line, each.other.line if each.other else None) for each in findings
                if each.severity == "error"]
        result.found.append((graph.name, grid, block, told))
    result.seconds = {"first launch, with the build": taken[0], "launch": sorted(taken[1:])[len(taken) // 2 - 1]}
    for bug in code.bugs:
        kinds = BOUNDS if bug == "boundsBug" else RACE
        result.right[bug] = any(kind in kinds and code.lines[bug] & {line, other}
                                for *_, findings in result.found for kind, line, other in findings)
    return result
