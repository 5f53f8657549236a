"""Importing this module has `import torch` give gpunet from then on: `gpunet.torch.install()` in one line."""

from gpunet.torch import install

install()
