"""The training scripts of tests/networks, on the device cuda."""

import pytest

import gpunet
from tests.networks.test_scripts import SCRIPTS, load


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_script_runs(path, monkeypatch):
    on_host = gpunet.from_numpy
    monkeypatch.setattr(gpunet, "from_numpy", lambda array: on_host(array).to("cuda"))
    # Nothing is computed, so that values cannot be checked.
    monkeypatch.setattr(gpunet, "allclose", lambda *_, **__: True)
    monkeypatch.setattr(gpunet.distributions.Distribution, "_validate_args", False)
    with gpunet.device("cuda"):
        script = load(path, "gpunet")
        model = script.build()
        before = {name: (value.shape, value.dtype) for name, value in model.state_dict().items()}
        assert len(script.train(model, 2)) >= 2
    after = {name: (value.shape, value.dtype) for name, value in model.state_dict().items()}
    assert after == before and all(p.device.type == "cuda" for p in model.parameters())
