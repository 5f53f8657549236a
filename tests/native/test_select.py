"""Argmax, topk, rows of tables, dropout, gradient norms by native kernels against their NumPy bodies."""

import numpy as np
import pytest

import gpunet
import gpunet.nn.functional as F
from gpunet import native, nn
from tests.native.near import both

SHAPES = [(1,), (7,), (300,), (5, 33), (3, 4, 5), (2, 1000), (70, 40, 3)]


def _ties(shape):
    """Few different numbers, so that many are equal; some rows have NaN and infinities."""
    x = np.random.default_rng(0).integers(-9, 9, shape).astype(np.float32)
    flat = x.reshape(-1)
    flat[::101], flat[50::211], flat[60::307] = np.nan, np.inf, -np.inf
    return x


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", ["argmax", "argmin"])
def test_argmax(name, shape):
    x = gpunet.tensor(_ties(shape))
    both(lambda: [getattr(gpunet, name)(x, dim, keepdim=keep).numpy()
                  for dim in (None, *range(-1, len(shape))) for keep in (True, False)], exact=True)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("largest", [True, False])
def test_topk(shape, largest):
    x = gpunet.tensor(_ties(shape))
    numbers = gpunet.tensor(np.random.default_rng(1).permutation(x.numel()).reshape(shape).astype(np.float32))
    for k in {0, 1, shape[-1] // 12, shape[-1] // 2, shape[-1]}:
        both(lambda k=k: [gpunet.topk(x, k, largest=largest).values.numpy(),
                          *(t.numpy() for t in gpunet.topk(numbers, k, largest=largest))], exact=True)


def test_topk_takes_the_first_of_equals():
    x = gpunet.tensor([[2.0, 5.0, -0.0, 5.0, 0.0, 5.0, 1.0, 1.0] * 8])
    assert gpunet.topk(x, 3).indices.tolist() == [[1, 3, 5]]
    assert gpunet.topk(x, 2, largest=False).indices.tolist() == [[2, 4]]


@pytest.mark.parametrize(("rows", "width", "count"), [(1, 1, 3), (10, 7, 50), (5, 300, 1000), (4, 3, 0)])
def test_rows_of_a_table(rows, width, count):
    index = np.random.default_rng(0).integers(-rows, rows, count)

    def run():
        table = gpunet.tensor(np.random.default_rng(1).standard_normal((rows, width), np.float32), requires_grad=True)
        y = table[gpunet.tensor(index)]
        z = F.embedding(gpunet.tensor(index % rows), table, padding_idx=0)
        (y * y + z).sum().backward()
        return y.detach().numpy(), z.detach().numpy(), table.grad.numpy()

    both(run, ulps=64)


def test_a_row_that_is_not_there_is_named():
    table = gpunet.zeros(3, 2)
    messages = []
    for serving in (True, False):
        with pytest.raises(IndexError) as error:
            if serving:
                table[gpunet.tensor([0, 3])]
            else:
                with native.disabled():
                    table[gpunet.tensor([0, 3])]
        messages.append(str(error.value))
    assert messages[0] == messages[1]


@pytest.mark.parametrize("size", [1, 3, 64, 1001, 40000])
@pytest.mark.parametrize("p", [0.1, 0.5, 1.0])
def test_dropout_draws_the_same_numbers(size, p):
    def run():
        gpunet.manual_seed(1 << 40)
        gpunet.rand(9)
        x = gpunet.full((size,), 3.0, requires_grad=True)
        y = F.dropout(x, p)
        y.backward(gpunet.full((size,), 2.0))
        return y.detach().numpy(), x.grad.numpy()

    both(run, exact=True)


@pytest.mark.parametrize("most", [0.5, 1e9])
def test_clip_grad_norm(most):
    def run():
        rng = np.random.default_rng(0)
        parameters = [nn.Parameter(gpunet.zeros(*shape)) for shape in ((), (3,), (0, 4), (100, 300), (7, 11))]
        for p in parameters:
            p.grad = gpunet.tensor(rng.standard_normal(p.shape).astype(np.float32))
        norm = nn.utils.clip_grad_norm_(parameters, most)
        return [norm.numpy(), *(p.grad.numpy() for p in parameters)]

    both(run)
