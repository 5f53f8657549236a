"""The time of `import gpunet` against `import numpy`: each in a fresh interpreter, in turn.

    python -m bench.import_time [--out FILE.json]
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import asdict

from bench.environment import for_children
from bench.measure import Result, Work, interleave


def compare(rounds: int = 15) -> Result:
    """Seconds of a process that imports nothing, NumPy, and gpunet."""
    environment = for_children()

    def importing(statement: str) -> Work:
        return Work(lambda: subprocess.run([sys.executable, "-c", statement], check=True, env=environment))

    works = {"nothing": importing("pass"), "numpy": importing("import numpy"), "gpunet": importing("import gpunet")}
    return Result("import", "a fresh process", interleave(works, rounds=rounds))


def run(options, emit) -> None:
    """The stage of bench.gpu."""
    emit(asdict(compare(5 if options.quick else 15)))


def main() -> None:
    from bench.stages import command

    command("import", __doc__)


if __name__ == "__main__":
    main()
