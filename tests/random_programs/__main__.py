"""Random small programs on gpunet in float32 beside PyTorch in float64: values and gradients.

    python -m tests.random_programs --seconds 60 --seed 1          all families in turn
    python -m tests.random_programs matmul convolution             these
    python -m tests.random_programs matmul --only 1000017          one program again
    python -m tests.random_programs --device sim --seconds 300     on the simulator, or on cuda

Operands are views of a larger leaf: permuted, cut, stepped, expanded; sizes of 1 are frequent. Prints each program
that differs by more than rounding (where PyTorch's own float32 loses digits, gpunet may lose some more), with the
command that repeats it. It is run by hand, to find what no table has; a few programs of each family run in the tests.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
import warnings
from collections import Counter

try:
    import torch
except ImportError as missing:
    raise SystemExit(f"tests.random_programs needs PyTorch: pip install torch ({missing})") from None

from tests.random_programs import families  # noqa: F401 - registers them
from tests.random_programs.compare import Undefined, differences
from tests.random_programs.program import FAMILIES, program_of

PROGRAMS_OF_A_SEED = 1_000_000


def main() -> int:
    parser = argparse.ArgumentParser("python -m tests.random_programs", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help=f"families: {' '.join(FAMILIES)}; none: all")
    parser.add_argument("--seconds", type=float, default=60, help="how long")
    parser.add_argument("--seed", type=int, default=1, help="another seed, other programs")
    parser.add_argument("--only", type=int, metavar="SEED", help="the program of this seed, of each family named")
    parser.add_argument("--device", default="cpu", help="cpu, sim or cuda")
    parser.add_argument("--most", type=int, default=3, help="programs to print of one family")
    options = parser.parse_args()
    if unknown := set(options.names) - set(FAMILIES):
        parser.error(f"no family {', '.join(sorted(unknown))}; there are {', '.join(FAMILIES)}")
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)

    names = options.names or list(FAMILIES)
    seeds = itertools.count(options.seed * PROGRAMS_OF_A_SEED) if options.only is None else [options.only]
    end = time.monotonic() + options.seconds
    kinds, different, undefined = Counter(), Counter(), Counter()
    for seed, name in ((seed, name) for seed in seeds for name in names):
        if time.monotonic() > end:
            break
        program = program_of(name, seed)
        try:
            found = list(differences(program, options.device))
        except Undefined as reason:
            undefined[name, str(reason).splitlines()[0][:80]] += 1
            if options.only is not None:
                print(f"{name}: {program}: {reason}")
            continue
        kinds[name, program.name] += 1
        different[name] += bool(found)
        if found and different[name] <= options.most:
            print(f"{name} {seed}: {program}", *found, "again: python -m tests.random_programs "
                  f"{name} --only {seed} --device {options.device}", sep="\n    ", flush=True)
    print(f"{kinds.total()} programs of {len(kinds)} kinds in {len({name for name, _ in kinds})} families: "
          f"{different.total()} differ")
    if undefined:
        reasons = ", ".join(f"{name}: {reason} ({n})" for (name, reason), n in undefined.most_common(5))
        print(f"{undefined.total()} more have no finite answer of PyTorch: {reasons}{', ...' * (len(undefined) > 5)}")
    return int(bool(different.total()))


if __name__ == "__main__":
    sys.exit(main())
