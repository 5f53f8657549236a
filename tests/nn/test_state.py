"""state_dict, load_state_dict, save and load."""

import numpy as np
import pytest

import gpunet
from gpunet import nn


def model(width=3):
    return nn.Sequential(nn.Linear(2, width), nn.Sequential(nn.Linear(width, 2)))


def test_round_trip():
    a, b = model(), model()
    state = a.state_dict()
    assert list(state) == ["0.weight", "0.bias", "1.0.weight", "1.0.bias"]
    assert not any(t.requires_grad for t in state.values())
    with gpunet.no_grad():
        a[0].bias.fill_(7)
    assert state["0.bias"].tolist() == [7] * 3, "the same memory"
    result = b.load_state_dict(state)
    assert repr(result) == "<All keys matched successfully>" and result.missing_keys == []
    for p, q in zip(a.parameters(), b.parameters(), strict=True):
        assert p.tolist() == q.tolist() and q.requires_grad
    assert list(a.state_dict(prefix="net."))[0] == "net.0.weight"
    assert a.state_dict(keep_vars=True)["0.bias"] is a[0].bias
    assert set(a.state_dict(destination={"x": 1})) == {"x", *state}


def test_all_that_is_wrong_in_one_error():
    target, state = model(), model(4).state_dict()
    before = [p.tolist() for p in target.parameters()]
    state["extra"] = state.pop("0.bias")
    with pytest.raises(RuntimeError) as caught:
        target.load_state_dict(state)
    text = str(caught.value)
    assert text.startswith("Error(s) in loading state_dict for Sequential:\n\t")
    assert 'Unexpected key(s) in state_dict: "extra"' in text and 'Missing key(s) in state_dict: "0.bias"' in text
    assert ("size mismatch for 0.weight: copying a param with shape gpunet.Size([4, 2]) from checkpoint, the shape in "
            "current model is gpunet.Size([3, 2]).") in text
    assert [p.tolist() for p in target.parameters()] == before, "nothing has changed"
    with pytest.raises(RuntimeError, match="size mismatch for 0.weight"):
        target.load_state_dict(state, strict=False)
    with pytest.raises(TypeError, match="Expected state_dict to be dict-like"):
        target.load_state_dict([1])
    with pytest.raises(TypeError, match="the value of '0.weight' must be a tensor or an array, got str"):
        target.load_state_dict({"0.weight": "x"}, strict=False)


def test_not_strict():
    target = model()
    result = target.load_state_dict({"0.bias": gpunet.ones(3), "other": gpunet.ones(1)}, strict=False)
    assert result.missing_keys == ["0.weight", "1.0.weight", "1.0.bias"] and result.unexpected_keys == ["other"]
    assert target[0].bias.tolist() == [1, 1, 1]
    assert "IncompatibleKeys(missing_keys=['0.weight'" in repr(result)


def test_types_devices_and_foreign_arrays(device):
    target = model().to(device)
    optimizer_sees = target[0].weight
    target.load_state_dict({k: v.double().cpu().numpy() for k, v in model().state_dict().items()})
    assert target[0].weight is optimizer_sees and target[0].weight.dtype is gpunet.float32
    assert target[0].weight.device.type == device


def test_assign():
    target, state = model(), {k: v.double() for k, v in model().state_dict().items()}
    target.load_state_dict(state, assign=True)
    assert target[0].weight.dtype is gpunet.float64 and isinstance(target[0].weight, nn.Parameter)
    state["0.bias"].fill_(5)
    assert target[0].bias.tolist() == [5] * 3


@pytest.mark.needs("torch")
def test_weights_move_from_and_to_pytorch():
    import torch

    theirs = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Sequential(torch.nn.Linear(3, 2)))
    ours = model()
    ours.load_state_dict(theirs.state_dict())
    x = np.random.default_rng(0).normal(size=(4, 2)).astype(np.float32)
    assert_same(ours(gpunet.tensor(x)), theirs(torch.tensor(x)))
    other = model()
    theirs.load_state_dict({k: torch.from_numpy(v.numpy()) for k, v in other.state_dict().items()})
    assert_same(other(gpunet.tensor(x)), theirs(torch.tensor(x)))


def assert_same(a, b):
    np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-5, atol=1e-6)


def test_files(tmp_path):
    a, b = model(), model()
    a.save(tmp_path / "a.safetensors", metadata={"epoch": "3"})
    assert repr(b.load(tmp_path / "a.safetensors")) == "<All keys matched successfully>"
    for p, q in zip(a.parameters(), b.parameters(), strict=True):
        assert p.tolist() == q.tolist()
    assert [p.name for p in tmp_path.iterdir()] == ["a.safetensors"]
