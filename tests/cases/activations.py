"""Activations, and the softmax family's relatives."""

from dataclasses import replace

from tests.cases.table import EDGES, LOOSE, case, each, f, given, kink, shapes

KINKS = (-3.0, -1.5, -1.0, -0.5, 0.0, 0.3, 0.5, 1.0, 1.5, 3.0, 6.0)


def away(*shape, **options):
    return f(*shape, low=-4, high=7, avoid=KINKS, **options)


ACTIVATIONS = ["celu(x, 0.5)", "elu(x)", "elu(x, alpha=0.5)", "selu(x)", "hardshrink(x)", "softshrink(x, 0.3)",
               "hardswish(x)", "hardtanh(x)", "hardtanh(x, -0.5, 1.5)", "relu6(x)", "leaky_relu(x)",
               "leaky_relu(x, 0.2)", "logsigmoid(x)", "mish(x)", "softsign(x)", "tanhshrink(x)",
               "threshold(x, 0.3, -2.0)", "rrelu(x)"]
each(ACTIVATIONS, *shapes(away), tolerance=LOOSE)
# At the kinks, far out, and for what is no number.
each(["celu(x)", "elu(x)", "selu(x)", "hardshrink(x)", "softshrink(x)", "hardswish(x)",
      "hardtanh(x, -0.5, 1.0)", "relu6(x)", "leaky_relu(x)", "logsigmoid(x)", "mish(x)", "softsign(x)", "tanhshrink(x)",
      "threshold(x, -0.5, 9.0)"],
     dict(x=given("value", -3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0, 6.0, -800.0, 800.0)), second=False, differences=False,
     tolerance=LOOSE)
# PyTorch divides by a 6 of float32 in float64 too, and has no second gradient.
each("hardsigmoid(x)", *shapes(away), torch=False)
case("hardsigmoid(x)", x=given("value", -3.0, -1.0, 0.0, 1.0, 3.0, 6.0), dtypes=("float32", "float16", "bfloat16"))
each([text for text in ACTIVATIONS if "softsign" not in text], dict(x=replace(EDGES, grad=False)), tolerance=LOOSE)
each(["elu(x, 1.0, True)", "elu(x, alpha=0.5, inplace=True)", "selu_(x)", "hardtanh_(x, -0.5, 1.5)",
      "leaky_relu_(x, 0.2)",
      "mish(x, inplace=True)", "silu(x, True)", "relu6(x, True)"],
     dict(x=replace(away(2, 5), grad=False)), tolerance=LOOSE)
each(["elu(x * y, inplace=True)", "hardswish(x * y, True)"], dict(x=away(2, 5), y=f(5, low=0.6, high=0.9)),
     tolerance=LOOSE)
case("elu(x).sum() + elu(x * 1.0, inplace=True)", x=given("value", -800.0, -1.0, 2.0, 800.0), tolerance=LOOSE,
     dtypes=("float64",), differences=False)
each(["relu6(x)", "hardtanh(x)", "threshold(x, 3, 7)", "softsign(x)", "tanhshrink(x)"], dict(x=f(5, low=-9, high=9)),
     dtypes=("int64", "int32", "int8"))
each(["relu6(x)", "hardtanh(x, 1, 4)"], dict(x=f(5, low=0, high=9)), dtypes=("uint8",))
each("prelu(x, w)", dict(x=away(2, 3), w=f(3)), dict(x=away(2, 3, 2, layout="columns"), w=f(3)),
     dict(x=away(4), w=f(1)),
     dict(x=away(), w=f()), dict(x=away(2, 3, 2), w=f(1)), dict(x=away(0, 2), w=f(2)), tolerance=LOOSE)
each(["glu(x)", "glu(x, dim=0)", "glu(x, -2)"], dict(x=f(4, 6)), dict(x=f(2, 4, layout="columns")), tolerance=LOOSE)
each(["softmin(x, dim=1)", "softmin(x, 0)", "softmin(x, -1, dtype=float64)"], dict(x=f(2, 3)), tolerance=LOOSE)
each(["softmax(x)", "softmin(x)", "log_softmax(x)"], dict(x=f(3)), dict(x=f(2, 3)), dict(x=f(2, 3, 2)),
     dict(x=f(2, 1, 3, 2)), torch=False, tolerance=LOOSE)
each(["alpha_dropout(x, 0.3, False)", "dropout2d(x, 0.3, False)", "alpha_dropout(x, 0.0, True)", "dropout1d(x, 1.0)",
      "feature_alpha_dropout(x, 1.0, True)"], dict(x=f(2, 3, 4)), tolerance=LOOSE)
each([f"leaky_relu(x, {slope})" for slope in (0.0, 1.0, 1.5, -0.5)], dict(x=kink(2, 5)),
     dict(x=replace(EDGES, grad=False)),
     tolerance=LOOSE)
