"""In-place operations and views: small programs that must give PyTorch's values, gradients, second gradients and
errors.

Each program starts with leaves x [2, 3] and y [3], a plain tensor w [2, 3], and leaves its result in `out`.
"""

import numpy as np
import pytest

from tests.oracle import Names, Ours, Torch, check_equal, cotangents

PROGRAMS = """
a = x * 1; a += 1; out = a
a = x * 1; a *= y; out = a
a = x * 1; a *= a; out = a
a = x * 2; a -= a * 3; out = a
a = x * 1; a /= y + 5; out = a * x
a = x * 1; a **= 2; out = a
a = x * 1; a.mul_(2).add_(y); out = a
a = x * 1; a.add_(y, alpha=3); out = a
a = x * 1; a.sub_(w, alpha=2); out = a * a
a = x * 1; a.exp_(); out = a
a = x * x + 1; a.sqrt_(); out = a
a = x * x + 1; a.log_(); out = a * 2
a = x * 1; a.neg_().abs_(); out = a
a = x * 1; a.relu_(); out = a
a = x * 1; a.sigmoid_(); out = a * 2
a = x * 1; a.tanh_(); out = a
a = x * 1; a.clamp_(-0.5, 0.5); out = a
a = x * 1; a.zero_(); out = a + x
a = x * 1; a.fill_(3); out = a * x
a = x * 1; a.fill_(y.sum()); out = a
a = x * 1; a.copy_(w); out = a * x
a = x * 1; a.copy_(y); out = a
a = x * 1; a.masked_fill_(w > 0, 2.0); out = a
a = x * 1; a.masked_fill_(w > 0, 0.0); out = a * x

a = w.clone(); a += x; out = a
a = w.clone(); a *= y; out = a * a
a = w.clone(); a[0] = y; out = a
a = w.clone(); a[0] *= y; out = a
a = w.clone(); a.copy_(x); out = a * 2
a = w.clone(); b = a[0]; b += y; out = a
a = w.clone(); b = a[0]; b *= y; out = b
a = w.clone(); b = a[0]; b += y; out = a * b
a = w.clone(); b = a.view(-1); b[1:4] = y; out = a
a = w.clone(); b = a[0]; a += x; out = b
a = w.clone(); b = a[:, 1]; a *= x; out = b * b

a = x * 1; a[0] = 5; out = a
a = x * 1; a[0] = y; out = a
a = x * 1; a[:, 1] = 0; out = a * x
a = x * 1; a[0, 0] = y[0] * y[1]; out = a
a = x * 1; a[..., 0] = a[..., 1]; out = a
a = x * 1; a[0] = a[1]; out = a * a
a = x * 1; a[0] += a[1]; out = a
a = x * 1; a[:, ::2] *= 3; out = a
a = x * 1; a[:, ::2] *= a[:, :2]; out = a
a = x * 1; a[0] = a[0] * a[1]; a[1] = a[0]; out = a
a = x * 1; a[1:] = y; a[0] = y * 2; out = a * x
a = x * 1; a[None, 1] = y; out = a
a = x * 1; a[:] = y; out = a
a = x * 1; a[...] = w; out = a
a = x * 1; a[w > 0] = 1; out = a
a = x * 1; a[w > 0] = y[0]; out = a * x
a = x * 1; a[w > 0] = x[w > 0] * 2; out = a
a = x * 1; a[[0, 1], [2, 0]] = y[:2]; out = a
a = x * 1; a[[1]] = y; out = a
a = x * 1; a[:, [0, 2]] = y[:2]; out = a * a
a = x * 1; a[[0], 1] += y[:1]; out = a
a = x * 1; a[w[:, 0] > -9] = 3 * y; out = a
a = x * 1; a[0][1] = y[0]; out = a
a = x * 1; a[0][1:][0] = y[0]; out = a
a = x * 1; a[0][[1]] = y[0]; out = a

a = x * 1; b = a[0]; b += 1; out = a
a = x * 1; b = a[0]; b *= b; out = a
a = x * 1; b = a[0]; b *= y; out = b
a = x * 1; b = a[0]; b *= y; out = a * a
a = x * 1; b = a[0]; c = b[1:]; c *= y[1:]; out = a
a = x * 1; b = a[0]; c = b[1:]; c *= y[1:]; out = b
a = x * 1; b = a[0]; c = b[1:]; c *= y[1:]; out = c * c
a = x * 1; b = a[0]; c = a[:, 1]; b *= y; out = c
a = x * 1; b = a[0]; c = a[:, 1]; b *= y; c += 1; out = a
a = x * 1; b = a[0]; c = a[:, 1]; b *= y; c *= c; out = b
a = x * 1; b = a[0]; a *= 2; out = b
a = x * 1; b = a[0]; a *= y; b += 1; out = a
a = x * 1; b = a[0]; a *= y; b *= b; out = a
a = x * 1; b = a[0]; b *= 2; b += 1; a *= 3; out = b * a
a = x * 1; b = a.t(); b += y.reshape(3, 1); out = a
a = x * 1; b = a.t(); b[0] = 0; out = a * x
a = x * 1; b = a.reshape(3, 2); b *= 2; out = a
a = x * 1; b = a.view(-1); b[2:5] *= y; out = a
a = x * 1; b = a.view(3, 2); c = b[1]; a.mul_(3); c.add_(1); out = b
a = x * 1; b = a.t().reshape(-1); b *= 2; out = a
a = x * 1; b = a.permute(1, 0)[1:]; b *= b; out = a
a = x * 1; b = a.unsqueeze(0); b[0, 0] = y; out = a.squeeze()
a = x * 1; b = a.unsqueeze(1).transpose(0, 2); b *= 2; out = a
a = x * 1; b, c = a.unbind(0); out = b * c
a = x * 1; b, c = a[:, :1], a[:, 1:]; b += 1; c *= 2; out = a
a = x * 1; b = a.narrow(1, 1, 2).select(0, 1); b.zero_(); out = a
a = x * 1; b = a.flatten(); b.add_(1); out = a * b.reshape(2, 3)
a = x * 1; b = a[0]; b.copy_(a[1]); out = a
a = x * 1; b = a[0]; b.copy_(y); a[1].copy_(b); out = a
a = x * 1; b = a[0]; b.zero_(); out = a * x
a = x * 1; b = a[:1].expand(1, 3); b += y; out = a
a = x * 1; b = a[0, 0]; b += y[0]; out = a
a = x * 1; b = a[0, 0]; b *= b; out = a * b
a = x * 1; b = a[0].detach(); out = a * b
a = x * 1; b = a.detach(); b += 1; out = a
a = x * 1; b = a.detach()[0]; b += 1; out = a

a = x * 1; b = a * a; a += 1; out = b
a = x * 1; b = a.exp(); b += 1; out = b
a = x * 1; b = a.exp(); b[0] = 1; out = b
a = x * 1; b = a.tanh(); b *= 2; out = b
a = x * 1; b = a.sigmoid(); a += 1; out = b
a = x * 1; b = a + 1; a *= 2; out = b
a = x * 1; b = a * 2; a *= 2; out = b
a = x * 1; b = a * w; a *= 2; out = b
a = x * 1; b = a * w; w += 1; out = b
a = x * 1; b = a[0]; c = b * b; a += 1; out = c
a = x * 1; b = a[0]; c = b * b; a[1] = 0; out = c
a = x * 1; b = a * a; a.detach().zero_(); out = b
a = x * 1; b = a @ a.t(); a[0] = 0; out = b
a = x * 1; b = a.relu(); b += 1; out = b
a = x * 1; b = a.max(1).values; a += 1; out = b
a = x * 1; b = a.sum(0); a += 1; out = b
a = x * 1; b = a.mean(); b += 1; out = b * a
a = x * 1; b = a.softmax(1); b[0, 0] = 0; out = b
a = x * 1; b = a / y; a += 1; out = b
a = x * 1; b = w / a; a += 1; out = b
a = x * 1; b = a ** 2; b += a; out = b
a = x * 1; b = a ** 2; a += 1; out = b
a = x * 1; b = a.abs(); a.neg_(); out = b
a = x * 1; b = a[[0, 1]]; a += 1; out = b
k = tensor_int([0, 1]); a = x * 1; b = a[k]; k += 0; out = b
a = x * 1; b = a.clone(); a += 1; out = a * b
a = x * 1; b = a.reshape(-1); c = b * b; a += 1; out = c
a = x * 1; b = where(a > 0, a, w); a += 1; out = b * 2

a = w.clone(); d = a.detach(); v = d[0]; a += 1; d += x; out = v
a = x * 1; d = a.detach(); v = a[0]; d += 1; a += x; out = v

x += 1; out = x
x[0] = 1; out = x
b = x[0]; b += 1; out = b
b = x.t(); b *= 2; out = x
x.detach().add_(1); out = x * x
b = x * x; x.detach().add_(1); out = b
b = x.view(-1)[0]; b.zero_(); out = x
x.copy_(w); out = x
x.fill_(1); out = x
y.add_(x); out = y
y.zero_(); out = x

a = x * 1; a += w.sum(); out = a
a = y * 1; a += x; out = a
a = y * 1; a *= x.t(); out = a
a = x * 1; a[0] = x; out = a
a = x * 1; a[0] = y[:2]; out = a
a = x * 1; a[5] = y; out = a
a = x * 1; a[0, 0, 0] = 1; out = a
a = y.expand(2, 3); a += 1; out = a
a = w[0].expand(2, 3); a += y; out = a
a = w.clone().expand(2, 2, 3); a[0] = y; out = a
a = x * 1; a.add_("one"); out = a
a = x * 1; a.copy_(x.t()); out = a
a = x * 1; a.copy_(y.reshape(1, 1, 3)); out = a
a = (w > 0); a += x; out = a
a = w.long(); a *= 1.5; out = a * x
a = w.long(); a += x; out = a
a = w.long(); a += 2; out = a * x
a = w.half(); a += x.double(); out = a
a = w.half(); a *= x; out = a.float()
a = w.long(); a /= 2; out = a

a = x * 1; b = a.diagonal(); b *= y[:2]; out = a * x
a = x * 1; b = a.t().diagonal(1); b += 1; a *= 2; out = b
a = x * 1; b = a[:, 1:].diagonal(); b.zero_(); out = a
a = x * 1; b = a.unfold(1, 2, 1); a *= y; out = b
a = x * 1; b = a.unfold(1, 1, 2); b *= 3; out = a
a = x * 1; b = a.diagonal(); c = b * b; a += 1; out = c
a = x * 1; b, c = a.tensor_split(2, 1); b *= 2; c += y[2]; out = a
a = x * 1; b = a.swapdims(0, 1).moveaxis(0, 1); b += y; out = a
b = x.diagonal(); b += 1; out = x
a = w.clone(); b = a.diagonal(); b += y[:2]; out = a

a = x * 1; a.unsqueeze_(0); out = a * y
a = x * 1; a.t_(); a += y.unsqueeze(1); out = a
a = (x * 1).unsqueeze(1); a.squeeze_(1); a *= 2; out = a
a = x * 1; b = a.transpose_(0, 1); b *= 2; out = a.sum(0)
a = x * 1; b = a[0]; b.unsqueeze_(1); b *= y.unsqueeze(1); out = a
x.t_(); out = x

k = tensor_int([1, 0, 1]); a = x * 1; a.index_add_(0, k, y.expand(3, 3)); out = a * a
k = tensor_int([1, 0]); a = x * 1; a.index_copy_(0, k, a * 2); out = a
k = tensor_int([1]); a = x * 1; a.index_fill_(0, k, y.sum()); out = a
k = tensor_int([[1, 1, 0]]); a = x * 1; a.scatter_(0, k, y.unsqueeze(0)); out = a * x
k = tensor_int([[1, 1, 0]]); a = x * 1; a.scatter_add_(0, k, y.unsqueeze(0)); out = a * x
k = tensor_int([[1, 1, 0]]); a = x * 1; a.scatter_(0, k, 2.5); out = a * x
k = tensor_int([[1, 1, 0]]); a = x * 1; a.scatter_reduce_(0, k, y.unsqueeze(0), 'amax'); out = a
k = tensor_int([1, 4]); a = x * 1; a.put_(k, y[:2]); out = a
k = tensor_int([1, 1]); a = x * 1; a.put_(k, y[:2], accumulate=True); out = a
k = tensor_int([1, 0]); a = x * 1; a.index_put_((k, k), y[:2], accumulate=True); out = a * a
a = x * 1; a.masked_scatter_(w > 0, x * 2); out = a
a = x * 1; b = a[0]; b.index_fill_(0, tensor_int([2]), 7); out = a
k = tensor_int([1, 0]); a = x * 1; b = a[k]; a.index_add_(0, k, x); out = b
x.scatter_(0, tensor_int([[0]]), 1.0); out = x
a = x * 1; a.tril_(); out = a * x
a = x * 1; a.triu_(1); out = a
a = x * 1; a.addmm_(x[:, :2], x * 2, beta=0.5); out = a
a = y * 1; a.addmv_(x.t(), y[:2]); out = a * a
""".strip().splitlines()
PROGRAMS = [p for p in PROGRAMS if p]


def arrays():
    rng = np.random.default_rng(3)
    return {"x": rng.uniform(0.2, 2, (2, 3)) * np.array([[1, -1, 1], [-1, 1, 1]]), "y": rng.uniform(0.3, 1.5, 3),
            "w": rng.uniform(-1, 1, (2, 3))}


def outcome(library, program, order):
    """The program's value and gradients, or the class of its error and where it came."""
    given = arrays()
    names = Names(library, {n: library.tensor(a, grad=n != "w") for n, a in given.items()})
    names["tensor_int"] = lambda values: library.tensor(np.array(values))
    x, y = names["x"], names["y"]
    try:
        exec(program, {}, names)
    except Exception as error:
        return "forward", type(error)
    out = names["out"]
    value = library.array(out).copy()
    if not out.requires_grad:
        return value, None
    try:
        found = library.grad([out], [x, y], cotangents(library, [out]), create_graph=order == 2)
        if order == 2:
            wanted = [(g, v) for g, v in zip(found, cotangents(library, [x, y], 1), strict=True)
                      if g is not None and g.requires_grad]
            found = library.grad([g for g, _ in wanted], [x, y], [v for _, v in wanted]) if wanted else (None, None)
    except Exception as error:
        return "backward", type(error)
    return value, [np.zeros(t.shape) if g is None else library.array(g) for t, g in zip((x, y), found, strict=True)]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.needs("torch")
def test_program_is_pytorchs(program, order):
    value, gradients = outcome(Ours(), program, order)
    expected_value, expected = outcome(Torch(), program, order)
    if isinstance(expected_value, str):
        assert isinstance(value, str) and (value, gradients) == (expected_value, expected)
        return
    assert not isinstance(value, str), f"{value}: {gradients}"
    check_equal(value, expected_value)
    assert (gradients is None) == (expected is None)
    for g, e in zip(gradients or [], expected or [], strict=True):
        check_equal(g, e, (1e-3, 1e-3) if "half" in program else (1e-9, 1e-9), "gradient")


@pytest.mark.slow("sim")
def test_programs_on_the_gpu(gpu):
    for program in PROGRAMS:
        value, gradients = outcome(Ours(gpu), program, 1)
        expected_value, expected = outcome(Ours(), program, 1)
        if isinstance(expected_value, str):
            assert (value, gradients) == (expected_value, expected), program
            continue
        check_equal(value, expected_value, what=program)
        for g, e in zip(gradients or [], expected or [], strict=True):
            check_equal(g, e, (1e-9, 1e-9), program)


# PyTorch raises here: its result overwrites a value that it has saved, or an operand that overlaps the target. We
# compute in-place results beside the target, so the gradients are right.
MORE_THAN_PYTORCH = {
    "a = x * 1; a.sigmoid_(); out = a.tanh_()": "out = x.sigmoid().tanh()",
    "a = x * 1; a.exp_(); a += 1; out = a": "out = x.exp() + 1",
    "a = x * 1; b = a[0]; a += b; out = b * a": "a = x + x[0]; out = a[0] * a",
    "a = x * 1; a[:, 1:] = a[:, :-1]; out = a": "out = where(w == w, x[:, [0, 0, 1]], x)",
}


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("program", MORE_THAN_PYTORCH)
def test_in_place_is_the_out_of_place_form(program, order):
    value, gradients = outcome(Ours(), program, order)
    expected_value, expected = outcome(Ours(), MORE_THAN_PYTORCH[program], order)
    check_equal(value, expected_value)
    for g, e in zip(gradients, expected, strict=True):
        check_equal(g, e, (1e-9, 1e-9), "gradient")
