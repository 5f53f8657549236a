"""Runs a program of PyTorch's on gpunet: `python -m gpunet.torch script.py arguments`, or `-m module arguments`."""

import sys

from gpunet.torch.program import run

if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
