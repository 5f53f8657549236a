"""Every op, layer and optimizer beside PyTorch on the samples and wrong calls of PyTorch's own databases (OpInfo).

    python -m tests.opinfo                              all that gpunet has, in every type (some ten minutes)
    python -m tests.opinfo cumsum nn.Linear optim.SGD   these; layers and optimizers are in opinfo_nn.py
    python -m tests.opinfo --types float16,int8 --part 1/2      of all, these types; the first half

Prints one line for each difference: values, shapes, types, first and second gradients, errors; the same with arguments
that are transposed or strided views, and with empty and 0-d tensors made from the samples. What is different on purpose
is in EXCEPT. It is run by hand: PyTorch's database changes with its version.
"""

from __future__ import annotations

import argparse
import re
import signal
import traceback
import warnings
from collections import Counter
from contextlib import contextmanager
from copy import copy
from operator import attrgetter

import numpy as np

import gpunet
from tests.oracle import Ours, Torch, numpy_type

try:
    import torch
    from torch.testing._internal.common_methods_invocations import op_db
except ImportError as missing:
    raise SystemExit(f"tests.opinfo needs PyTorch and expecttest: pip install torch expecttest ({missing})") from None

TYPES = "float64 float32 float16 bfloat16 int64 int32 int16 int8 uint8 bool".split()
TOLERANCE = {"float64": (1e-9, 1e-9), "float32": (2e-4, 2e-5), "float16": (1e-2, 1e-2), "bfloat16": (5e-2, 5e-2)}
SECONDS = 20  # for one sample

OURS, THEIRS = Ours(), Torch()

# Where the database has a name or an order of arguments that is nobody's function.
CALLS = {
    **{name: attrgetter(name) for name in ("T", "mT", "H", "mH", "real")},
    **{name: getattr(gpunet.Tensor, name) for name in ("bool", "float", "int", "short", "long", "half",
                                                       "double", "bfloat16")},
    "polygamma": lambda x, n: gpunet.polygamma(n, x),
    "special.polygamma": lambda x, n: gpunet.polygamma(n, x),
    "nn.functional.embedding_bag": lambda w, i, **options: gpunet.nn.functional.embedding_bag(i, w, **options),
    "where": lambda x, condition, y: gpunet.where(condition, x, y),
    "einsum": lambda tensors, equation: gpunet.einsum(equation, *tensors),
    "nn.functional.embedding": lambda w, i, **options: gpunet.nn.functional.embedding(i, w, **options),
    "zero_": lambda x: x.clone().zero_(),
    "uniform": lambda x, *args, **options: x.clone().uniform_(*args, **options),
    "normal.in_place": lambda x, *args, **options: x.clone().normal_(*args, **options),
}
RANDOM = """
    cauchy geometric log_normal bernoulli multinomial normal rand_like randint randint_like randn randn_like
    uniform empty empty_like new_empty nn.functional.dropout nn.functional.dropout2d nn.functional.dropout3d
    exponential nn.functional.alpha_dropout nn.functional.feature_alpha_dropout""".split()
TIES = "argsort kthvalue median mode nanmedian sort topk".split()  # which of several equal elements is left open
# What is different on purpose: (a pattern of names, a pattern in the difference or the sample, why).
EXCEPT = [(re.compile(name), re.compile(text), why) for name, text, why in (
    (r"optim\..*", "state_dict: param_groups|'al'|duplicate", "options without a meaning; not only a warning"),
    (r"optim\.ASGD", "after step", "PyTorch keeps its rates in float32"),
    (r"optim\.LBFGS", "after step [3-9]", "what is left of rounding grows near the minimum"),
    (r"optim\..*", "foreach|betas must", "options without a meaning; tensors are numbers"),
    (r"nn\.(Circular.*|NLLLoss|CrossEntropyLoss|.*Cell)", "error", "another class of error, or one less"),
    (r"[mT]?[TH]", "zero_d", "a number has no last two dimensions"),
    (r"nn\.(RNN|GRU|LSTM)", "error", "the types differ: RuntimeError as everywhere; a bias may be any truth value"),
    (r"nn\.functional\.hardsigmoid", "gradient", "PyTorch divides by 6 in float32"),
    (r"nn\.functional\.ctc_loss|nn\.CTCLoss|logcumsumexp", "float32", "PyTorch loses as many digits, or more"),
    (r"nn\.functional\.multi_margin_loss", "error 7", "one class of error for all weights"),
    (r"nn\.functional\.(multi|multilabel)_margin_loss", "empty", "PyTorch returns what was in memory"),
    (r"nn\.functional\.pixel_unshuffle", "empty", "PyTorch returns another shape"),
    (r"addmv", "empty", "PyTorch returns another shape"),
    (r"add(bmm|mm|mv|r)_", "does not fit in the tensor", "PyTorch gives the tensor another shape"),
    (r"linalg\.(lstsq\.grad_oriented|pinv\.singular)", "", "another function than the name's"),
    (r"nn\.functional\.(.*dropout.*|local_response_norm)", r"zero_d|\(0, 1, 2\)", "too few dimensions; no elements"),
    (r"nanmean|linalg\..*", "zero_d|empty|requires_grad", "NaN alone has no mean; what of nothing is a constant"),
    (r"linalg\.norm.*", "second gradient", "0, not NaN, where the norm is 0"),
    (r"as_strided\.partial_views", "offset': (0|10)", "the copies of the samples have a memory of their own"),
    (r"resize__?", "columns|empty", "what new memory holds is open; a view's does not grow"),
    (r"trapz|trapezoid", "empty", "no element takes part"),
    (r"narrow", "integral", "a float start is an error further on"),
    (r"nn\.functional\.adaptive_.*", "error", "one class of error for one number and for several"),
    (r"(special\.)?polygamma.*", "inf", "PyTorch misses the poles"),
    (r"float_power_", "no error", "the result is stored in the tensor's type"),
    (r"(linalg\.)?svd", "full_matrices': True|some': False", "the vectors of the null space are any"),
    (r"nn\.functional\.embedding(_bag)?", "sparse", "gradients are dense"),
    (r"nn\.functional\.grid_sample", r"\(2, 3, 5, 5, 5\)", "volumes"),
    (r"nn\.functional\.cross_entropy", "empty", "no classes: 0 here"),
    (r"nn\.functional\.scaled_dot_product_attention", r"empty.*(\(4, 3, 8\)|attn_mask')",
     "PyTorch forgets to broadcast"),
    (r"repeat_interleave", "output_size is.*empty", "PyTorch does not look at output_size"),
    (r"linalg\.pinv\.hermitian", "gradient", "PyTorch's formula reads the triangle that its result ignores"),
    (r".*", r"number of dimensions must be within \[0, 64\]", "the same error from the test's own tensors"),
    (r".*", r"requires_grad False, not True . float64 \d+ empty", "a constant"),
)]
UP_TO_SIGN = ("linalg.svd", "linalg.qr", "linalg.eigh", "svd", "qr")


class Unsupported(Exception):
    """The sample has what gpunet does not have: complex numbers, sparse tensors, memory formats."""


class TimeOut(Exception):
    pass


@contextmanager
def limit():
    def stop(*_):
        raise TimeOut(f"more than {SECONDS} s")

    signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)


def ours(value):
    """PyTorch's arguments as gpunet's."""
    if isinstance(value, torch.Tensor):
        if value.is_complex() or value.is_sparse or str(value.dtype)[6:] not in TYPES:
            raise Unsupported
        return OURS.tensor(THEIRS.array(value.resolve_conj()), value.requires_grad)
    if isinstance(value, torch.dtype):
        if str(value)[6:] not in TYPES:
            raise Unsupported
        return getattr(gpunet, str(value)[6:])
    if isinstance(value, (torch.layout, torch.memory_format, torch.nn.Module, complex)):
        raise Unsupported
    if callable(value) and hasattr(gpunet.nn.functional, getattr(value, "__name__", "-")):
        return getattr(gpunet.nn.functional, value.__name__)
    if isinstance(value, torch.device):
        return str(value)
    if isinstance(value, torch.Size):
        return tuple(value)
    if isinstance(value, slice):
        return slice(ours(value.start), ours(value.stop), ours(value.step))
    return value


def mapped(function, value):
    """`function` of everything in nested lists, tuples and dictionaries."""
    if isinstance(value, dict):
        return {k: mapped(function, v) for k, v in value.items()}
    if type(value) in (tuple, list):
        return type(value)([mapped(function, v) for v in value])
    return function(value)


def leaves(value) -> list:
    if isinstance(value, dict):
        value = list(value.values())
    return [y for x in value for y in leaves(x)] if isinstance(value, (tuple, list)) else [value]


def tensors(value) -> list:
    return [x for x in leaves(value) if isinstance(x, (torch.Tensor, gpunet.Tensor))]


def function_of(info):
    """gpunet's function of that name, or None."""
    name = f"{info.name}.{info.variant_test_name}"
    found = CALLS.get(name) or CALLS.get(info.name)
    if found is None:
        found = gpunet
        for part in info.name.split("."):
            found = getattr(found, part, None)
    return found or getattr(gpunet.Tensor, info.name, None)


# ---- other forms of a sample: each takes a tensor of either library and gives one


def itself(x):
    return x


def columns(x):
    return x.transpose(-1, -2).contiguous().transpose(-1, -2) if x.ndim > 1 else x


def strided(x):
    return x.unsqueeze(-1).expand(*x.shape, 2).contiguous()[..., 1]


def empty(x):
    return x[:0] if x.ndim else x


def empty_at_the_end(x):
    return x[..., :0] if x.ndim else x


def zero_d(x):
    return x[(0,) * x.ndim] if x.numel() else x


LAYOUTS, SIZES = (columns, strided), (empty, empty_at_the_end, zero_d)


# ---- comparison


def difference(a, b, exact=True, tolerance=None):
    """What is different between gpunet's `a` and PyTorch's `b`, or None."""
    if not isinstance(b, torch.Tensor):
        return None if a == b or (a != a and b != b) else f"{a!r}, not {b!r}"
    if not isinstance(a, gpunet.Tensor):
        return f"{type(a).__name__}, not a tensor"
    a, b = OURS.array(a), THEIRS.array(b)
    if a.shape != b.shape:
        return f"shape {a.shape}, not {b.shape}"
    if a.dtype != b.dtype:
        return f"type {a.dtype}, not {b.dtype}"
    if not exact:
        return None
    if a.dtype.name not in TOLERANCE:
        return None if (a == b).all() else f"{a.ravel()[:8]}, not {b.ravel()[:8]}"
    near = np.isclose(a.astype(float), b.astype(float), *(tolerance or TOLERANCE[a.dtype.name]), equal_nan=True)
    return None if near.all() else f"{a[~near][:3]}, not {b[~near][:3]} in shape {a.shape}"


def gradient_difference(a, b):
    if a is None or b is None:  # zeros, where the other has none
        some = [x for x in (a, b) if x is not None]
        return f"{'none' if a is None else 'one'}" if any(bool((x != 0).any()) for x in some) else None
    return difference(a, b)


def walk_back(outputs, inputs, rng, again):
    """Gradients of both libraries for the same random vectors, as pairs; PyTorch's error is raised as StopIteration."""
    vectors = [rng.standard_normal(tuple(b.shape)).astype(numpy_type(str(b.dtype)[6:])) for _, b in outputs]
    try:
        expected = THEIRS.grad([b for _, b in outputs], [b for _, b in inputs], [THEIRS.tensor(v) for v in vectors],
                               create_graph=again)
    except RuntimeError:
        return []
    found = OURS.grad([a for a, _ in outputs], [a for a, _ in inputs], [OURS.tensor(v) for v in vectors],
                      create_graph=again)
    return list(zip(found, expected, strict=True))


def gradient_differences(info, found, expected, inputs, second):
    """For pairs of outputs and pairs of inputs."""
    pairs = [(a, b) for a, b in zip(leaves(found), leaves(expected), strict=True) if isinstance(b, torch.Tensor)]
    for a, b in pairs:
        if a.requires_grad != b.requires_grad:
            yield f"requires_grad {a.requires_grad}, not {b.requires_grad}"
    outputs = [(a, b) for a, b in pairs if a.requires_grad and b.requires_grad]
    inputs = [(a, b) for a, b in inputs if b.requires_grad]
    rng = np.random.default_rng(0)
    for order in ("gradient", "second gradient")[: 1 + second]:
        if not outputs or not inputs:
            return
        try:
            gradients = walk_back(outputs, inputs, rng, second and order == "gradient")
        except Exception as error:
            yield f"{order}: {described(error)}"
            return
        wrong = [f"{order} {k}: {d}" for k, (a, b) in enumerate(gradients) if (d := gradient_difference(a, b))]
        yield from wrong
        if wrong:
            return
        outputs = [(a, b) for a, b in gradients
                   if a is not None and b is not None and a.requires_grad and b.requires_grad]


def described(error) -> str:
    if isinstance(error, TimeOut):
        raise error
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {str(error)[:160]} [{place.filename.split('/')[-1]}:{place.lineno}]"


def sample_differences(info, call, args, options, gradients, form=itself):
    """All differences of one call, with the tensors in another form."""
    inputs = list(zip(tensors(in_ours := mapped(ours, (args, options))), tensors((args, options)), strict=True))
    their_args, their_options = mapped(lambda x: form(x) if isinstance(x, torch.Tensor) else x, (args, options))
    our_args, our_options = mapped(lambda x: form(x) if isinstance(x, gpunet.Tensor) else x, in_ours)
    try:
        expected = info.op(*their_args, **their_options)
    except Exception as error:
        expected = error
    try:
        found = call(*our_args, **our_options)
    except Exception as error:
        if not isinstance(expected, Exception):
            yield described(error)
        return
    if isinstance(expected, Exception):
        if form is itself:
            yield f"no error; PyTorch: {str(expected)[:120]}"
        return
    if len(leaves(found)) != len(leaves(expected)):
        yield f"{len(leaves(found))} results, not {len(leaves(expected))}"
        return
    exact = info.name not in RANDOM and not options.get("dropout_p") and "rrelu" not in info.name
    for k, (a, b) in enumerate(zip(leaves(found), leaves(expected), strict=True)):
        if info.name in UP_TO_SIGN:
            a, b = abs(a), abs(b)
        is_index = info.name in TIES and (k == 1 or info.name == "argsort")
        if d := difference(a, b, exact and not is_index):
            if "float16" in str(b.dtype) and not difference(a, in_float64(info, their_args, their_options, k)):
                continue  # PyTorch's own rounding
            yield f"output {k}: {d}"
            return
    if gradients and exact and info.name not in UP_TO_SIGN:
        yield from gradient_differences(info, found, expected, inputs, gradients == 2)


def in_float64(info, args, options, k: int):
    """PyTorch's output k from half types turned into float64, rounded once."""
    half = next(x.dtype for x in tensors((args, options)) if x.is_floating_point())
    args, options = mapped(lambda x: x.double() if isinstance(x, torch.Tensor) and x.is_floating_point() else x,
                           (args, options))
    return leaves(info.op(*args, **options))[k].to(half)


def sample_name(args, options) -> str:
    def short(x):
        return tuple(x.shape) if isinstance(x, torch.Tensor) else x

    return f"{[short(x) for x in leaves(args)]} { ({k: short(v) for k, v in options.items()}) }"[:200]


def op_differences(info, call, types):
    """(where, difference) for all samples of an op."""
    for name in types:
        dtype = getattr(torch, name)
        if dtype not in info.supported_dtypes("cpu"):
            continue
        gradients = info.supports_autograd and name in ("float64", "float32")
        gradients = 2 if gradients and name == "float64" and info.supports_gradgrad else int(gradients)
        try:
            samples = list(info.sample_inputs("cpu", dtype, requires_grad=bool(gradients)))
        except Exception:  # the database's own limits
            continue
        for k, sample in enumerate(samples):
            args, options = (sample.input, *sample.args), dict(sample.kwargs)
            if "out" in options:
                continue
            for form in (itself, *(LAYOUTS + SIZES if name == "float64" else LAYOUTS if name == "int32" else ())):
                where = f"{name} {k} {form.__name__} {sample_name(args, options)}"
                try:
                    with limit():
                        for d in sample_differences(info, call, args, options,
                                                    gradients if form is itself else min(gradients, 1), form):
                            yield where, d
                except Unsupported:
                    pass
                except TimeOut as error:
                    yield where, str(error)


def error_differences(info, call):
    """(where, difference) for the database's wrong calls: the class of the error is what programs see."""
    try:
        wrong = list(info.error_inputs("cpu")) if info.error_inputs_func else []
    except Exception:  # the database's own limits
        return
    for k, e in enumerate(wrong):
        sample = e.sample_input
        args, options = (sample.input, *sample.args), dict(sample.kwargs)
        expected = f"{e.error_type.__name__}: {str(e.error_regex)[:90]}"
        where = f"error {k} {sample_name(args, options)}"
        try:
            if "out" in options or e.error_type is Exception:
                continue
            our_args, our_options = mapped(ours, (args, options))
            with limit():
                call(*our_args, **our_options)
            yield where, f"no error; PyTorch: {expected}"
        except (Unsupported, e.error_type):
            pass
        except Exception as error:
            yield where, f"{described(error)}, not {expected}"


def subjects():
    """(name, the function that gives its differences) for all ops, and in-place forms of them, that gpunet has."""
    for info in op_db:
        name, call = ".".join(filter(None, (info.name, info.variant_test_name))), function_of(info)
        if call is not None:
            yield name, lambda types, info=info, call=call: [*op_differences(info, call, types),
                                                             *error_differences(info, call)]
        theirs = info.inplace_variant
        form = theirs and getattr(gpunet.Tensor, getattr(theirs, "__name__", "-"), None)
        if form is not None:
            info, call = copy(info), on_a_copy(form)
            info.op = on_a_copy(theirs)
            yield f"{name}_", lambda types, info=info, call=call: op_differences(info, call, types)


def on_a_copy(form):
    """An in-place form as a function."""
    return lambda x, *args, **options: form(x.clone(), *args, **options)


def main():
    parser = argparse.ArgumentParser("python -m tests.opinfo", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="as in PyTorch: cumsum, linalg.norm, nn.Linear; none: all")
    parser.add_argument("--types", default=",".join(TYPES), help="names of types, with commas")
    parser.add_argument("--part", default="1/1", help="2/3: the second third, to run several side by side")
    parser.add_argument("--most", type=int, default=2, help="lines for one op and one kind of difference")
    options = parser.parse_args()
    part, parts = map(int, options.part.split("/"))
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    from tests.opinfo_nn import subjects as of_nn

    chosen = [(name, differences) for name, differences in (*subjects(), *of_nn())
              if not options.names or name in options.names or name.rpartition(".")[0] in options.names]
    count = Counter()
    for name, differences in chosen[part - 1 :: parts]:
        for where, d in differences(options.types.split(",")):
            if any(n.fullmatch(name) and text.search(f"{d} | {where}") for n, text, _ in EXCEPT):
                continue
            kind = where.startswith("error"), d.split(":")[0][:40]
            count[name, kind] += 1
            if count[name, kind] <= options.most:
                print(f"{name} | {d} | {where}", flush=True)
    print(f"{count.total()} differences in {len({name for name, _ in count})} ops")


if __name__ == "__main__":
    main()
