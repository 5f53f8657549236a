"""PyTorch training scripts run here when only their imports change, and learn along the same curve.

Each file of scripts/ is a script for PyTorch: `build()` makes the model, `train(model, steps)` gives the losses.
"""

import re
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import gpunet

SCRIPTS = sorted((Path(__file__).parent / "scripts").glob("*.py"))
STEPS = 20


def load(path: Path, library: str) -> ModuleType:
    """The script as a module, its imports of torch replaced by those of `library`."""
    source = path.read_text()
    if library != "torch":
        source = re.sub(r"^import torch$", f"import {library} as torch", source, flags=re.M)
        source = re.sub(r"^(import|from) torch\b", rf"\1 {library}", source, flags=re.M)
    module = ModuleType(f"{path.stem}_with_{library}")
    exec(compile(source, path, "exec"), vars(module))
    return module


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
@pytest.mark.needs("torch")
def test_script_learns_as_with_pytorch(path):
    import torch

    torch.manual_seed(0)
    theirs, ours = load(path, "torch"), load(path, "gpunet")
    reference, model = theirs.build(), ours.build()
    state = {name: value.numpy().copy() for name, value in reference.state_dict().items()}
    assert list(model.state_dict()) == list(state)
    model.load_state_dict({name: gpunet.tensor(value) for name, value in state.items()})
    expected = theirs.train(reference, STEPS)
    found = ours.train(model, STEPS)
    assert np.ptp(expected) > 1e-3  # it learns something
    np.testing.assert_allclose(found, expected, rtol=1e-3)
    # And back again: what was learned here is a state for PyTorch.
    reference.load_state_dict({name: torch.from_numpy(value.numpy().copy())
                               for name, value in model.state_dict().items()})
