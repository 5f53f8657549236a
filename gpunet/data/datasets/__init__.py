"""Ready datasets: Digits comes with the package, the others are read from files, in torchvision's names and places.

`download=True` is accepted and downloads nothing: files that are there are used, and where they are missing, the error
says where to get them and where to put them.
"""

from gpunet.data.datasets.cifar import CIFAR10, CIFAR100
from gpunet.data.datasets.digits import Digits
from gpunet.data.datasets.fake import FakeData
from gpunet.data.datasets.folder import DatasetFolder, ImageFolder, default_loader, find_classes, make_dataset
from gpunet.data.datasets.idx import DatasetError, read_idx
from gpunet.data.datasets.mnist import EMNIST, KMNIST, MNIST, FashionMNIST
from gpunet.data.datasets.svhn import SVHN
from gpunet.data.datasets.text import Text, Tokens
from gpunet.data.datasets.vision import VisionDataset

__all__ = ["CIFAR10", "CIFAR100", "EMNIST", "KMNIST", "MNIST", "SVHN", "DatasetError", "DatasetFolder", "Digits",
           "FakeData", "FashionMNIST", "ImageFolder", "Text", "Tokens", "VisionDataset", "default_loader",
           "find_classes", "make_dataset", "read_idx"]
