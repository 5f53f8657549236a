"""What an editor and a type checker know of gpunet: the stub is true, completions come, programs pass."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.typing.stubs import STUB, written

ROOT = Path(__file__).parents[2]


def test_the_stub_is_true():
    assert STUB.read_text() == written(), "write it anew: python -m tests.typing.stubs"


# After a piece of a program, the names that an editor must offer, and some that it must not.
COMPLETIONS = {
    "gpunet.randn(2, 3).": ({"exp", "exp_", "sum", "reshape", "shape", "grad", "backward", "to", "float", "T",
                             "matmul", "mul_", "relu", "requires_grad_", "new_zeros"}, {"conversion"}),
    "gpunet.randn(2, 3).exp().sum().": ({"item", "backward", "sqrt"}, set()),
    "(gpunet.ones(3) * 2).": ({"item", "mean"}, set()),
    "nn.Linear(2, 3).": ({"weight", "bias", "parameters", "state_dict", "train", "to", "in_features"}, set()),
    "optim.": ({"SGD", "Adam", "AdamW", "RMSprop", "lr_scheduler", "Optimizer"}, set()),
    "nn.functional.": ({"relu", "conv2d", "cross_entropy", "layer_norm", "max_pool2d"}, set()),
    "gpunet.": ({"tensor", "zeros", "exp", "nn", "optim", "linalg", "no_grad", "float32", "Tensor"}, set()),
}


@pytest.mark.parametrize("written", COMPLETIONS)
def test_an_editor_completes(written):
    jedi = pytest.importorskip("jedi")
    program = f"import gpunet\nfrom gpunet import nn, optim\n{written}"
    script = jedi.Script(program, project=jedi.Project(ROOT, smart_sys_path=False, added_sys_path=[str(ROOT)]))
    offered = {completion.name for completion in script.complete()}
    wanted, unwanted = COMPLETIONS[written]
    assert wanted <= offered and not unwanted & offered, sorted(wanted - offered)


def test_an_editor_shows_a_methods_parameters():
    jedi = pytest.importorskip("jedi")
    script = jedi.Script("import gpunet\ngpunet.randn(2, 3).pow(", project=jedi.Project(ROOT))
    (signature,) = script.get_signatures()
    assert [parameter.name for parameter in signature.params] == ["exponent"]
    assert "Power" in signature.docstring()


def test_programs_pass_a_type_checker():
    pyright = shutil.which("pyright")
    if pyright is None:
        pytest.skip("pyright is not installed")
    programs = sorted((ROOT / "tests/typing/programs").glob("*.py"))
    found = subprocess.run([pyright, *programs], cwd=ROOT, capture_output=True, text=True)
    assert not found.returncode, found.stdout
