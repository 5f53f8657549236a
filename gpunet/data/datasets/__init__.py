"""Ready datasets: Digits comes with the package, MNIST is read from files."""

from gpunet.data.datasets.digits import Digits
from gpunet.data.datasets.idx import DatasetError, read_idx
from gpunet.data.datasets.mnist import MNIST

__all__ = ["MNIST", "DatasetError", "Digits", "read_idx"]
