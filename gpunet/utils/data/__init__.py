"""`gpunet.data` by PyTorch's path: datasets, samplers and the DataLoader."""

from gpunet.data import *
from gpunet.data import __all__
