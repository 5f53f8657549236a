"""Half types: arithmetic with numbers, statistics and losses are computed in float32 and rounded once."""

import functools
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import gpunet
import gpunet.nn.functional as F
from gpunet import nn, optim
from gpunet.dispatch import Op
from tests.oracle import Names, Ours, Torch, numpy_type

pytestmark = pytest.mark.slow("sim")  # each op and type is a kernel to compile

HALF = ("float16", "bfloat16")
half_types = pytest.mark.parametrize("dtype", HALF)
VALUES = np.array([0.0, -0.0, 1.0, -1.5, 0.1, 3e-4, -7e-8, 0.3333, 2.718, 511.0, -60000.0, 65504.0, np.inf, -np.inf,
                   np.nan, -0.2468])
# In float16 some are infinite and some 0; few are representable.
NUMBERS = (0.12345, 1.0001, -3.3, 3, 1e-8, 1e5, 131072, -70000.0)

# What takes a number beside half tensors in float32, by the names of the ops; and what takes it rounded.
IN_FLOAT32 = {
    "add": ["x + n", "n + x", "add(x, n)"], "sub": ["x - n", "n - x", "sub(x, n)"], "mul": ["x * n", "n * x"],
    "true_divide": ["x / n", "n / x"], "floor_divide": ["x // n", "n // x"],
    "trunc_divide": ["div(x, n, rounding_mode='trunc')"], "pow": ["x ** n", "n ** x"],
    "atan2": ["atan2(x, n)"], "hypot": ["hypot(x, n)"], "logaddexp": ["logaddexp(x, n)"],
    "logaddexp2": ["logaddexp2(x, n)"], "xlogy": ["xlogy(x, n)", "xlogy(n, x)"],
    "xlog1py": ["special.xlog1py(x, n)", "special.xlog1py(n, x)"],
    "addcmul": ["addcmul(x, x, n)", "addcmul(n, x, x)"], "addcdiv": ["addcdiv(x, x, n)", "addcdiv(n, x, x)"],
}
ROUNDED = {
    "eq": ["x == n"], "ne": ["x != n"], "lt": ["x < n"], "le": ["x <= n"], "gt": ["x > n", "n > x"], "ge": ["x >= n"],
    "logical_and": ["logical_and(x, n)"], "logical_or": ["logical_or(x, n)"], "logical_xor": ["logical_xor(x, n)"],
    "maximum": ["maximum(x, n)"], "minimum": ["minimum(x, n)"], "fmax": ["fmax(x, n)"], "fmin": ["fmin(x, n)"],
    "copysign": ["copysign(x, n)"], "remainder": ["x % n", "n % x"], "fmod": ["fmod(x, n)"],
}
# Whose operands are no numbers: of integers, nextafter, and isin, which makes a tensor of its number.
OTHERS = {"bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_left_shift", "bitwise_right_shift", "gcd", "isin",
          "lcm", "nextafter"}


def expressions(table):
    return pytest.mark.parametrize("text", [text for texts in table.values() for text in texts])


class Reference:
    """NumPy in one type, rounded by the test."""

    OTHER = {"add": "add", "sub": "subtract", "atan2": "arctan2"}

    @staticmethod
    def name(name):
        return {
            "xlogy": lambda x, y: np.where((x == 0) & ~np.isnan(y), 0, np.float64(x) * np.log(np.float64(y))),
            "special": SimpleNamespace(xlog1py=lambda x, y: np.where((x == 0) & ~np.isnan(y), 0, x * np.log1p(y))),
            "addcmul": lambda x, a, b: x + a * b,
            "addcdiv": lambda x, a, b: x + a / b,
            "div": lambda x, y, rounding_mode: getattr(np, rounding_mode)(x / y),
        }.get(name) or getattr(np, Reference.OTHER.get(name, name))


def evaluate(text, library, **names):
    return eval(text, {}, Names(library, names))


def same(ours, expected, message=""):
    """Equal to the bit, but for the signs of NaN."""
    np.testing.assert_array_equal(ours.astype("float32"), expected.astype("float32"), message)
    np.testing.assert_array_equal(np.signbit(ours) | np.isnan(ours), np.signbit(expected) | np.isnan(expected), message)


def test_every_op_of_several_operands_is_in_the_tables():
    modules = [module for path, module in sys.modules.items() if path.startswith("gpunet.ops.")]
    functions = [value for module in modules for value in vars(module).values()]
    ops = {f.op.name: f.op for f in functions if isinstance(getattr(f, "op", None), Op) and f.op.promotes}
    several = {name: op for name, op in ops.items() if op.body.__code__.co_argcount > 3}
    assert {name for name, op in several.items() if op.opmath} == IN_FLOAT32.keys()
    assert {name for name, op in several.items() if not op.opmath} == ROUNDED.keys() | OTHERS


@half_types
@expressions(IN_FLOAT32)
@np.errstate(all="ignore")
def test_a_number_counts_in_float32(text, dtype, device):
    x = VALUES.astype(numpy_type(dtype))
    for n in NUMBERS:
        expected = evaluate(text, Reference, x=x.astype("float32"), n=n).astype(x.dtype)
        ours = evaluate(text, gpunet_on := Ours(device), x=gpunet_on.tensor(x), n=n)
        assert ours.dtype.name == dtype
        same(gpunet_on.array(ours), expected, f"{text} for n = {n}")


@half_types
@expressions(ROUNDED)
@np.errstate(all="ignore")
def test_a_number_is_rounded_to_be_compared(text, dtype, device):
    x = np.append(VALUES, NUMBERS).astype(numpy_type(dtype))
    for n in NUMBERS:
        rounded = np.array(n).astype(x.dtype).astype("float32")
        expected = evaluate(text, Reference, x=x.astype("float32"), n=rounded)
        ours = evaluate(text, gpunet_on := Ours(device), x=gpunet_on.tensor(x), n=n)
        expected = expected if expected.dtype == bool else expected.astype(x.dtype)
        np.testing.assert_array_equal(gpunet_on.array(ours).astype("float32"), expected.astype("float32"),
                                      f"{text} for n = {n}")


@half_types
@pytest.mark.parametrize("text", ["x * n", "x / n", "x // n", "x % n", "fmod(x, n)", *[t for name in (
    "eq", "ne", "lt", "le", "gt", "ge") for t in ROUNDED[name]]])
@pytest.mark.needs("torch")
def test_numbers_are_pytorchs(text, dtype):
    """To the bit; sums and powers are more exact here than on PyTorch's CPU, which rounds the number."""
    with np.errstate(over="ignore"):  # some are beyond float16
        x = np.append(VALUES, NUMBERS).astype(numpy_type(dtype))
    ours, theirs = Ours(), Torch()
    for n in NUMBERS:
        found = [library.array(evaluate(text, library, x=library.tensor(x), n=n)) for library in (ours, theirs)]
        np.testing.assert_array_equal(*(a.astype("float32") for a in found), f"{text} for n = {n}")


@half_types
@pytest.mark.parametrize("name", ["add", "sub", "mul", "div", "floor_divide", "pow", "xlogy", "remainder", "hypot"])
def test_in_place_forms_round_as_the_others(name, dtype, device):
    array = VALUES.astype(numpy_type(dtype))
    for n in NUMBERS:
        expected = getattr(gpunet.tensor(array, device=device), "xlogy" if name == "xlogy" else name)(n)
        for grad in (False, True):
            x = gpunet.tensor(array, device=device, requires_grad=grad).clone()
            assert getattr(x, name + "_")(n) is x
            same(x.detach().cpu().numpy(), expected.cpu().numpy(), f"{name}_({n})")


@half_types
@pytest.mark.parametrize("kind", ["float32", "float64", "int64"])
@pytest.mark.parametrize("text", ["x * n", "n * x", "x / n", "n / x", "x + n", "n - x", "x ** n", "x // n"])
def test_a_0d_tensor_of_another_type_counts_as_a_number(text, kind, dtype, device):
    array = VALUES.astype(numpy_type(dtype))
    library = Ours(device)
    for n in (3, 131072) if kind == "int64" else (0.12345, 131072.0, 1e-8):
        x = library.tensor(array)
        expected = evaluate(text, library, x=x, n=n)
        for where in {"cpu", device}:
            ours = evaluate(text, library, x=x, n=gpunet.tensor(n, dtype=getattr(gpunet, kind), device=where))
            assert ours.dtype == expected.dtype
            same(library.array(ours), library.array(expected), f"{text} for n = {n}")


@half_types
def test_gradients_beside_numbers_and_0d_tensors(dtype, device):
    x = gpunet.tensor([0.5, 3.0], dtype=getattr(gpunet, dtype), device=device, requires_grad=True)
    scale = gpunet.tensor(131072.0, device=device, requires_grad=True)
    (x / scale).sum().backward()
    assert x.grad.dtype is x.dtype and scale.grad.dtype is gpunet.float32
    np.testing.assert_allclose(x.grad.float().cpu().numpy(), 1 / 131072, rtol=1e-2)
    np.testing.assert_allclose(scale.grad.item(), -3.5 / 131072**2, rtol=1e-5)
    for text, slope in {"x / 131072": 1 / 131072, "x * 1e5 / 1e5": 1, "x.clone().div_(131072)": 1 / 131072,
                        "(x * 65536).mul_(2.0**-16)": 1, "add(x, x, alpha=1e5) / 1e5": 1 + 1e-5,
                        "xlogy(x, 1e-8)": np.log(1e-8), "xlogy(x, 1e5)": np.log(1e5)}.items():
        (gradient,) = gpunet.autograd.grad(eval(text, vars(gpunet) | {"x": x}).float().sum(), x)
        np.testing.assert_allclose(gradient.float().cpu().numpy(), slope, rtol=1e-2, err_msg=text)


# What multiplies by a number before the result is rounded, with operands whose product float16 does not hold.
FACTORS = {
    "add(x, y, alpha=n)": "x + y * n", "sub(x, y, alpha=n)": "x - y * n", "rsub(x, y, alpha=n)": "y - x * n",
    "x.clone().add_(y, alpha=n)": "x + y * n", "x.clone().sub_(y, alpha=n)": "x - y * n",
    "addcmul(x, y, z, value=n)": "x + n * (y * z)", "addcdiv(x, y, z, value=n)": "x + n * (y / z)",
    "lerp(x, y, n)": "x + n * (y - x)",
    "addmm(x, y, z, alpha=n)": "x + n * (y @ z)", "addmm(x, y, z, beta=n)": "n * x + y @ z",
    "baddbmm(x, y[None], z[None], alpha=n)[0]": "x + n * (y @ z)",
    "addmv(x[0], y, z[0], alpha=n)": "x[0] + n * (y @ z[0])",
    "addr(x, y[0], z[0], alpha=n)": "x + n * (y[0][:, None] * z[0])",
}


@half_types
@pytest.mark.parametrize("text", FACTORS)
@np.errstate(all="ignore")
def test_factors_count_before_the_rounding(text, dtype, device):
    rng = np.random.default_rng(0)
    x, y, z = (rng.uniform(100, 600, (4, 4)).astype(numpy_type(dtype)) for _ in range(3))
    library = Ours(device)
    for n in (0.0123, 1e-4, 1.1, 70000.0):
        ours = evaluate(text, library, x=library.tensor(x), y=library.tensor(y), z=library.tensor(z), n=n)
        wide = eval(FACTORS[text], {"n": n} | {k: v.astype("float64") for k, v in zip("xyz", (x, y, z), strict=True)})
        np.testing.assert_allclose(library.array(ours).astype("float64"), wide.astype(x.dtype).astype("float64"),
                                   rtol=2.01 * step(dtype))


def step(dtype) -> float:
    """Half of the relative distance of neighbouring numbers: the error of one rounding."""
    return {"float16": 2.0**-11, "bfloat16": 2.0**-8}[dtype]


# ---- statistics ----------------------------------------------------------------------------------------------------

# Forward: to be right but for one rounding; the gradients too, or as near as PyTorch's.
STATISTICS = """
    x.sum() x.mean(-1) x.var(-1) x.var() x.std(0,correction=0) std_mean(x,-1) var_mean(x,-1) nansum(x,-1) nanmean(x,-1)
    (x/100).prod(-1) x.cumsum(-1) logsumexp(x,-1) logcumsumexp(x,-1) softmax(x,-1) log_softmax(x,-1) softmin(x,-1)
    norm(x) norm(x,1,-1) norm(x,3,-1) norm(x,0.5,-1) norm(x,INF,-1) dist(x,x.flip(0)) normalize(x,dim=-1)
    cosine_similarity(x,x.flip(0),-1) layer_norm(x,(64,)) group_norm(x,8) rms_norm(x,(64,))
    batch_norm(x,None,None,training=True) instance_norm(x[None]) cross_entropy(x,CLASSES)
    cross_entropy(x,CLASSES,label_smoothing=0.1) cross_entropy(x,CLASSES,WEIGHTS) nll_loss(log_softmax(x,-1),CLASSES)
    x.amax(-1) gelu(x) gelu(x,approximate='tanh') silu(x) sigmoid(x) mish(x) logsigmoid(x) glu(x) elu(x)
    binary_cross_entropy(x.abs()/16,(x.detach()>0).to(x.dtype))""".split()


def run(text, library, array, dtype):
    """Values and gradient of an expression, as float64."""
    x = library.tensor(array.astype(numpy_type(dtype)), True)
    constants = {"INF": float("inf"), "CLASSES": library.tensor(np.arange(len(array)) % array.shape[1]),
                 "WEIGHTS": library.tensor(np.linspace(0.5, 1.5, array.shape[1]).astype(numpy_type(dtype)))}
    found = evaluate(text, library, x=x, **constants)
    found = found if isinstance(found, tuple) else (found,)
    weights = np.random.default_rng(1)
    vectors = [library.tensor(weights.uniform(0.5, 1.5, tuple(y.shape)).astype(numpy_type(dtype))) for y in found]
    (gradient,) = library.grad(found, x, vectors)
    return [library.array(t).astype("float64").ravel() for t in (*found, gradient)]


@half_types
@pytest.mark.parametrize("text", STATISTICS)
def test_statistics_round_once(text, dtype, device):
    array = np.random.default_rng(0).normal(0, 3, (16, 64)).astype(numpy_type(dtype))
    exact = run(text, Ours(), array, "float64")
    *values, gradient = run(text, Ours(device), array, dtype)
    roundings = 1 + ("(x/100)" in text) + text.startswith("nll_loss")
    for value, right in zip(values, exact, strict=False):
        bound = roundings * 1.1 * step(dtype) * np.abs(right) + 3 * step(dtype) ** 2 * np.abs(right).max() + 6e-8
        assert (np.abs(value - right) <= bound).all(), np.abs(value - right).max()
    scale = np.abs(exact[-1]).max()
    assert np.abs(gradient - exact[-1]).max() <= 6 * step(dtype) * scale + 6e-8


@pytest.mark.parametrize("text", [
    "x.std()", "x.std(-1)", "x.std(0)", "x.mean()", "nanmean(x)", "norm(x,2,-1)", "logsumexp(x,-1)",
    "cosine_similarity(x,x.flip(0),-1)", "normalize(x,dim=-1)", "layer_norm(x,(64,))",
    "batch_norm(x,None,None,training=True)"])
def test_squares_and_counts_do_not_overflow(text, device):
    """In float16, 300 * 300 is infinite, as is the count of 70,000 elements."""
    array = np.random.default_rng(0).normal(0, 300, (1100, 64)).astype("float16")
    *values, gradient = run(text, Ours(device), array, "float16")
    *right, slope = run(text, Ours(), array, "float64")
    for value, exact in zip(values, right, strict=True):
        np.testing.assert_allclose(value, exact, rtol=3 * step("float16"), atol=2e-3 * np.abs(value).max())
    assert np.abs(gradient - slope).max() <= 2e-3 * np.abs(slope).max() + 6e-8
    assert np.abs(gradient).max() > 0.9 * np.abs(slope).max() - 6e-8


MEANS = {"mean": lambda x, t: x.mean(), "mse": F.mse_loss, "l1": F.l1_loss, "smooth l1": F.smooth_l1_loss,
         "huber": F.huber_loss, "bce": lambda x, t: F.binary_cross_entropy_with_logits(x, t.sigmoid()),
         "kl": lambda x, t: F.kl_div(x, t.sigmoid()), "soft margin": lambda x, t: F.soft_margin_loss(x, t.sign()),
         "amax of ties": lambda x, t: (x * 0).amax(), "max": lambda x, t: (x * 0 + 1).max(),
         "norm of ties": lambda x, t: gpunet.norm(x.sign(), float("inf")) + x.mean(),
         "nanmean": lambda x, t: gpunet.nanmean(x), "nll": lambda x, t: F.nll_loss(x, x.argmin(1)),
         "weighted": lambda x, t: F.cross_entropy(x, x.argmin(1), x.new_ones(2))}


@half_types
@pytest.mark.parametrize("name", MEANS)
def test_means_of_more_elements_than_float16_counts_have_gradients(name, dtype, device):
    values, targets = np.random.default_rng(0).normal(0, 1, (2, 70_000, 2))
    gradients = []
    for kind in (dtype, "float32"):
        x, t = (gpunet.tensor(v.astype(numpy_type(dtype)).astype(numpy_type(kind)), device=device)
                for v in (values, targets))
        x.requires_grad_()
        MEANS[name](x, t).backward()
        gradients.append(x.grad.float().cpu().numpy())
    ours, right = gradients
    assert np.isfinite(ours).all()
    np.testing.assert_allclose(ours, right, rtol=0, atol=4 * step(dtype) * np.abs(right).max() + 6e-8)
    np.testing.assert_allclose(np.abs(ours).sum(), np.abs(right).sum(), rtol=1e-2)


# ---- networks ------------------------------------------------------------------------------------------------------


@functools.cache
def _trained(low, steps=4):
    """Losses and the first gradients of a network whose loss is the mean of 67,200 elements; in float32 without low."""
    gpunet.manual_seed(0)
    net = nn.Sequential(nn.Conv1d(1, 4, 3), nn.BatchNorm1d(4), nn.ReLU(), nn.Flatten(), nn.Linear(24, 8))
    signals = gpunet.rand(8400, 1, 8)
    target = signals.cumsum(2).flatten(1)
    optimizer = optim.SGD(net.parameters(), lr=0.2)
    scaler = gpunet.amp.GradScaler("cpu", init_scale=1024.0, enabled=low == "float16")
    losses, first = [], None
    for _ in range(steps):
        optimizer.zero_grad()
        with gpunet.autocast("cpu", dtype=getattr(gpunet, low or "bfloat16"), enabled=low is not None):
            y = net(signals)
            loss = (y - target.to(y.dtype)).abs().mean()
        assert y.dtype.name == (low or "float32") and y.numel() > 65504
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        first = first or [p.grad.numpy().copy() for p in net.parameters()]
        scaler.step(optimizer)
        scaler.update()
        losses.append(loss.item())
    return losses, first


@half_types
def test_a_network_under_autocast_trains_as_in_float32(dtype):
    (ours, gradients), (right, exact) = _trained(dtype), _trained(None)
    assert right[-1] < 0.9 * right[0]
    np.testing.assert_allclose(ours, right, rtol=8 * step(dtype))
    for g, e in zip(gradients, exact, strict=True):
        assert np.abs(g - e).max() <= 20 * step(dtype) * max(np.abs(x).max() for x in exact)
        assert np.linalg.norm(g) > 0.9 * np.linalg.norm(e)


@half_types
@pytest.mark.parametrize("make", [optim.SGD, optim.Adam, optim.RMSprop, optim.Adagrad, optim.AdamW],
                         ids=lambda make: make.__name__)
def test_optimizers_take_their_numbers_in_float32(make, dtype):
    """A rate or eps that the half type does not hold counts all the same."""
    start, slope = (np.array(v).astype(numpy_type(dtype)) for v in ([1.0, -2.0, 0.5], [1e-3, -2e-3, 3e-3]))
    moved = []
    for kind in (dtype, "float32"):
        weight = nn.Parameter(gpunet.tensor(start.astype(numpy_type(kind))))
        weight.grad = gpunet.tensor(slope.astype(numpy_type(kind)))
        make([weight], lr=0.1234).step()
        moved.append(weight.detach().float().numpy())
    np.testing.assert_allclose(*moved, rtol=1.1 * step(dtype))
