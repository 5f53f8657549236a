"""Convolution, pooling, normalisation, padding and interpolation."""

from tests.cases.table import LOOSE, SINGLE, each, f, given


def functional(texts):
    """Calls of functions that torch.nn.functional has and torch has not, or with other arguments."""
    return [f"nn.functional.{text}" for text in ([texts] if isinstance(texts, str) else texts)]


ROUGH = {"float32": (2e-5, 2e-5)} | LOOSE  # sums of many products

# ---- convolution ---------------------------------------------------------------------------------------------------
# Each option in one of the dimensions 1 and 2; nine images are laid out another way than two.

each(["conv1d(x, w, v)", "conv1d(x, w, v, stride=2, padding=1)", "conv1d(x, w, None, 1, 'same', 2)",
      "conv1d(x, w, padding='valid', dilation=3)", "conv1d(x, w, v, stride=3, padding=4)"],
     dict(x=f(2, 3, 9), w=f(4, 3, 3), v=f(4)), dict(x=f(3, 8), w=f(2, 3, 2), v=f(2)), tolerance=ROUGH)
each(["conv2d(x, w, v)", "conv2d(x, w, v, (2, 1), (1, 2))", "conv2d(x, w, None, padding='same', dilation=(2, 1))"],
     dict(x=f(9, 2, 5, 6, low=-1, high=1), w=f(3, 2, 3, 2), v=f(3)), dict(x=f(2, 6, 5), w=f(1, 2, 2, 3), v=f(1)),
     dict(x=f(2, 2, 6, 5, layout="columns"), w=f(2, 2, 3, 3, layout="gaps"), v=f(2)), tolerance=ROUGH)
each(["conv2d(x, w, v, groups=2)", "conv2d(x, w, v, 2, 1, 1, 2)"], dict(x=f(2, 4, 5, 5), w=f(6, 2, 3, 3), v=f(6)),
     dict(x=f(10, 2, 4, 4), w=f(4, 1, 3, 3), v=f(4)), tolerance=ROUGH)
each("conv2d(x, w, v, (1, 2), (1, 0), groups=3)", dict(x=f(2, 3, 4, 5), w=f(3, 1, 3, 2), v=f(3)), tolerance=ROUGH)
each("conv1d(x, w, padding=3, groups=3)", dict(x=f(2, 3, 4), w=f(3, 1, 2)), tolerance=ROUGH)
each(["conv2d(x, w, v)", "conv2d(x, w, v, 2)"], dict(x=f(2, 3, 4, 5), w=f(4, 3, 1, 1), v=f(4)),
     dict(x=f(2, 3, 3, 3), w=f(4, 3, 3, 3), v=f(4)), tolerance=ROUGH)
each("conv2d(x, w, v, padding=1)", dict(x=f(0, 2, 3, 3), w=f(4, 2, 3, 3), v=f(4)), second=False, differences=False)
each(["conv_transpose1d(x, w, v)", "conv_transpose1d(x, w, v, 3, 1, 2)",
      "conv_transpose1d(x, w, None, stride=2, output_padding=1, dilation=2, padding=1)",
      "conv_transpose1d(x, w, stride=1, output_padding=2, dilation=3)"],
     dict(x=f(2, 3, 5), w=f(3, 4, 3), v=f(4)), dict(x=f(3, 4), w=f(3, 2, 2), v=f(2)), tolerance=ROUGH)
each(["conv_transpose2d(x, w, v, 2, 1)", "conv_transpose2d(x, w, v, (1, 2), padding=(0, 1), output_padding=(0, 1))"],
     dict(x=f(9, 2, 3, 4), w=f(2, 3, 4, 2), v=f(3)), dict(x=f(2, 4, 3), w=f(2, 1, 3, 3), v=f(1)), tolerance=ROUGH)
each("conv_transpose2d(x, w, v, stride=2, groups=2)", dict(x=f(2, 4, 3, 3), w=f(4, 3, 2, 3), v=f(6)), tolerance=ROUGH)
each(["unfold(x, 2)", "unfold(x, (2, 3), dilation=(2, 1), padding=(1, 2), stride=2)"], dict(x=f(2, 3, 5, 6)),
     dict(x=f(2, 4, 4)))
each(["fold(x, (4, 5), 2)", "fold(x, output_size=(4, 5), kernel_size=(2, 2))"], dict(x=f(2, 8, 12)), dict(x=f(4, 12)),
     tolerance=LOOSE)
each("fold(x, 6, (2, 3), dilation=(2, 1), padding=1, stride=2)", dict(x=f(2, 12, 9)), tolerance=LOOSE)

each(["conv3d(x, w, v)", "conv3d(x, w, None, (2, 1, 1), (1, 0, 2), (1, 2, 1))", "conv3d(x, w, v, padding='same')"],
     dict(x=f(2, 3, 3, 4, 5), w=f(2, 3, 2, 2, 3), v=f(2)), dict(x=f(1, 4, 3, 3), w=f(2, 1, 3, 2, 2), v=f(2)),
     tolerance=ROUGH)
each("conv3d(x, w, v, 2, 1, groups=2)", dict(x=f(9, 2, 2, 3, 2), w=f(4, 1, 2, 2, 2), v=f(4)), tolerance=ROUGH)
each(["conv_transpose3d(x, w, v, 2, 1)",
      "conv_transpose3d(x, w, v, (1, 2, 1), (0, 1, 0), (0, 1, 0), dilation=(2, 1, 1))"],
     dict(x=f(2, 2, 2, 3, 2), w=f(2, 3, 2, 3, 2), v=f(3)), tolerance=ROUGH)

# ---- pooling -------------------------------------------------------------------------------------------------------

each(functional(["max_pool1d(x, 2)", "max_pool1d(x, 3, 2, 1)", "max_pool1d(x, 3, 1, dilation=2)",
      "max_pool1d(x, 2, 2, ceil_mode=True)", "max_pool1d(x, 3, 2, 1, return_indices=True)", "avg_pool1d(x, 2)",
      "avg_pool1d(x, 3, 2, 1, ceil_mode=True)", "avg_pool1d(x, 3, 2, 1, count_include_pad=False)",
      "adaptive_avg_pool1d(x, 3)", "adaptive_avg_pool1d(x, 7)", "adaptive_max_pool1d(x, 4)",
      "adaptive_max_pool1d(x, 4, return_indices=True)"]),
     dict(x=f(2, 3, 7, distinct=True)), dict(x=f(2, 8, distinct=True)), tolerance=LOOSE)
each(functional(["max_pool2d(x, 2)", "max_pool2d(x, (3, 2), (2, 1), (1, 0))", "max_pool2d(x, 2, 3, 1, 2)",
      "max_pool2d(x, 3, 2, 1, ceil_mode=True, return_indices=True)", "avg_pool2d(x, 2)",
      "avg_pool2d(x, (3, 2), 2, (1, 0), ceil_mode=True)", "avg_pool2d(x, 3, 2, 1, True, False)",
      "avg_pool2d(x, 2, divisor_override=3)", "adaptive_avg_pool2d(x, (2, 3))", "adaptive_avg_pool2d(x, 1)",
      "adaptive_avg_pool2d(x, (None, 4))", "adaptive_max_pool2d(x, (2, 3))",
      "adaptive_max_pool2d(x, 4, return_indices=True)"]),
     dict(x=f(2, 3, 5, 6, distinct=True)), dict(x=f(2, 6, 5, distinct=True, layout="columns")), tolerance=LOOSE)
each(functional(["max_pool2d(x, 2, 1)", "max_pool2d(x, 3, 1, 1, return_indices=True)",
                 "max_pool1d(x.flatten(1), 3, 2)"]),
     dict(x=given("value", 1.0, 1.0, 0.0, 1.0, 1.0, 2.0, 2.0, 2.0, -1.0, shape=(1, 3, 3))), second=False,
     differences=False)  # ties
each(functional("max_pool1d(x, 2, 1, return_indices=True)[1]"),
     dict(x=given("value", 1.0, float("nan"), 2.0, float("nan"), float("nan"), 3.0, shape=(1, 6), grad=False)))
each(functional(["max_pool3d(x, 2)", "max_pool3d(x, (1, 3, 2), (2, 1, 1), (0, 1, 0), return_indices=True)",
      "max_pool3d(x, 2, 3, 1, ceil_mode=True, dilation=(1, 2, 1))",
      "adaptive_avg_pool3d(x, (2, 1, 3))", "adaptive_avg_pool3d(x, (None, 2, 2))", "adaptive_max_pool3d(x, (2, 1, 3))",
      "adaptive_max_pool3d(x, 2, return_indices=True)"]),
     dict(x=f(2, 2, 3, 4, 5, distinct=True)), dict(x=f(2, 2, 4, 3, distinct=True)), tolerance=LOOSE)
each(functional(["avg_pool3d(x, 2)", "avg_pool3d(x, (2, 3, 2), 2, (0, 1, 1), True, False)",
      "avg_pool3d(x, 2, divisor_override=3)"]), dict(x=f(2, 2, 3, 4, 5)), dict(x=f(2, 2, 4, 3)), dtypes=SINGLE)
each("lp_pool3d(x, 2, (1, 2, 2))", dict(x=f(2, 2, 2, 3, 4, low=0.2)), tolerance=ROUGH, dtypes=SINGLE)
each(functional(["max_unpool1d(x, k, 2)", "max_unpool1d(x, k, 3, 2, 1, output_size=(2, 1, 6))"]),
     dict(x=f(2, 1, 3), k=given("int64", 0, 2, 4, 1, 3, 4, shape=(2, 1, 3))))
each(functional("max_unpool2d(x, k, 2, output_size=(3, 4))"),
     dict(x=f(1, 1, 1, 2), k=given("int64", 5, 2, shape=(1, 1, 1, 2))))
each(functional("max_unpool3d(x, k, (1, 2, 2))"),
     dict(x=f(1, 2, 1, 2), k=given("int64", 3, 7, 0, 14, shape=(1, 2, 1, 2))))
each(["lp_pool1d(x, 2, 3)", "lp_pool1d(x, 3, 2, 1)"], dict(x=f(2, 3, 7, low=0.2)), tolerance=ROUGH)
each("lp_pool2d(x, 2, (2, 3), ceil_mode=True)", dict(x=f(2, 3, 4, 5, low=0.2)), tolerance=ROUGH)

# ---- normalisation -------------------------------------------------------------------------------------------------
# Second derivatives of fused norms are those of the composition.

NORM = {"float32": (1e-5, 1e-5), "float16": (1e-2, 1e-2), "bfloat16": (6e-2, 6e-2)}
CHANNELS = dict(w=f(4), v=f(4), r=f(4, grad=False), s=f(4, low=0.5, grad=False))
each(functional(["batch_norm(x, None, None, w, v, True)", "batch_norm(x, r, s, w, v)", "batch_norm(x, r, s, eps=0.1)",
      "batch_norm(x, None, None, w, training=True, eps=0.1)"]),
     dict(x=f(5, 4)) | CHANNELS, dict(x=f(3, 4, 2)) | CHANNELS, dict(x=f(2, 4, 3, 2, layout="columns")) | CHANNELS,
     tolerance=NORM)
each(functional(["layer_norm(x, (4,), w, v)", "layer_norm(x, [4], eps=0.1)", "rms_norm(x, (4,), w)",
      "rms_norm(x, (4,), eps=0.1)"]), dict(x=f(5, 4)) | CHANNELS, dict(x=f(2, 3, 4)) | CHANNELS, tolerance=NORM)
each(functional(["layer_norm(x, (3, 4), w, v)", "rms_norm(x, (3, 4), w)"]), dict(x=f(2, 3, 4), w=f(3, 4), v=f(3, 4)),
     tolerance=NORM)
each(["group_norm(x, 2, w, v)", "group_norm(x, 4)", "group_norm(x, 1, w, v, 0.1)"],
     dict(x=f(3, 4, 5)) | CHANNELS, dict(x=f(2, 4, 2, 3)) | CHANNELS, tolerance=NORM)
each(functional(["instance_norm(x, weight=w, bias=v)", "instance_norm(x, r, s, w, v, use_input_stats=False)",
      "instance_norm(x, eps=0.1)"]), dict(x=f(3, 4, 5)) | CHANNELS, dict(x=f(2, 4, 2, 3)) | CHANNELS, tolerance=NORM)
each(["local_response_norm(x, 3)", "local_response_norm(x, 2, alpha=0.5, beta=0.6, k=2.0)"], dict(x=f(2, 4, 5)),
     dict(x=f(2, 3, 2, 3)), tolerance=NORM, dtypes=SINGLE)

each(functional("layer_norm(x, (4,), bias=v)"), dict(x=f(2, 4), v=f(4)), second=False, tolerance=NORM)

# ---- padding -------------------------------------------------------------------------------------------------------

each(["pad(x, (1, 2))", "pad(x, [2, -1], value=3.5)", "pad(x, (-1, -2))", "pad(x, (1, 0, 2, 1))",
      "pad(x, (0, 1, -1, 2), mode='constant', value=-1)", "constant_pad_nd(x, (1, 1), 2.0)"], dict(x=f(2, 3, 4)),
     dict(x=f(3, 4, layout="columns")))
each([f"pad(x, {pads}, mode='{mode}')" for mode in ("reflect", "replicate", "circular")
      for pads in ((1, 2), (2, 0), (0, 1, 2, 1), (3, 3, 0, 0))], dict(x=f(2, 3, 4)), dict(x=f(2, 3, 4, layout="gaps")),
     tolerance=LOOSE)
each(["pad(x, (1, 2, 2, 1), mode='reflect')", "pad(x, (1, -1, 0, 2), mode='replicate')",
      "pad(x, (4, 0, 1, 3), mode='circular')"], dict(x=f(2, 2, 3, 4)), tolerance=LOOSE)
each("pad(x, (1, 2), value=3)", dict(x=f(2, 3)), dtypes=("int64", "bool"))

# ---- interpolation -------------------------------------------------------------------------------------------------

each(["interpolate(x, 5)", "interpolate(x, scale_factor=1.7)", "interpolate(x, size=3, mode='nearest-exact')",
      "interpolate(x, 6, mode='linear')", "interpolate(x, 6, mode='linear', align_corners=True)",
      "interpolate(x, scale_factor=0.6, mode='linear')",
      "interpolate(x, scale_factor=1.7, mode='linear', recompute_scale_factor=True)", "interpolate(x, 3, mode='area')"],
     dict(x=f(2, 3, 4)), tolerance=ROUGH)
each([f"interpolate(x, {size}, mode='{mode}')" for size in ("(5, 8)", "scale_factor=(0.7, 1.5)", "(2, 1)")
      for mode in ("nearest", "nearest-exact", "bilinear", "bicubic", "area")], dict(x=f(2, 2, 4, 6)), tolerance=ROUGH)
each([f"interpolate(x, {size}, mode='{mode}', {option})" for size in ("(5, 8)", "(2, 3)") for mode in
      ("bilinear", "bicubic") for option in ("align_corners=True", "antialias=True")], dict(x=f(2, 2, 4, 6)),
     tolerance=ROUGH, dtypes=SINGLE)
each(["pixel_shuffle(x, 2)", "channel_shuffle(x, 4)"], dict(x=f(2, 8, 3, 2)))
each(["pixel_unshuffle(x, 2)", "pixel_unshuffle(x, 1)"], dict(x=f(2, 3, 4, 2)))

# ---- sampling ------------------------------------------------------------------------------------------------------

each(functional(["affine_grid(t, (2, 1, 3, 4), align_corners=True)",
      "affine_grid(t, (2, 3, 1, 5), align_corners=False)"]), dict(t=f(2, 2, 3)), dtypes=SINGLE)
each(functional([f"grid_sample(x, g, '{mode}', '{padding}', align_corners={align})"
      for mode in ("bilinear", "bicubic") for padding in ("zeros", "border", "reflection") for align in (True, False)]),
     dict(x=f(2, 2, 4, 3), g=f(2, 3, 2, 2, low=-1.6, high=1.6)), tolerance={"float32": (2e-4, 2e-5)}, dtypes=SINGLE,
     second=False)
each(functional("grid_sample(x, g, 'nearest', align_corners=False)"),
     dict(x=f(2, 2, 4, 3), g=f(2, 3, 2, 2, low=-1.3, high=1.3, grad=False)), dtypes=SINGLE)

# ---- what is out of the ordinary

each(functional(["max_pool2d(x, 1)", "max_pool1d(x[0], 1)", "adaptive_max_pool2d(x, (None, None), return_indices=True)"]
                ), dict(x=f(1, 4, 4, 3, distinct=True)), tolerance=LOOSE)  # windows of one element
each(functional(["avg_pool1d(x, 2)", "avg_pool2d(x, 2, 1, 1)", "avg_pool2d(x, 2, 1, 1, False, False)",
                 "local_response_norm(x, 2)"]),
     dict(x=f(2, 4, 5, low=-9, high=9)), dtypes=("int64",))
each([f"pad(x, {pads}, mode='replicate')" for pads in ((-4, 5), (-5, 4, 1, 0), (4, -4), (3, -2), (0, -1, -3, 5))]
     + [f"pad(x, {pads}, mode='reflect')" for pads in ((2, -1), (3, -2), (-1, 2, 1, -2))]
     + [f"pad(x, {pads}, mode='circular')" for pads in ((1, -1), (-2, 2), (-1, 1, 2, -1))],
     dict(x=f(2, 3, 4)), tolerance=LOOSE)
each([f"interpolate(x, {size}, mode='{mode}'{option})" for size in ("(5, 9)", "(3, 2)") for mode in
      ("bilinear", "bicubic") for option in ("", ", align_corners=True", ", antialias=True")]
     + ["interpolate(x, (3, 5))"],
     dict(x=f(2, 3, 4, 6, low=0, high=255)), dtypes=("uint8",))
each(functional(["batch_norm(x, None, None, training=True)", "instance_norm(x)"]), dict(x=f(0, 2, 3)), second=False,
     differences=False)
