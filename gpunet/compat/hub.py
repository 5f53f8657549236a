"""`torch.hub`: gpunet downloads nothing. Files that are already in the hub's folder are read."""

from __future__ import annotations

from gpunet.compat.absent import refuses
from gpunet.serialization.hub import download_url_to_file, get_dir, load_state_dict_from_url, set_dir

__all__ = ["download_url_to_file", "get_dir", "help", "list", "load", "load_state_dict_from_url", "set_dir"]

_INSTEAD = "gpunet runs no code from the network; install the model's package, and load its weights by gpunet.load"
load, list, help = (refuses(f"hub.{name}", _INSTEAD) for name in ("load", "list", "help"))
