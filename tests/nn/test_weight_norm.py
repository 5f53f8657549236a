"""weight_norm, spectral_norm and the fusion of convolution and batch norm against PyTorch's; more initial values."""

import math

import numpy as np
import pytest

import gpunet
from gpunet import nn

CASES = [("weight_norm", {}, "Linear", (4, 3), (2, 4)), ("weight_norm", {"dim": 1}, "Conv2d", (2, 3, 3), (2, 2, 4, 4)),
         ("weight_norm", {"dim": None}, "Linear", (4, 3), (2, 4)),
         ("spectral_norm", {}, "Linear", (4, 3), (2, 4)),
         ("spectral_norm", {"n_power_iterations": 3}, "Conv1d", (2, 3, 3), (2, 2, 4)),
         ("spectral_norm", {}, "ConvTranspose1d", (2, 3, 3), (2, 2, 4))]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("wrap, options, name, args, shape", CASES, ids=lambda x: str(x).replace(" ", ""))
@pytest.mark.needs("torch")
def test_wrapped_layer_is_pytorchs(wrap, options, name, args, shape):
    import torch

    ours, theirs = (getattr(library.utils, wrap)(getattr(library, name)(*args).double(), **options)
                    for library in (nn, torch.nn))
    assert [k for k, _ in ours.named_parameters()] == [k for k, _ in theirs.named_parameters()]
    assert set(ours.state_dict()) == set(theirs.state_dict())
    theirs.load_state_dict({k: torch.tensor(v.numpy()) for k, v in ours.state_dict().items()})
    values = np.random.default_rng(0).normal(size=shape)
    for step in range(3):
        if step == 2:
            ours.eval(), theirs.eval()
        a, b = ours(gpunet.tensor(values)), theirs(torch.tensor(values))
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-9)
        ours.zero_grad(), theirs.zero_grad()
        (a * a).sum().backward()
        (b * b).sum().backward()
        for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
            np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=1e-8, atol=1e-10)
    for key, value in theirs.state_dict().items():
        np.testing.assert_allclose(ours.state_dict()[key].numpy(), value.numpy(), rtol=1e-9, err_msg=key)
    with pytest.raises(RuntimeError, match="Cannot register two"):
        getattr(nn.utils, wrap)(ours, **options)
    plain = getattr(nn.utils, "remove_" + wrap)(ours)
    assert sorted(k for k, _ in plain.named_parameters()) == ["bias", "weight"] and len(plain.state_dict()) == 2
    np.testing.assert_allclose(plain(gpunet.tensor(values)).detach().numpy(), a.detach().numpy(), rtol=1e-9)
    with pytest.raises(ValueError, match="of 'weight' not found"):
        getattr(nn.utils, "remove_" + wrap)(ours)


@pytest.mark.parametrize("conv, transpose", [(lambda: nn.Conv2d(2, 3, 3, bias=False), False),
                                             (lambda: nn.ConvTranspose2d(2, 3, 3), True)])
def test_fused_convolution_and_batch_norm(conv, transpose):
    conv, norm = conv().eval(), nn.BatchNorm2d(3).eval()
    for tensor in (norm.running_mean, norm.running_var, norm.weight, norm.bias):
        nn.init.uniform_(tensor, 0.5, 2)
    x = gpunet.randn(2, 2, 5, 5)
    fused = nn.utils.fuse_conv_bn_eval(conv, norm, transpose)
    np.testing.assert_allclose(fused(x).detach().numpy(), norm(conv(x)).detach().numpy(), rtol=1e-4, atol=1e-5)
    with pytest.raises(AssertionError, match="eval"):
        nn.utils.fuse_conv_bn_eval(conv.train(), norm)


# ---- initial values ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (4, 2, 3)])
def test_orthogonal(shape):
    matrix = nn.init.orthogonal_(gpunet.empty(*shape), gain=2.0).numpy().reshape(shape[0], -1) / 2
    product = matrix @ matrix.T if matrix.shape[0] <= matrix.shape[1] else matrix.T @ matrix
    np.testing.assert_allclose(product, np.eye(len(product)), atol=1e-5)


@pytest.mark.parametrize("shape, groups", [((3, 4, 3), 1), ((4, 2, 2, 3), 2), ((6, 2, 1, 2, 3), 3)])
@pytest.mark.needs("torch")
def test_dirac_is_pytorchs(shape, groups):
    import torch

    np.testing.assert_array_equal(nn.init.dirac_(gpunet.empty(*shape), groups).numpy(),
                                  torch.nn.init.dirac_(torch.empty(*shape), groups).numpy())


def test_truncated_normal_and_sparse():
    values = nn.init.trunc_normal_(gpunet.empty(200, 200), 1.0, 2.0, -1.0, 4.0).numpy()
    assert -1 <= values.min() < -0.99 and 3.99 < values.max() <= 4
    # The mean and spread of a truncated normal, by its densities at the ends.
    low, high = -1.0, 1.5
    density = [math.exp(-t * t / 2) / math.sqrt(2 * math.pi) for t in (low, high)]
    mass = (math.erf(high / math.sqrt(2)) - math.erf(low / math.sqrt(2))) / 2
    shift = (density[0] - density[1]) / mass
    assert values.mean() == pytest.approx(1 + 2 * shift, abs=0.02)
    spread = 1 + (low * density[0] - high * density[1]) / mass - shift**2
    assert values.std() == pytest.approx(2 * math.sqrt(spread), rel=0.02)
    values = nn.init.sparse_(gpunet.empty(50, 40), 0.3, std=2.0).numpy()
    assert ((values == 0).sum(0) == 15).all() and values[values != 0].std() == pytest.approx(2, rel=0.1)


def test_fans_of_a_convolution():
    """The bound of Kaiming's uniform values: sqrt(6 / fan), of 3 channels and 5 x 2 taps, or 4 features."""
    for mode, fan in (("fan_in", 30), ("fan_out", 40)):
        values = nn.init.kaiming_uniform_(gpunet.empty(4, 3, 5, 2), mode=mode, nonlinearity="relu").numpy()
        assert 0.9 * math.sqrt(6 / fan) < abs(values).max() <= math.sqrt(6 / fan)


@pytest.mark.needs("torch")
def test_all_of_pytorchs_initialisers_are_there():
    import torch

    theirs = {name for name in dir(torch.nn.init) if name.endswith("_") and not name.startswith("_")}
    assert not theirs - set(dir(nn.init))
