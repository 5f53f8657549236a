"""Datasets, samplers and the DataLoader: `torch.utils.data` in PyTorch's names and meanings.

`gpunet.data.datasets` and `gpunet.data.transforms` hold what torchvision keeps in its modules of those names.
"""

from gpunet.data.collate import default_collate, default_convert
from gpunet.data.dataloader import DataLoader
from gpunet.data.dataset import ConcatDataset, Dataset, IterableDataset, Subset, TensorDataset, random_split
from gpunet.data.sampler import BatchSampler, RandomSampler, Sampler, SequentialSampler, SubsetRandomSampler

__all__ = [
    "BatchSampler",
    "ConcatDataset",
    "DataLoader",
    "Dataset",
    "IterableDataset",
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
    "Subset",
    "SubsetRandomSampler",
    "TensorDataset",
    "default_collate",
    "default_convert",
    "random_split",
]
