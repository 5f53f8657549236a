"""gpunet under the name `torch`, so that PyTorch's programs run as they are.

    python -m gpunet.torch script.py arguments
    python -m gpunet.torch -m module arguments

or, at the start of a program, before it imports torch: `import gpunet.torch_compat`. From then on `import torch` and
`from torch.utils.data import DataLoader` give gpunet, also to the libraries that the program uses. `torchvision` gives
gpunet's datasets, transforms and models. PyTorch itself may be installed or not; it is not imported.

Types and shapes are shown by PyTorch's names. `torch.compile` returns what it is given: PyTorch's takes any Python, and
gpunet's records a step. docs/from-pytorch.md says what else differs.
"""

from gpunet.torch.alias import install, installed, uninstall

__all__ = ["install", "installed", "uninstall"]
