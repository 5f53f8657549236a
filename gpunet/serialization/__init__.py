"""States and tensors in files, which hold no code: gpunet's own files, safetensors files, and PyTorch's."""

from gpunet.serialization.safetensors_file import load_file, save_file
from gpunet.serialization.saving import load, save

__all__ = ["load", "load_file", "save", "save_file"]
