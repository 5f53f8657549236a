"""Sizes, dimensions and counts may be NumPy's integers: the same result as with Python's."""

import numpy as np
import pytest

import gpunet
import gpunet.nn.functional as F

CALLS = {
    "zeros": lambda x, n: gpunet.zeros(n(2), n(3)),
    "size by name": lambda x, n: gpunet.ones(size=n(3)),
    "randperm": lambda x, n: gpunet.randperm(n(5)),
    "randint": lambda x, n: gpunet.randint(n(0), n(9), (n(4),)),
    "arange": lambda x, n: gpunet.arange(n(1), n(9), n(2)),
    "reshape": lambda x, n: x.reshape(n(-1), n(3)),
    "expand": lambda x, n: x[:, :1].expand(n(4), n(3)),
    "squeeze": lambda x, n: x[None].squeeze(n(0)),
    "movedim": lambda x, n: x.movedim(n(0), n(1)),
    "sum": lambda x, n: x.sum(n(0)),
    "norm": lambda x, n: gpunet.linalg.vector_norm(x, dim=n(1)),
    "narrow": lambda x, n: x.narrow(n(1), n(2), n(3)),
    "chunk": lambda x, n: x.chunk(n(2)),
    "split": lambda x, n: x.split(n(3)),
    "hsplit": lambda x, n: gpunet.hsplit(x, n(2)),
    "topk": lambda x, n: x.topk(n(2)),
    "roll": lambda x, n: x.roll(n(1), n(0)),
    "flip": lambda x, n: x.flip(n(1)),
    "repeat_interleave": lambda x, n: x.repeat_interleave(n(2), n(0)),
    "diag": lambda x, n: x[0].diag(n(1)),
    "tensordot": lambda x, n: gpunet.tensordot(x, x, n(2)),
    "unravel_index": lambda x, n: gpunet.unravel_index(gpunet.tensor([1, 3]), n(6)),
    "one_hot": lambda x, n: F.one_hot(gpunet.tensor([0, 2]), n(4)),
    "max_pool2d": lambda x, n: F.max_pool2d(x[None], n(2)),
    "adaptive_avg_pool2d": lambda x, n: F.adaptive_avg_pool2d(x[None], n(2)),
    "conv1d": lambda x, n: F.conv1d(x[None], x[None, :, :3], padding=n(1), stride=n(2)),
    "layer_norm": lambda x, n: F.layer_norm(x, n(6)),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_numpy_integers_are_integers(call):
    def results(kind):
        gpunet.manual_seed(0)
        found = call(gpunet.arange(24.0).reshape(4, 6) % 5, kind)
        return [each.tolist() for each in (found if isinstance(found, tuple | list) else [found])]

    assert results(np.int64) == results(np.int32) == results(int)
