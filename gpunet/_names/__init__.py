"""PyTorch's paths to names, and what is said of names that are not here.

PyTorch's programs import from many places, such as `torch.utils.data.dataloader` and `torch.nn.modules.batchnorm`.
`paths.py` says where in gpunet such a path's names are, `absent.py` what is missing and what to use instead, and
`finder.py` has Python ask both. Nothing of it is imported before a program asks for it.
"""

from gpunet._names.finder import attributes_of, find

__all__ = ["attributes_of", "find"]
