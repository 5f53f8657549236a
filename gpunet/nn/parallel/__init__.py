"""Wrappers with which PyTorch's programs spread a model over devices. Here a model computes on one device: the wrappers
call it, so that such programs run, and keep the keys of their state dictionaries."""

from gpunet.nn.parallel.data_parallel import DataParallel, data_parallel
from gpunet.nn.parallel.distributed import DistributedDataParallel

__all__ = ["DataParallel", "DistributedDataParallel", "data_parallel"]
