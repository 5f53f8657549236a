"""The table of cases: every op, on the inputs that could go wrong. tests/ops/test_cases.py drives each row.

A row is an expression, as a user would write it, and what its tensors are; names that are not tensors are functions of
gpunet, or of PyTorch, which must give the same value, shape, type, gradient and second gradient. To test a new op, add
a row to the file of its family: every file of this folder is read.
"""

from importlib import import_module
from pathlib import Path

from tests.cases.table import CASES as CASES

for _path in sorted(Path(__file__).parent.glob("[!_]*.py")):
    import_module(f"{__name__}.{_path.stem}")
