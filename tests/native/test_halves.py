"""Half types on the CPU: converted exactly as NumPy and ml_dtypes do; every function computed in float32 and rounded
once; products of bfloat16."""

import itertools

import ml_dtypes
import numpy as np
import pytest

import gpunet
import gpunet.nn.functional as F
from gpunet import nn
from gpunet.native.halves import convert, in_float32

HALVES = {"float16": np.dtype(np.float16), "bfloat16": np.dtype(ml_dtypes.bfloat16)}


def all_of(dtype):
    return np.arange(2**16, dtype=np.uint16).view(dtype)


def same(found, wanted):
    """The same bits, but that one NaN is as good as another."""
    nan = np.isnan(wanted.astype(np.float32))
    assert (nan == np.isnan(found.astype(np.float32))).all()
    unsigned = f"u{found.itemsize}"
    assert (found.view(unsigned)[~nan] == wanted.view(unsigned)[~nan]).all()


@pytest.mark.parametrize("name", HALVES)
def test_every_half_becomes_the_float_that_it_is(name):
    found = np.empty(2**16, np.float32)
    assert convert(found, all_of(HALVES[name]))
    same(found, all_of(HALVES[name]).astype(np.float32))


@pytest.mark.parametrize("name", HALVES)
@pytest.mark.filterwarnings("ignore:.*encountered")
def test_floats_are_rounded_to_nearest(name):
    """Every half, what lies in the middle of two, the neighbours of both, and floats of any bits."""
    halves = all_of(HALVES[name]).astype(np.float32)
    middles = (halves[:-1] + halves[1:]) / 2
    some = np.random.default_rng(0).integers(0, 2**32, 200_003, np.uint32).view(np.float32)
    x = np.concatenate([halves, middles, np.nextafter(middles, np.float32(np.inf)),
                        np.nextafter(middles, np.float32(-np.inf)), some])
    found = np.empty(x.shape, HALVES[name])
    assert convert(found, x)
    same(found, x.astype(HALVES[name]))


@pytest.mark.filterwarnings("ignore:.*encountered")
def test_between_the_two_half_types_and_views():
    x = all_of(HALVES["float16"]).reshape(256, 256)
    found = np.empty((256, 256), HALVES["bfloat16"])
    for view in (x.T, x[::-1], x[:, :1], x[3:4, 7:8]):
        assert convert(found[: view.shape[0], : view.shape[1]], view)
        same(np.ascontiguousarray(found[: view.shape[0], : view.shape[1]]),
             np.ascontiguousarray(view.astype(np.float32).astype(HALVES["bfloat16"])))
    assert not convert(np.empty(3), np.empty(3, np.float16)) and not convert(np.empty(3, "f4"), np.empty(3, "f4"))


FUNCTIONS = {
    "x + y": lambda x, y: x + y, "x * 2.7": lambda x, y: x * 2.7, "x / y": lambda x, y: x / y,
    "maximum": gpunet.maximum, "x < y": lambda x, y: x < y, "gelu": lambda x, y: F.gelu(x),
    "exp": lambda x, y: x.exp(), "sigmoid": lambda x, y: x.sigmoid(), "clamp": lambda x, y: x.clamp(-1, 0.3),
    "leaky_relu": lambda x, y: F.leaky_relu(x, 0.3), "where": lambda x, y: gpunet.where(x > 0, x, y),
    "sum": lambda x, y: x.sum(1), "mean": lambda x, y: x.mean(0), "amax": lambda x, y: x.amax(1),
    "softmax": lambda x, y: x.softmax(-1), "softmax of columns": lambda x, y: x.softmax(0),
    "log_softmax": lambda x, y: x.log_softmax(-1), "log_softmax of columns": lambda x, y: x.log_softmax(0),
    "batch_norm": lambda x, y: F.batch_norm(x.unflatten(1, (16, 3)), None, None, y[0, :16], y[1, :16], True),
    "batch_norm of rows": lambda x, y: F.batch_norm(x, None, None, y[0], y[1], True),
    "evaluated batch_norm": lambda x, y: F.batch_norm(x.unflatten(1, (16, 3)), y[2, :16], y[3, :16].abs()),
    "group_norm": lambda x, y: F.group_norm(x.unflatten(1, (12, 4)), 3, y[0, :12], y[1, :12]),
    "rms_norm": lambda x, y: F.rms_norm(x, (48,), y[0]), "layer_norm": lambda x, y: F.layer_norm(x, (48,), y[0], y[1]),
    "linear": lambda x, y: F.linear(x, y, y[:, 0]), "matmul": lambda x, y: x @ y.t(),
    "max_pool": lambda x, y: F.max_pool2d(x[None], 3, 2, 1), "conv": lambda x, y: F.conv1d(x, y[:, :33].unflatten(
        1, (33, 1))), "attention": lambda x, y: F.scaled_dot_product_attention(x[None], y[None], y[None]),
    "topk": lambda x, y: x.topk(5)[0], "cat": lambda x, y: gpunet.cat([x, y.flip(0)], 1),
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("dtype", HALVES)
def test_functions_round_once(name, dtype, with_threads):
    """The result is the float32 result, rounded: where that lies near the middle of two, either."""
    numbers = np.random.default_rng(0).standard_normal((2, 33, 96)).astype(np.float32)
    both = gpunet.tensor(numbers).to(getattr(gpunet, dtype))
    for x, y in (both[:, :, :48], both[:, :, ::2]):
        found = FUNCTIONS[name](x, y)
        exact = FUNCTIONS[name](x.float(), y.float())
        assert found.dtype == (x.dtype if exact.dtype == gpunet.float32 else exact.dtype)
        step = float(gpunet.finfo(x.dtype).eps)
        bound = exact.double().abs() * (step / 2 * 1.02) + 1e-5 if exact.dtype == gpunet.float32 else 0
        assert ((found.double() - exact.double()).abs() <= bound).all()
        with_threads(lambda x=x, y=y: FUNCTIONS[name](x, y).float().numpy())


@pytest.mark.parametrize("name", ["softmax", "softmax of columns", "layer_norm", "batch_norm", "batch_norm of rows",
                                  "group_norm", "rms_norm"])
@pytest.mark.parametrize("dtype", HALVES)
def test_gradients_round_once(name, dtype, with_threads):
    """As far as they come of inputs alone; softmax's comes of its result, which is rounded."""
    numbers = np.random.default_rng(0).standard_normal((3, 33, 48)).astype(np.float32)
    x, y, g = gpunet.tensor(numbers).to(getattr(gpunet, dtype))
    step = float(gpunet.finfo(x.dtype).eps)

    def gradients(kind):
        own = [each.clone().to(kind).requires_grad_() for each in (x, y)]
        out = FUNCTIONS[name](*own)
        out.backward(g.to(kind).reshape(out.shape))
        return np.stack([each.grad.float().numpy() for each in own if each.grad is not None])

    exact, found = gradients(gpunet.float32), with_threads(lambda: gradients(x.dtype))
    slack = step if "softmax" in name else 2e-6
    assert (np.abs(found - exact) <= np.abs(exact) * (step / 2 * 1.02) + slack * np.abs(exact).max()).all()


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("training", [True, False])
def test_half_images_beside_float32_vectors(dtype, training):
    """Batch norm as autocast meets it: its own numbers, and what it keeps, are those of float32."""
    images = gpunet.tensor(np.random.default_rng(0).standard_normal((4, 24, 9, 9)).astype(np.float32))
    images = images.to(getattr(gpunet, dtype))

    def run(x):
        gpunet.manual_seed(0)
        layer = nn.BatchNorm2d(24)
        nn.init.uniform_(layer.weight)
        layer.train(training)
        x = x.detach().requires_grad_()
        y = layer(x)
        y.backward(x.detach().flip(0).to(y.dtype))
        return y.detach(), x.grad, layer.weight.grad, layer.bias.grad, layer.running_mean, layer.running_var

    found, exact = run(images), run(images.float())
    assert found[0].dtype is found[1].dtype is images.dtype and found[2].dtype is gpunet.float32
    step = float(gpunet.finfo(images.dtype).eps)
    for a, b in zip(found, exact, strict=True):
        rounded = step / 2 * 1.02 if a.dtype is images.dtype else 1e-5
        np.testing.assert_allclose(a.float().numpy(), b.numpy(), rtol=rounded, atol=1e-4)


SHAPES = [(1, 1, 1), (1, 40, 70), (3, 17, 5), (8, 33, 64), (9, 1, 1), (16, 16, 32), (17, 33, 31), (64, 96, 128),
          (100, 10, 333), (70, 130, 0), (40, 300, 1000), (300, 40, 65)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", HALVES)
def test_products(shape, dtype, with_threads):
    m, n, k = shape
    draw = np.random.default_rng(0).standard_normal
    for ta, tb in itertools.product((False, True), repeat=2):
        a = gpunet.tensor(draw((k, m) if ta else (m, k))).to(getattr(gpunet, dtype))
        b = gpunet.tensor(draw((n, k) if tb else (k, n))).to(getattr(gpunet, dtype))
        a, b = a.t() if ta else a, b.t() if tb else b
        exact = a.double().numpy() @ b.double().numpy()
        found = with_threads(lambda a=a, b=b: (a @ b).float().numpy())
        np.testing.assert_allclose(found, exact, rtol=float(gpunet.finfo(a.dtype).eps) / 2, atol=1e-6 * (k + 1))


@pytest.mark.parametrize("dtype", HALVES)
def test_products_with_biases_batches_and_infinities(dtype):
    draw = np.random.default_rng(0).standard_normal
    x, w, b = (gpunet.tensor(draw(shape)).to(getattr(gpunet, dtype)) for shape in ((5, 3, 70), (40, 70), (40,)))
    exact = x.double() @ w.double().t() + b.double()
    for found, wanted in ((F.linear(x, w, b), exact), (x @ x.transpose(1, 2), x.double() @ x.double().transpose(1, 2)),
                          (nn.Sequential(nn.Linear(70, 40), nn.ReLU()).to(x.dtype)(x) * 0 + F.linear(x, w, b).relu(),
                           exact.relu())):
        np.testing.assert_allclose(found.detach().float().numpy(), wanted.numpy(), rtol=2**-7, atol=1e-2)
    x[0, 0, 0], x[1, 1, 3] = float("inf"), float("nan")
    found = F.linear(x, w.abs(), b)
    assert (found[0, 0] == float("inf")).all() and found[1, 1].isnan().all() and found[2:].isfinite().all()


def test_products_of_every_number_of_float16():
    """Of the greatest, the least and those below the least normal one; a column for each, and what overflows."""
    x = all_of(HALVES["float16"])
    x = x[np.isfinite(x)].reshape(1, -1)
    ones = np.ones((16, 1), np.float16)
    for factor in (1, 1 / 3, -2):
        with np.errstate(over="ignore"):
            exact = (float(np.float16(factor)) * x.astype(np.float64)).astype(np.float16)
        found = (gpunet.tensor(ones * np.float16(factor)) @ gpunet.tensor(x)).numpy()
        np.testing.assert_array_equal(found, np.repeat(exact, 16, 0))  # 0 may be -0


@pytest.mark.parametrize("dtype", HALVES)
def test_a_compiled_step_is_the_eager_one(dtype):
    """Conversions are part of the recording; losses and weights have the same bits."""
    def trained(wrap):
        gpunet.manual_seed(0)
        model = nn.Sequential(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.GELU(), nn.Flatten(), nn.Linear(8 * 36, 64),
                              nn.LayerNorm(64), nn.Dropout(0.1), nn.Linear(64, 10)).to(getattr(gpunet, dtype))
        optimizer = gpunet.optim.SGD(model.parameters(), lr=0.01)
        x, y = gpunet.randn(32, 1, 8, 8).to(getattr(gpunet, dtype)), gpunet.randint(0, 10, (32,))

        def step():
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            return loss

        step = wrap(step)
        losses = [step().item() for _ in range(6)]
        return losses, [p.detach().float().numpy() for p in model.parameters()]

    (losses, weights), (compiled, replayed) = trained(lambda f: f), trained(gpunet.compile)
    assert losses == compiled and losses[-1] < losses[0]
    for a, b in zip(weights, replayed, strict=True):
        assert (a == b).all()


def test_what_is_no_half_type_goes_on_to_the_body():
    called = []
    function = in_float32(lambda *args: called.append(args), 1)
    assert function(np.empty(3), np.empty(3, np.float16)) is NotImplemented and not called
    out, x, index = np.zeros(3, np.float16), np.ones(3, np.float32), np.arange(3)
    function(out, x, index, None)
    (result, given, *rest), = called
    assert result.dtype == np.float32 and given is x and rest[0] is index and rest[1] is None
