"""What a user runs: `gpunet train digits` and examples/mlp.py on a device, and whether they train as on the CPU."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

from bench.environment import ROOT, for_children

_WANTED = 0.96  # test accuracy of examples/mlp.py after a full run
_WANTED_OF_RECIPE = 0.97  # of `gpunet train digits`: it reaches 0.98 on the CPU, and a device may round otherwise
_SAME = 1e-4  # relative difference of an epoch's loss from the CPU's in the first epochs


class Failed(RuntimeError):
    """A command failed."""


def command(arguments: list[str], seconds: float) -> tuple[str, float]:
    """Output and seconds of a Python command in the checkout. Raises Failed with the end of its output, or
    TimeoutError."""
    start = perf_counter()
    try:
        done = subprocess.run([sys.executable, *arguments], cwd=ROOT, env=for_children(), timeout=max(1.0, seconds),
                              capture_output=True, text=True)
    except subprocess.TimeoutExpired:
        raise TimeoutError(f"{' '.join(arguments)} took more than {seconds:.0f} s") from None
    if done.returncode:
        end = (done.stdout + done.stderr)[-2000:]
        raise Failed(f"{' '.join(arguments)} ended with status {done.returncode}:\n{end}")
    return done.stdout, perf_counter() - start


def train(device: str, epochs: int | None, seconds: float) -> dict:
    """A run of `gpunet train digits`: its epochs and its time."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        some = ["--epochs", str(epochs)] if epochs else []
        _, took = command(["-m", "gpunet", "train", "digits", "--device", device, *some, "--out", str(out)], seconds)
        found = json.loads((out / "history.json").read_text())
    return {"seconds": took, "test_accuracy": found["test"]["accuracy"], "epochs": found["epochs"]}


def run(options, emit) -> None:
    """The stage of bench.gpu."""
    epochs = 1 if options.quick else None
    found = train(options.device, epochs, options.left())
    emit({"what": f"gpunet train digits --device {options.device}", **found})
    if not options.quick and found["test_accuracy"] < _WANTED_OF_RECIPE:
        raise Failed(f"gpunet train digits --device {options.device} reached {found['test_accuracy']:.4f} test "
                     f"accuracy, not {_WANTED_OF_RECIPE}")
    if options.device != "cpu":
        few = min(2, len(found["epochs"]))
        host = train("cpu", few, options.left())
        apart = [abs(a["loss"] - b["loss"]) / abs(b["loss"])
                 for a, b in zip(found["epochs"], host["epochs"], strict=False)]
        emit({"what": f"loss of the first {few} epochs against --device cpu", "relative": apart})
        if not max(apart) <= _SAME:
            raise Failed(f"the losses of the first epochs on {options.device} and on cpu differ by {max(apart):.1e}, "
                         f"more than {_SAME}")
    few = ["--epochs", "1"] if options.quick else []
    text, took = command(["examples/mlp.py", "--device", options.device, *few], options.left())
    accuracy = float(re.findall(r"test accuracy ([\d.]+)", text)[-1])
    emit({"what": f"examples/mlp.py --device {options.device}", "seconds": took, "test_accuracy": accuracy})
    if not options.quick and accuracy < _WANTED:
        raise Failed(f"examples/mlp.py --device {options.device} reached {accuracy:.4f} test accuracy, not {_WANTED}")
