"""`python -m gpunet` is the `gpunet` command."""

from gpunet.cli import main

main(prog_name="gpunet")
