"""The hub's folder, where PyTorch leaves downloaded weights: gpunet downloads nothing, and reads what is there."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

__all__ = ["download_url_to_file", "get_dir", "load_state_dict_from_url", "set_dir"]

_dir: str | None = None


def get_dir() -> str:
    """The hub's folder: that of `set_dir`; `hub` in $TORCH_HOME; or `torch/hub` in $XDG_CACHE_HOME or ~/.cache."""
    if _dir is not None:
        return _dir
    home = os.environ.get("TORCH_HOME") or os.path.join(os.environ.get("XDG_CACHE_HOME", "~/.cache"), "torch")
    return os.path.join(os.path.expanduser(home), "hub")


def set_dir(d: str | os.PathLike[str]) -> None:
    """Sets the hub's folder."""
    global _dir
    _dir = os.path.expanduser(d)


def load_state_dict_from_url(url: str, model_dir: str | None = None, map_location: Any = None, progress: bool = True,
                             check_hash: bool = False, file_name: str | None = None, weights_only: bool = True) -> Any:
    """Reads the weights of a URL from the hub's folder.

    Raises FileNotFoundError, with the command that gets the file, if it is not there.
    """
    import gpunet

    folder = Path(model_dir or os.path.join(get_dir(), "checkpoints"))
    file = folder / (file_name or Path(urlparse(url).path).name)
    if not file.is_file():
        raise FileNotFoundError(f"hub: there is no file {file}, and gpunet downloads nothing; get it by "
                                f"`curl -L --create-dirs -o {file} {url}`")
    wanted = re.search(r"-([a-f0-9]{8,})\.", file.name) if check_hash else None
    if wanted and not hashlib.sha256(file.read_bytes()).hexdigest().startswith(wanted[1]):
        raise RuntimeError(f"hub: {file} is damaged: its hash does not begin with {wanted[1]}; get it again from {url}")
    if file.suffix == ".safetensors":
        return gpunet.load_file(file, "cpu" if map_location is None else map_location)
    return gpunet.load(file, map_location=map_location, weights_only=True)  # pyright: ignore


def download_url_to_file(url: str, dst: str, *args: Any, **kwargs: Any) -> None:
    """Returns if the file is there; raises FileNotFoundError, with the command that gets it, if not."""
    if not os.path.isfile(dst):
        raise FileNotFoundError(f"hub: there is no file {dst}, and gpunet downloads nothing; get it by "
                                f"`curl -L --create-dirs -o {dst} {url}`")
