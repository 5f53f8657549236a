"""A pass of the DataLoader over 512 samples, with and without workers; PyTorch's beside it.

    python -m bench.loader [--out FILE.json]
"""

from __future__ import annotations

from dataclasses import asdict

import numpy as np

import gpunet
from bench.measure import Result, Work, interleave
from gpunet import data
from gpunet.benchmark.lab import optional

BATCH, WORKERS = 32, 2


class Items:
    """Samples [3, 64, 64] in float32, made from a number, as a decoded picture would be."""

    def __init__(self, from_numpy, count):
        self.from_numpy, self.count = from_numpy, count

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        values = np.full((3, 64, 64), index, np.float32)
        for _ in range(3):
            values = np.sqrt(values * values + 1)
        return self.from_numpy(values), index


def compare(name: str, options: dict, count: int, rounds: int) -> Result:
    """Seconds of a pass, of each library."""
    libraries = {"gpunet": (data.DataLoader, gpunet.from_numpy)}
    torch = optional("torch")
    if torch is not None:
        libraries["torch"] = torch.utils.data.DataLoader, torch.from_numpy

    def passing(loader, from_numpy) -> Work:
        batches = loader(Items(from_numpy, count), BATCH, shuffle=True, **options)

        def run() -> None:
            assert sum(int(labels.sum()) for _, labels in batches) == count * (count - 1) // 2

        return Work(run)

    works = {library: passing(*both) for library, both in libraries.items()}
    return Result("loader", f"{count} samples, {name}", interleave(works, rounds=rounds))


def run(options, emit) -> None:
    """The stage of bench.gpu."""
    count, rounds = (2 * BATCH, 1) if options.quick else (512, 5)
    workers = {"num_workers": WORKERS}
    for name, chosen in (("no workers", {}), (f"{WORKERS} new workers", workers),
                         (f"{WORKERS} persistent workers", workers | {"persistent_workers": True})):
        emit(asdict(compare(name, chosen, count, rounds)))


def main() -> None:
    from bench.stages import command

    command("loader", __doc__)


if __name__ == "__main__":
    main()
