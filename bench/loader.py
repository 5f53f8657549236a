"""The DataLoader, and PyTorch's where it is installed: milliseconds for a pass, and the ratio.

    python -m bench.loader
"""

from __future__ import annotations

import argparse
import time
from statistics import median

import numpy as np

import gpunet
from gpunet import data


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


def passes(loader, count, repeats):
    """Milliseconds of each pass, after one that starts the workers."""
    found = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        total = sum(int(labels.sum()) for _, labels in loader)
        found.append(1e3 * (time.perf_counter() - start))
        assert total == count * (count - 1) // 2
    return found[1:]


def kinds():
    """Each library's DataLoader and from_numpy."""
    found = {"gpunet": (data.DataLoader, gpunet.from_numpy)}
    try:
        import torch
    except ImportError:
        return found
    return {**found, "PyTorch": (torch.utils.data.DataLoader, torch.from_numpy)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--quick", action="store_true", help="few samples, one pass: to see that it works")
    chosen = parser.parse_args()
    count, repeats = (2 * chosen.batch, 1) if chosen.quick else (512, 5)

    libraries = kinds()
    print(f"{count} samples [3, 64, 64], batches of {chosen.batch}: milliseconds of a pass, median of {repeats}")
    print(f"{'':24}" + "".join(f"{name:>10}" for name in libraries) + f"{'ratio':>8}" * (len(libraries) > 1))
    workers = {"num_workers": chosen.workers}
    for name, options in (("no workers", {}), (f"{chosen.workers} new workers", workers),
                          (f"{chosen.workers} persistent workers", {**workers, "persistent_workers": True})):
        times = []
        for loader, from_numpy in libraries.values():
            batches = loader(Items(from_numpy, count), chosen.batch, shuffle=True, **options)
            times.append(median(passes(batches, count, repeats)))
            del batches
        ratio = f"{times[0] / times[1]:8.2f}" if len(times) > 1 else ""
        print(f"{name:24}" + "".join(f"{each:10.1f}" for each in times) + ratio)


if __name__ == "__main__":
    main()
