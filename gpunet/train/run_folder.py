"""The folder of a run: its files, and what they say about the run.

    config.toml              the settings as resolved; `gpunet train` takes this file
    run.json                 when, where and with what the run began
    history.json             a row for each epoch, the best epoch, and how the run ended
    curves.svg               loss and metrics by epoch
    weights.safetensors      the weights of the best epoch; the metadata say how to build the model and read inputs
    checkpoint.safetensors   all that training needs to go on exactly

The first two are written when the run begins, the others after each epoch, the checkpoint first: they follow from it.
Every file is written beside the old one and renamed.
"""

from __future__ import annotations

import json
import os
import platform
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

import gpunet
from gpunet import files

CONFIG, STARTED, HISTORY, CURVES = "config.toml", "run.json", "history.json", "curves.svg"
WEIGHTS, CHECKPOINT = "weights.safetensors", "checkpoint.safetensors"
FILES = (CONFIG, STARTED, HISTORY, CURVES, WEIGHTS, CHECKPOINT)


class RunError(RuntimeError):
    """A run cannot be made, resumed or read as asked. The message is one sentence that names what and the remedy."""


def new_folder(recipe: str) -> Path:
    """A new folder under runs/, whoever else makes one at this moment."""
    first = Path("runs") / f"{recipe}-{datetime.now():%Y%m%d-%H%M%S}"
    folder, number = first, 2
    while True:
        try:
            folder.mkdir(parents=True)
            return folder
        except FileExistsError:
            if not folder.exists():  # `runs` itself is a file
                raise
            folder, number = first.with_name(f"{first.name}-{number}"), number + 1


def refuse_full(folder: Path) -> None:
    """Only an empty folder becomes a run's. What is left of a run that finished no epoch does not count."""
    try:
        entries = {each.name for each in folder.iterdir()} if folder.exists() else set()
        entries -= {each.name for each in files.temporaries(folder, FILES)}
    except OSError as error:
        raise RunError(f"{folder} cannot be used: {error.strerror}; choose another --out.") from error
    if STARTED in entries:
        entries -= {CONFIG, STARTED}
    if entries:
        raise RunError(f"{folder} exists and is not empty; choose another --out, or go on with gpunet resume {folder}.")


def environment(device: str) -> dict[str, str]:
    """Versions, machine and device, by name."""
    gpu = {"GPU": gpunet.cuda.get_device_name(device)} if device.startswith("cuda") else {}
    return {"gpunet": gpunet.__version__, "Python": platform.python_version(), "NumPy": np.__version__,
            "system": platform.platform(), "processor": platform.processor() or platform.machine(),
            "cores": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()),
            "threads": str(gpunet.get_num_threads()), "device": device, **gpu}


def read_json(path: Path) -> dict[str, Any]:
    """The content of one of the folder's files. Raises RunError."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise ValueError("it holds no object")
        return content
    except FileNotFoundError:
        raise RunError(f"{path} does not exist; give a folder that `gpunet train` has written.") from None
    except NotADirectoryError:
        raise RunError(f"{path.parent} is a file; give the folder of the run, {path.parent.parent}.") from None
    except (OSError, ValueError, RecursionError) as error:
        raise RunError(f"{path} is damaged: {sentence(error)}; gpunet resume {path.parent} writes it anew.") from error


def state_of(folder: Path) -> str:
    """"running", "finished", or "stopped": before its end, by an error, a signal or a crash."""
    try:
        files.Claim(folder).release()
    except BlockingIOError:
        return "running"
    except OSError:
        pass
    try:
        return "finished" if read_json(folder / HISTORY).get("ended") else "stopped"
    except RunError:
        return "stopped"


def sentence(error: Exception) -> str:
    """An error's message as the end of a sentence."""
    if isinstance(error, KeyError):
        return f"its metadata has no {error}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error).rstrip(".").removeprefix("load_file: ").removeprefix("load: ")
