"""Distance layers against PyTorch."""

import numpy as np
import pytest

import gpunet
from gpunet import nn


@pytest.mark.parametrize(("name", "options"), [
    ("CosineSimilarity", {}), ("CosineSimilarity", {"dim": 0, "eps": 1e-3}), ("PairwiseDistance", {}),
    ("PairwiseDistance", {"p": 1, "eps": 0.0, "keepdim": True})])
@pytest.mark.needs("torch")
def test_layer_is_pytorchs(name, options):
    import torch

    ours, theirs = getattr(nn, name)(**options), getattr(torch.nn, name)(**options)
    assert repr(ours) == repr(theirs)
    x, y = np.random.default_rng(0).normal(size=(2, 3, 4))
    np.testing.assert_allclose(ours(gpunet.tensor(x), gpunet.tensor(y)).numpy(),
                               theirs(torch.tensor(x), torch.tensor(y)).numpy(), rtol=1e-12)
