"""Runs Python over the stand-in driver: `python -m tests.cuda_host [--run] ARGUMENTS OF PYTHON...`"""

import os
import sys

from tests.cuda_host.stand_in import Missing, environment

arguments = sys.argv[1:]
run = arguments[:1] == ["--run"]
try:
    variables = environment(int(os.environ.get("FAKE_CUDA_GPUS", "1")), run)
except Missing as missing:
    sys.exit(f"the stand-in driver cannot be built here; missing: {missing}")
os.execve(sys.executable, [sys.executable, *arguments[run:]], variables)
