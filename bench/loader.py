"""The DataLoader beside PyTorch's: milliseconds for a pass, and the ratio.

    python -m bench.loader                       needs torch
    python -m bench.loader --workers 4 --batch 64
"""

from __future__ import annotations

import argparse
import time
from statistics import median

import numpy as np

COUNT = 512


class Items:
    """Samples [3, 64, 64] in float32, made from a number, as a decoded picture would be."""

    def __init__(self, from_numpy):
        self.from_numpy = from_numpy

    def __len__(self):
        return COUNT

    def __getitem__(self, index):
        values = np.full((3, 64, 64), index, np.float32)
        for _ in range(3):
            values = np.sqrt(values * values + 1)
        return self.from_numpy(values), index


def passes(loader, repeats):
    """Milliseconds of each pass, after one that starts the workers."""
    found = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        total = sum(int(labels.sum()) for _, labels in loader)
        found.append(1e3 * (time.perf_counter() - start))
        assert total == COUNT * (COUNT - 1) // 2
    return found[1:]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=5)
    chosen = parser.parse_args()

    import torch

    import gpunet
    import gpunet.data

    kinds = {"gpunet": (gpunet.data.DataLoader, gpunet.from_numpy),
             "PyTorch": (torch.utils.data.DataLoader, torch.from_numpy)}
    print(f"{COUNT} samples [3, 64, 64], batches of {chosen.batch}: milliseconds of a pass, medians of "
          f"{chosen.repeats}")
    print(f"{'':24}{'gpunet':>10}{'PyTorch':>10}{'ratio':>8}")
    rows = [("no workers", {}), (f"{chosen.workers} persistent workers",
                                 {"num_workers": chosen.workers, "persistent_workers": True}),
            (f"{chosen.workers} new workers", {"num_workers": chosen.workers})]
    for name, options in rows:
        loaders = {kind: loader(Items(from_numpy), chosen.batch, shuffle=True, **options)
                   for kind, (loader, from_numpy) in kinds.items()}
        times = {kind: median(passes(loader, chosen.repeats)) for kind, loader in loaders.items()}
        print(f"{name:24}{times['gpunet']:10.1f}{times['PyTorch']:10.1f}{times['gpunet'] / times['PyTorch']:8.2f}")
        del loaders


if __name__ == "__main__":
    main()
