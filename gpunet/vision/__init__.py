"""What torchvision has, in its layout: `datasets` and `transforms`, which are those of `gpunet.data`, and `utils`."""

from gpunet.data import datasets, transforms
from gpunet.vision import utils

__all__ = ["datasets", "transforms", "utils"]
