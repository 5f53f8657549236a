"""Runs the programs of `programs/` as they are, in whatever library is called `torch`.

    python -m gpunet.torch -m tests.compat.run FOLDER

A program has `build()`, which makes a model, and `train(model, steps)`, which gives the losses. FOLDER holds the first
weights in PROGRAM.npz; the losses are written to losses.json.
"""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import numpy as np
import torch

PROGRAMS = sorted((Path(__file__).parent / "programs").glob("*.py"))
STEPS = 6


def losses_of(program: Path, folder: Path) -> list[float]:
    """The losses from the weights in the folder; where there are none, the weights are put there."""
    names = runpy.run_path(str(program), run_name=program.stem)
    torch.manual_seed(0)
    model, file = names["build"](), folder / f"{program.stem}.npz"
    if file.exists():
        with np.load(file) as weights:
            model.load_state_dict({name: torch.from_numpy(weights[name].copy()) for name in weights})
    else:
        np.savez(file, **{name: value.detach().cpu().numpy() for name, value in model.state_dict().items()})
    return [float(loss) for loss in names["train"](model, STEPS)]


def main(folder: str) -> None:
    found = {program.stem: losses_of(program, Path(folder)) for program in PROGRAMS}
    (Path(folder) / "losses.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1])
