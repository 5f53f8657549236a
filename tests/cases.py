"""The table of cases: every op, on the inputs that could go wrong. tests/ops/test_cases.py drives each row.

A row is an expression, as a user would write it, and what its tensors are; names that are not tensors are functions of
gpunet, or of PyTorch, which must give the same value, shape, type, gradient and second gradient. To test a new op, add
a row. `f(2, 3)` is a floating-point tensor (or of the row's `dtypes`), `i(2, 3)` int64, `b(2, 3)` bool.
"""

from __future__ import annotations

from dataclasses import replace

from tests.oracle import FLOATS, INTS, SIGNED, Case, Input

CASES: list[Case] = []


def case(text: str, *, dtypes=FLOATS, second=True, torch=True, differences=True, tolerance=None, sim=(1e-5, 1e-5),
         **inputs: Input):
    CASES.append(Case(text, inputs, dtypes, second, torch, differences, tolerance or {}, sim))


def each(texts, *inputs: dict, **options):
    """Every expression with every set of inputs."""
    for text in [texts] if isinstance(texts, str) else texts:
        for tensors in inputs:
            case(text, **tensors, **options)


def f(*shape, low=-2.0, high=2.0, **options) -> Input:
    return Input(shape, "value", low, high, **options)


def i(*shape, low=0, high=9, **options) -> Input:
    return Input(shape, "int", low, high, **options)


def b(*shape, **options) -> Input:
    return Input(shape, "bool", **options)


def given(kind, *values, shape=None, **options) -> Input:
    """A tensor of a fixed type with these values."""
    return Input((len(values),) if shape is None else shape, kind, values=values, **options)


def kink(*shape, at=0.0, **options) -> Input:
    return f(*shape, avoid=(at,), **options)


HALF = ("float16", "bfloat16")
LOOSE = {"float16": (1e-2, 1e-2), "bfloat16": (6e-2, 6e-2)}  # rounded more than once
EDGES = given("value", float("inf"), float("-inf"), float("nan"), 0.0, -0.0, 1.0, -1.5, 1e-3)


def shapes(make, *more):
    """One tensor x in the shapes that every element-wise op must take."""
    return [dict(x=make()), dict(x=make(0)), dict(x=make(7)), dict(x=make(2, 3, layout="columns")),
            dict(x=make(1, 5, layout="gaps")), *more]


# ---- arithmetic ----------------------------------------------------------------------------------------------------

PAIRS = [dict(x=f(3), y=f(3)), dict(x=f(2, 3), y=f(3)), dict(x=f(2, 1), y=f(1, 3)), dict(x=f(), y=f(2, 2)),
         dict(x=f(0, 3), y=f(1, 3)), dict(x=f(2, 3, layout="columns"), y=f(2, 3)), dict(x=f(4, layout="gaps"), y=f(1)),
         dict(x=f(3, layout="expand"), y=f(1, 3))]
AWAY = f(2, 3, low=0.3)

each(["x + y", "x - y", "x * y", "maximum(x, y)", "minimum(x, y)"], *PAIRS)
each("x / y", *[p | dict(y=Input(p["y"].shape, low=0.4, high=2.0)) for p in PAIRS])
each(["x + 2", "2 + x", "x - 1.5", "1.5 - x", "x * 3", "-2.5 * x", "x / 4", "-x", "+x", "x + True"],
     dict(x=f(2, 3)), dict(x=f()))
each(["1 / x", "2 ** x", "x ** 0.5", "x ** -1.5", "x ** x", "(1 / x) ** 2"], dict(x=AWAY), dict(x=f(low=0.5)))
each(["x ** 2", "x ** 3", "x ** 0", "x ** 1", "square(x)", "x ** -1", "x ** -2"], dict(x=kink(2, 3)), dict(x=f()),
     tolerance=LOOSE)
case("x ** y", x=f(2, 3, low=0.2), y=f(3), tolerance=LOOSE)
case("x ** y", x=given("value", 0.0, 0.0, 2.0, 0.0), y=given("value", 0.0, 2.0, 0.0, 1.0), second=False,
     differences=False)
case("0 ** x", x=given("value", 0.0, 1.0, 2.5), second=False, differences=False)
case("(-2.0) ** x", x=given("value", 0.0, 1.0, 2.0), second=False, differences=False)
case("x ** 2.5", x=given("value", 0.0, 1.0, 4.0), second=False, differences=False)
QUOTIENTS = [given("value", 7.3, -7.3, 7.3, -7.3, 5.1), given("value", 2.0, 2.0, -2.0, -2.0, 1.5)]
SINGLE = ("float64", "float32")
each(["x % y", "x % 2", "x % -1.5", "div(x, y, rounding_mode='floor')", "div(x, y, rounding_mode='trunc')"],
     dict(x=QUOTIENTS[0], y=QUOTIENTS[1]), second=False, dtypes=SINGLE)
each(["x // y", "x // 2", "x // -1.5", "5 // x", "5 % x"],  # PyTorch has no gradient of these
     dict(x=replace(QUOTIENTS[0], grad=False), y=replace(QUOTIENTS[1], grad=False)), dtypes=SINGLE)
each(["x // y", "x % y", "x / y"], dict(x=given("value", 1.0, -1.0, 0.0, grad=False),
                                        y=given("value", 0.0, 0.0, 0.0, grad=False)),
     dtypes=SINGLE)
each(["add(x, y, alpha=2)", "sub(x, y, alpha=3)", "x.add(y, alpha=0.5)", "x.sub(1, alpha=2)", "add(x, 2, alpha=2)"],
     dict(x=f(2, 3), y=f(3)))
each(["x.mul(y)", "x.div(y)", "true_divide(x, y)", "multiply(x, y)", "divide(x, y)", "subtract(x, y)"],
     dict(x=f(2, 3), y=f(3, low=0.5)))
each(["x + y", "x * y", "x - y", "x / y", "maximum(x, y)", "minimum(x, y)"], dict(x=EDGES, y=f(8, low=0.5)),
     second=False, differences=False)
each(["maximum(x, y)", "minimum(x, y)"], dict(x=given("value", 1.0, 2.0), y=given("value", 1.0, 3.0)), second=False,
     differences=False)  # a tie

WHOLE = [dict(x=f(2, 3, low=-9, high=9), y=f(3, low=1, high=5)), dict(x=f(low=3, high=9), y=f(0, low=1, high=3))]
each(["x + y", "x - y", "x * y", "x / y", "x // y", "x % y", "maximum(x, y)", "minimum(x, y)", "x ** 2", "x ** 0",
      "x + 1", "2 - x", "x * 2.5", "x / 2", "x // 2", "x % 2", "x > 2", "x > 1.5", "div(x, y, rounding_mode='trunc')"],
     *WHOLE, dtypes=INTS)
each(["x // -2", "x % -2", "-7 // y", "-7 % y", "x ** y"], WHOLE[0], dtypes=SIGNED)
each(["x + y", "x * y", "x / y", "maximum(x, y)", "minimum(x, y)", "x + 1", "x * 2.5", "x + True", "x * True"],
     dict(x=b(5), y=b(5)), dtypes=("bool",))
case("x ** y", x=given("value", 2, 1, -1, -1, -3, 5, 0), y=given("value", -1, -3, -3, -2, 3, 0, 2), dtypes=SIGNED)
each(["-x", "abs(x)", "sign(x)", "square(x)"], dict(x=f(5, low=-9, high=9)), dtypes=SIGNED)

# ---- elementary functions ------------------------------------------------------------------------------------------

each(["exp(x)", "exp2(x)", "expm1(x)", "sin(x)", "cos(x)", "tanh(x)", "sinh(x)", "cosh(x)", "atan(x)", "sigmoid(x)",
      "erf(x)", "silu(x)", "softplus(x)"], *shapes(f), tolerance=LOOSE)
each(["log(x)", "log2(x)", "log10(x)", "sqrt(x)", "rsqrt(x)", "reciprocal(x)", "log1p(x)"],
     *shapes(lambda *s, **o: f(*s, low=0.3, **o)), tolerance=LOOSE)
each(["tan(x)", "asin(x)", "acos(x)"], *shapes(lambda *s, **o: f(*s, low=-0.8, high=0.8, **o)), tolerance=LOOSE)
each(["abs(x)", "relu(x)", "sign(x)", "x.abs()", "x.relu()"], *shapes(kink))
each(["floor(x)", "ceil(x)", "trunc(x)", "round(x)"],
     dict(x=f(3, 5, avoid=(-2, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2))), dict(x=given("value", -2.5, -1.5, -0.5, 0.5, 1.5)),
     second=False, differences=False)
each("round(x, decimals=1)", dict(x=given("value", 0.44, -0.33, 2.17)), second=False, differences=False)
each(["exp(x)", "log(x)", "sqrt(x)", "tanh(x)", "sigmoid(x)", "abs(x)", "relu(x)", "sin(x)", "rsqrt(x)",
      "reciprocal(x)", "floor(x)", "round(x)", "sign(x)", "erf(x)", "gelu(x)", "expm1(x)", "log1p(x)", "square(x)",
      "silu(x)"], dict(x=EDGES),
     second=False, differences=False, tolerance=LOOSE)
each(["exp(x)", "sqrt(x)", "tanh(x)", "sigmoid(x)", "erf(x)", "rsqrt(x)", "reciprocal(x)", "sin(x)", "log(x)"],
     dict(x=f(4, low=1, high=5)), dtypes=(*INTS, "bool"))
each(["floor(x)", "ceil(x)", "trunc(x)", "round(x)", "relu(x)"], dict(x=f(4, low=0, high=9)), dtypes=INTS)
each(["gelu(x)", "gelu(x, approximate='tanh')"], *shapes(f), tolerance={"float32": (4e-6, 2e-6)} | LOOSE)
each(["softplus(x, beta=2.0)", "softplus(x, 1.0, 1.0)"], dict(x=kink(7, at=1.0)), tolerance=LOOSE)
each("sigmoid(x)", dict(x=given("value", -90.0, -20.0, 20.0, 90.0)), second=False, tolerance=LOOSE, differences=False)
each(["clamp(x, -1, 1)", "clamp(x, min=0.5)", "clamp(x, max=0.5)", "x.clip(-0.5, 1.5)"],
     dict(x=f(2, 9, avoid=(-1, 1, 0.5, -0.5, 1.5))), dict(x=f()), dict(x=f(0)))
each(["clamp(x, y, z)", "clamp(x, min=y)", "x.clamp(max=z)"], dict(x=f(2, 9, distinct=True), y=f(9, low=-1, high=-0.5),
                                                               z=f(1, low=0.5, high=1)))
each("clamp(x, -1, 1)", dict(x=given("value", -1.0, 1.0, 0.0)), second=False, differences=False)
each(["clamp(x, 1, 4)", "clamp(x, min=1.5)"], dict(x=f(5, low=0, high=9)), dtypes=INTS)

# ---- comparison, logic, selection ----------------------------------------------------------------------------------

each(["x == y", "x != y", "x < y", "x <= y", "x > y", "x >= y", "eq(x, y)", "x.ge(y)"],
     dict(x=f(2, 3, low=0, high=2), y=f(3, low=0, high=2)), dict(x=f(0), y=f(1)), dtypes=(*INTS, "float32", "bool"))
each(["x == 1", "x != 1.5", "2 > x", "x <= 0", "1.5 < x"], dict(x=EDGES), dtypes=FLOATS, second=False,
     differences=False)
each(["logical_and(x, y)", "logical_or(x, y)", "logical_xor(x, y)", "logical_not(x)", "isnan(x)", "isinf(x)",
      "isfinite(x)"],
     dict(x=f(2, 3, low=0, high=1), y=f(3, low=0, high=1)), dict(x=EDGES, y=EDGES),
     dtypes=("float32", "float16", "int64", "bool"))
each(["x & y", "x | y", "x ^ y", "~x", "x & 1", "1 | x", "bitwise_and(x, y)", "bitwise_not(x)"],
     dict(x=f(2, 3, low=0, high=9), y=f(3, low=0, high=9)), dtypes=(*INTS, "bool"))
each("where(c, x, y)", dict(c=b(2, 3), x=f(2, 3), y=f(2, 3)), dict(c=b(3), x=f(2, 1), y=f()),
     dict(c=b(2, 1), x=f(3), y=f(0, 2, 3)), dict(c=b(), x=f(3), y=f(1)))
each(["where(c, x, 2)", "where(c, 0.5, x)", "x.where(c, 1)", "where(c, x, 1.5) * x"], dict(c=b(2, 3), x=f(3)))
each(["where(c, 1, 2)", "where(c, 1.0, 2)", "where(c, True, 2)"], dict(c=b(5)))
each("where(c, x, y)", dict(c=b(3), x=i(3), y=f(3)), dict(c=b(3), x=i(3), y=b(3)))
each(["masked_fill(x, c, 7.0)", "x.masked_fill(c, 3)", "x.masked_fill(c, y)"], dict(x=f(2, 3), c=b(3), y=f()))
each("where(x > 0, 1 / x, 0.0)", dict(x=given("value", 0.0, 1.0, -2.0)), second=False, differences=False)

# ---- reductions ----------------------------------------------------------------------------------------------------

WHOLE_SUMS = ["x.sum()", "x.mean()", "x.sum(0)", "x.sum(-1, keepdim=True)", "x.mean(dim=(0, -1))", "sum(x, (0,))",
              "x.mean(0, keepdim=True)", "sum(x, dim=[0, 1])", "x.sum(())", "x.sum(None)", "x.sum(1).mean(0)"]
each(WHOLE_SUMS, dict(x=f(2, 3)), dict(x=f(3, 1, 5)), dict(x=f(4, 3, layout="columns")),
     dict(x=f(3, 2, layout="expand")), tolerance=LOOSE)
each(["x.sum()", "x.mean()", "x.sum(0)", "x.mean(-1)", "x.prod()", "x.amax()", "x.amin(0)", "x.max()",
      "x.sum(0, keepdim=True)", "logsumexp(x, 0)", "x.softmax(0)", "x.log_softmax(-1)", "x.max(0)"], dict(x=f()))
each(["x.sum()", "x.mean()", "x.sum(0)", "x.sum(1)", "x.mean(0)", "x.mean(1)", "x.prod()", "x.prod(1)", "x.amax(0)",
      "x.amin(0)", "x.softmax(0)", "x.log_softmax(1)", "logsumexp(x, 1)", "x.all(1)", "x.any()", "x.argmax(0)",
      "x.max(0)", "var(x)"],
     dict(x=f(3, 0)), second=False, differences=False)
each(["x.prod()", "x.prod(0)", "x.prod(-1, keepdim=True)"], dict(x=f(2, 3)), dict(x=f(5, 1)),
     dict(x=f(1, 4, layout="gaps")), tolerance=LOOSE)
each(["x.prod()", "x.prod(0)", "x.prod(1)"], dict(x=given("value", 0.0, 2.0, 0.0, 3.0, 4.0, 0.5, shape=(2, 3))),
     second=False)
each(["x.sum(dtype=float64)", "x.mean(dtype=float32)", "x.sum(0, dtype=float32)", "x.prod(dtype=float64)"],
     dict(x=f(2, 3)), second=False, tolerance=LOOSE, differences=False)
each(["x.sum()", "x.sum(0)", "x.prod(0)", "x.amax()", "x.amin(1)", "x.max()", "x.min()", "x.max(1)", "x.all()",
      "x.any(0)", "x.sum(dtype=float32)", "x.mean(dtype=float64)",
      "x.min(0, keepdim=True)"], dict(x=f(2, 3, low=0, high=5)),
     dtypes=(*INTS, "bool"))
each(["x.argmax()", "x.argmin(0)"], dict(x=f(2, 3, low=0, high=5)), dtypes=INTS)
each(["var(x)", "std(x)", "x.var(0)", "x.std(-1, keepdim=True)", "x.var(dim=(0, 1), correction=0)",
      "x.std(1, unbiased=False)", "x.var(correction=2)", "x.var(unbiased=False)",
      "var(x, 0, correction=0, keepdim=True)", "std(x, 0, True)",
      "var(x, False)"],
     dict(x=f(4, 3)), dict(x=f(3, 5, layout="columns")), tolerance=LOOSE)
each(["x.var()", "x.std()"], dict(x=f(1)), second=False, differences=False)  # one element: NaN
DISTINCT = [dict(x=f(3, 4, distinct=True)), dict(x=f(2, 1, 5, distinct=True)),
            dict(x=f(4, 2, distinct=True, layout="columns"))]
each(["x.amax()", "x.amin(0)", "x.amax((0, 1))", "x.amin(-1, keepdim=True)", "x.max()", "x.min()", "x.max(0)",
      "x.min(-1)", "max(x, 1, keepdim=True)", "x.argmax()", "x.argmin(0)", "x.argmax(-1, keepdim=True)", "argmin(x)",
      "x.argmax(keepdim=True)", "x.max(dim=0).values", "x.min(1).indices"], *DISTINCT)
each(["x.amax(1)", "x.amin()", "x.max()", "x.max(1)", "x.argmax(1)", "x.min(0)"],
     dict(x=given("value", 1.0, 3.0, 3.0, 2.0, 2.0, 2.0, shape=(2, 3))), second=False, differences=False)  # ties
each(["x.max()", "x.amin()", "x.argmax()", "x.max(0)", "x.sum()", "x.mean()"], dict(x=replace(EDGES, grad=False)))
each(["max(x, y)", "min(x, y)", "x.max(y)"], dict(x=f(2, 3), y=f(3)))
each(["x.all()", "x.any(1)", "all(x, 0)", "any(x, (0, 1))", "x.all(-1, keepdim=True)"], dict(x=f(2, 3, low=0, high=1)),
     dtypes=("bool", "int64", "uint8", "float32"))
each(["softmax(x, 1)", "log_softmax(x, dim=0)", "x.softmax(-1)", "x.log_softmax(-1)",
      "softmax(x, dim=0, dtype=float64)", "logsumexp(x, 1)", "logsumexp(x, (0, 1))", "x.logsumexp(-1, keepdim=True)"],
     dict(x=f(2, 3)), dict(x=f(5, 1)), dict(x=f(3, 4, 2, layout="columns")), tolerance=LOOSE)
OUTLIERS = given("value", 1000.0, -1000.0, 0.0, 1e4, 1e4, -1e4, shape=(2, 3))
each(["softmax(x, 1)", "log_softmax(x, 1)", "softmax(x, 0)"], dict(x=OUTLIERS), second=False, differences=False,
     tolerance=LOOSE)
case("logsumexp(x, 1)", x=OUTLIERS, second=False, differences=False,
     dtypes=("float64",))  # PyTorch loses digits in float32
each(["softmax(x, 0)", "log_softmax(x, 0)", "logsumexp(x, 0)"], dict(x=given("value", float("-inf"), 1.0, 2.0)),
     second=False, differences=False, tolerance=LOOSE)
each("logsumexp(x, 0)", dict(x=given("value", *[float("-inf")] * 2)), dict(x=given("value", float("inf"), 1.0)),
     second=False, differences=False)

# ---- products ------------------------------------------------------------------------------------------------------

MATMULS = [(f(3), f(3)), (f(2, 3), f(3)), (f(3), f(3, 2)), (f(2, 3), f(3, 5)), (f(1, 1), f(1, 1)), (f(7, 13), f(13, 5)),
           (f(2, 2, 3), f(3, 4)), (f(2, 3), f(5, 3, 2)), (f(2, 1, 2, 3), f(3, 3, 2)), (f(3), f(2, 3, 4)),
           (f(2, 4, 3), f(3)),
           (f(0, 3), f(3, 2)), (f(2, 0), f(0, 3)), (f(2, 3), f(3, 0)), (f(0, 2, 3), f(0, 3, 2)), (f(0), f(0)),
           (f(3, 2, layout="columns"), f(2, 3, layout="columns")), (f(2, 3, layout="gaps"), f(3, 2)),
           (f(2, 3, layout="expand"), f(3, 2, layout="expand"))]
each("x @ y", *[dict(x=x, y=y) for x, y in MATMULS], tolerance=LOOSE)
each(["x.T @ y.T", "x.mT.matmul(y.t())", "mm(x.t(), y.t())"], dict(x=f(3, 4), y=f(5, 3)), tolerance=LOOSE)
each(["bmm(x, y)", "x.bmm(y)", "x @ y.mT.mT"], dict(x=f(2, 3, 4), y=f(2, 4, 1)), tolerance=LOOSE)
each("x.dot(y)", dict(x=f(5), y=f(5)), tolerance=LOOSE)
each("x @ y", dict(x=f(2, 3, low=-5, high=5), y=f(3, 2, low=-5, high=5)),
     dict(x=f(3, low=0, high=5), y=f(3, low=0, high=5)), dtypes=INTS)
each("linear(x, w, v)", dict(x=f(4, 3), w=f(5, 3), v=f(5)), dict(x=f(3), w=f(5, 3), v=f(5)),
     dict(x=f(2, 4, 3), w=f(1, 3), v=f(1)),
     dict(x=f(0, 3), w=f(2, 3), v=f(2)), dict(x=f(4, 3, layout="columns"), w=f(3, 3, layout="columns"), v=f(3)),
     tolerance=LOOSE)
each(["linear(x, w)", "linear(x, w, None)"], dict(x=f(4, 3), w=f(5, 3)), dict(x=f(2, 2, 3), w=f(7, 3)),
     dict(x=f(3), w=f(2, 3)), tolerance=LOOSE)
each("linear_relu(x, w, v)", dict(x=f(4, 3), w=f(5, 3), v=f(5)), dict(x=f(2, 3, 3), w=f(2, 3), v=f(2)), torch=False,
     tolerance=LOOSE)
each("bias_relu(x, v)", dict(x=f(4, 3), v=f(3)), dict(x=f(2, 2, 5), v=f(5)), dict(x=f(0, 3), v=f(3)),
     dict(x=f(1), v=f(1)), dict(x=f(3, 4, layout="columns"), v=f(4)), torch=False)
each("column_sum(x)", dict(x=f(4, 3)), dict(x=f(1, 1)), dict(x=f(0, 2)), torch=False, tolerance=LOOSE)

# ---- shapes --------------------------------------------------------------------------------------------------------

each(["x.reshape(3, 4)", "x.reshape(-1)", "x.reshape((2, -1, 3))", "reshape(x, (12, 1))", "x.flatten()", "x.flatten(1)",
      "flatten(x, 0, 1)", "x.ravel()", "x.permute(2, 0, 1)", "permute(x, (0, -1, 1))", "x.transpose(0, 2)",
      "transpose(x, -1, 1)", "x.swapaxes(0, 1)", "movedim(x, 0, -1)", "movedim(x, (0, 1), (2, 0))", "x.unsqueeze(1)",
      "x.unsqueeze(-1)", "x.flip(0)", "x.flip((1, -1))", "flip(x, [0, 2])", "x.narrow(1, 1, 1)", "narrow(x, -1, -2, 2)",
      "x.select(0, 1)", "select(x, -1, -1)", "x.unflatten(2, (1, -1))", "x.split(1, 2)", "split(x, [1, 0, 2], dim=-1)",
      "x.chunk(2, 2)", "chunk(x, 5, 1)", "x.unbind(1)", "unbind(x)", "x.mT", "x.expand(3, 2, 2, 3)",
      "x.expand(-1, 2, 3)", "broadcast_to(x, (1, 2, 2, 3))", "clone(x)",
      "x.contiguous()", "x.type_as(x)", "x.view(4, 3)", "x.squeeze()"], dict(x=f(2, 2, 3)))
each(["x.to(float32)", "x.double()", "x.half().float()", "x.detach() * x"], dict(x=f(2, 3)), differences=False)
each(["x.reshape(-1)", "x.permute(1, 0)", "x.T", "x.t()", "x.contiguous()", "x.reshape(3, 2)", "x.flatten()"],
     dict(x=f(2, 3, layout="columns")), dict(x=f(3, 2, layout="gaps")))
each(["x.squeeze()", "x.squeeze(0)", "x.squeeze(1)", "x.squeeze((0, -1))", "x.expand(3, 4, 5)", "x.expand(2, -1, 4, 2)",
      "x.squeeze(-1).unsqueeze(0)"], dict(x=f(1, 4, 1)))
each(["x.squeeze()", "x.squeeze(1)", "x.expand(2, 3, 1)"], dict(x=f(1, 1, 1)))
each(["x.reshape(1, 1)", "x.reshape(())", "x.unsqueeze(0)", "x.flatten()", "x.permute(())", "x.T", "x.expand(3)",
      "x.expand(2, 2)", "x.squeeze()", "x.squeeze(0)", "x.clone()", "x.transpose(0, -1)", "stack([x, x])",
      "x.view(1)"], dict(x=f()))
each(["x.reshape(0, 5)", "x.reshape(-1)", "x.expand(2, 0)", "x.T", "x.flip(0)", "cat([x, x])", "x.split(2)",
      "x.chunk(3)", "x.unsqueeze(0)", "stack([x, x])"], dict(x=f(0)))
each(["cat([x, y])", "cat((x, y, x), dim=0)", "cat([x, y], -2)"], dict(x=f(2, 3), y=f(1, 3)),
     dict(x=f(2, 3), y=f(0, 3)))
each("cat([x, y], 1)", dict(x=f(2, 3), y=f(2, 1)), dict(x=f(2, 3), y=f(0)),
     dict(x=f(2, 3, layout="columns"), y=f(2, 3)))
each(["cat([x, y])", "stack([x, y])", "stack([y, x], -1)"], dict(x=f(3), y=i(3)), dict(x=b(2), y=i(2)), second=True)
each(["stack([x, y])", "stack((x, y), dim=1)", "stack([x, y, y], -1)"], dict(x=f(2, 3), y=f(2, 3)),
     dict(x=f(1, 0), y=f(1, 0)))
each(["x.int()", "x.long()", "x.bool()", "x.byte()", "x.to(int16)", "x.float()", "x.bfloat16()"],
     dict(x=f(5, low=0, high=9)), dtypes=(*INTS, "float32", "bool"), tolerance={"bfloat16": (0, 0)})

# ---- indexing (combinations at random: test_indexing.py) -----------------------------------------------------------

each(["x[1]", "x[-1]", "x[0, 1]", "x[..., 0]", "x[:, 1:]", "x[::2]", "x[None, 1]", "x[1:1]", "x[:, None, ::2]",
      "x[...]", "x[()]", "x[[0, 1, 1]]", "x[:, [2, 0]]", "x[[0, 1], [2, 2]]", "x[..., [0, 0, 0]]", "x[1, [0, 2]]",
      "x[[1], :, None]", "x[None, [1]]"],
     dict(x=f(2, 3)), dict(x=f(2, 3, layout="columns")))
each(["x[k]", "x[k, k]", "x[:, k]", "x[k, 1:]", "x[k, :, k]", "x[:, k, None, k]"],
     dict(x=f(4, 4, 4), k=given("int64", 0, 3, -1, 0)), dict(x=f(4, 4, 4), k=given("int64", 1, 2, 2, 3, shape=(2, 2))))
each(["x[c]", "x[c, 0]", "x[c.sum(1) > 0]", "x[~c]", "x[c] * 2"], dict(x=f(3, 4, 2), c=b(3, 4)))
each("x[x > 0]", dict(x=f(2, 5)), second=False, differences=False)
each(["index_select(x, 0, k)", "x.index_select(-1, k)"], dict(x=f(3, 3), k=given("int64", 0, 2, 2)))
each(["gather(x, 0, k)", "x.gather(0, k)"], dict(x=f(3, 2), k=i(4, 2, high=2)), dict(x=f(3, 2), k=i(2, 1, high=2)))
each("gather(x, -1, k)", dict(x=f(3, 2), k=i(3, 5, high=1)), dict(x=f(3, 2), k=i(0, 5, high=1)))
each(["nonzero(x)", "x.nonzero()"], dict(x=f(3, 4, low=0, high=1)), dict(x=f(low=1, high=1)),
     dtypes=("int64", "bool", "float32"))

# ---- losses --------------------------------------------------------------------------------------------------------

REDUCTIONS = ("", ", reduction='sum'", ", reduction='none'")
CE = [f"cross_entropy(x, k{r})" for r in REDUCTIONS]
each([f"mse_loss(x, y{r})" for r in REDUCTIONS], dict(x=f(3, 2), y=f(3, 2)), dict(x=f(), y=f()), tolerance=LOOSE)
each([*CE, *[c[:-1] + ", label_smoothing=0.1)" for c in CE]], dict(x=f(4, 3), k=i(4, high=2)),
     dict(x=f(1, 1), k=i(1, high=0)), dict(x=f(3), k=i(high=2)), dict(x=f(2, 5, 3), k=i(2, 3, high=4)),
     dict(x=f(7, 13, layout="columns"), k=i(7, high=12)), tolerance=LOOSE)
each([c[:-1] + ", ignore_index=1, label_smoothing=0.2)" for c in CE], dict(x=f(4, 3), k=given("int64", 0, 1, 2, 1)),
     tolerance=LOOSE)
WEIGHTED = (", weight=w)", ", weight=w, ignore_index=0)", ", weight=w, label_smoothing=0.3)")
each([c[:-1] + options for c in CE for options in WEIGHTED],
     dict(x=f(4, 3), k=given("int64", 0, 1, 2, 1), w=f(3, low=0.5, grad=False)), tolerance=LOOSE)
each([f"cross_entropy(x, y{o}{r})" for r in REDUCTIONS for o in ("", ", w", ", label_smoothing=0.1")],
     dict(x=f(4, 3), y=f(4, 3, low=0, high=1), w=f(3, low=0.5, grad=False)),
     dict(x=f(2, 3, 2), y=f(2, 3, 2, low=0, high=1), w=f(3, low=0.5, grad=False)), tolerance=LOOSE)
each(CE, dict(x=OUTLIERS, k=given("int64", 1, 0)), dict(x=f(2, 3), k=given("int64", -100, -100)), second=False,
     differences=False, tolerance=LOOSE)
each(CE, dict(x=f(0, 3), k=i(0)), second=False, differences=False)
