"""What torchvision has, in its layout: `datasets` and `transforms`, those of `gpunet.data`, `ops` and `utils`."""

from gpunet.data import datasets, transforms
from gpunet.vision import ops, utils

__all__ = ["datasets", "ops", "transforms", "utils"]
