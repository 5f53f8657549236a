"""Mixed precision: which types results have, weights' casts, and GradScaler step by step with PyTorch."""

import sys
import threading

import numpy as np
import pytest

import gpunet
import gpunet.nn.functional as F
from gpunet import amp, nn
from gpunet.amp.autocasting import TABLE
from gpunet.dispatch import Op
from gpunet.engine.extensions import extensions
from tests.here import DEVICES

LOW = [gpunet.bfloat16, gpunet.float16]


def name(dtype):
    return str(dtype).rsplit(".", 1)[-1]


# What both libraries compute, with inputs of float32 (x [4, 4], positive), bfloat16 (h) and float64 (d).
CALLS = {
    "matmul": lambda lib, fn, x, h, d: x @ x, "mixed matmul": lambda lib, fn, x, h, d: x @ h,
    "double matmul": lambda lib, fn, x, h, d: d @ d, "mm": lambda lib, fn, x, h, d: lib.mm(x, h),
    "bmm": lambda lib, fn, x, h, d: lib.bmm(x[None], x[None]), "vector": lambda lib, fn, x, h, d: x @ x[0],
    "linear": lambda lib, fn, x, h, d: fn.linear(x, x, x[0]),
    "conv1d": lambda lib, fn, x, h, d: fn.conv1d(x[None], x[None]),
    "conv2d": lambda lib, fn, x, h, d: fn.conv2d(x[None, None], x[None, None]),
    "conv_transpose2d": lambda lib, fn, x, h, d: fn.conv_transpose2d(x[None, None], x[None, None]),
    "mixed conv2d": lambda lib, fn, x, h, d: fn.conv2d(h[None, None], x[None, None], x[0, :1]),
    "mixed conv_transpose2d": lambda lib, fn, x, h, d: fn.conv_transpose2d(h[None, None], x[None, None], x[0, :1]),
    "addmm": lambda lib, fn, x, h, d: lib.addmm(x, x, x), "mixed addmm": lambda lib, fn, x, h, d: lib.addmm(x, h, x),
    "baddbmm": lambda lib, fn, x, h, d: lib.baddbmm(x[None], h[None], x[None]),
    "attention": lambda lib, fn, x, h, d: fn.scaled_dot_product_attention(x[None], x[None], x[None]),
    "add": lambda lib, fn, x, h, d: x + h, "mul": lambda lib, fn, x, h, d: h * h,
    "relu": lambda lib, fn, x, h, d: h.relu(),
    "exp": lambda lib, fn, x, h, d: h.exp(), "sum": lambda lib, fn, x, h, d: h.sum(),
    "softmax": lambda lib, fn, x, h, d: h.softmax(-1), "log_softmax": lambda lib, fn, x, h, d: h.log_softmax(-1),
    "cat": lambda lib, fn, x, h, d: lib.cat([x, h]), "stack": lambda lib, fn, x, h, d: lib.stack([x, h]),
    "cross_entropy": lambda lib, fn, x, h, d: fn.cross_entropy(h, lib.tensor([0, 1, 2, 3])),
    "mse_loss": lambda lib, fn, x, h, d: fn.mse_loss(h, x), "prod": lambda lib, fn, x, h, d: h.prod(),
    "bce": lambda lib, fn, x, h, d: fn.binary_cross_entropy_with_logits(h, x),
    "in place": lambda lib, fn, x, h, d: h.clone().exp_(),
    "batch_norm": lambda lib, fn, x, h, d: fn.batch_norm(h, None, None, x[0], x[1], True),
    "batch_norm of float": lambda lib, fn, x, h, d: fn.batch_norm(x, None, None, x[0], None, True),
    "batch_norm without a weight": lambda lib, fn, x, h, d: fn.batch_norm(h[None], None, None, training=True),
    "batch_norm that moves": lambda lib, fn, x, h, d: fn.batch_norm(h, x[0].clone(), x[1].clone(), x[2], x[3], True),
    "batch_norm by running": lambda lib, fn, x, h, d: fn.batch_norm(h, x[0], x[1], x[2], x[3]),
    "instance_norm": lambda lib, fn, x, h, d: fn.instance_norm(h[None], weight=x[0], bias=x[1]),
    "instance_norm by running": lambda lib, fn, x, h, d: fn.instance_norm(h[None], x[0], x[1], x[2], x[3], False),
}
# Where PyTorch's list for the CPU has them and ours do not.
ON_GPU = {**CALLS,
          "layer_norm": lambda lib, fn, x, h, d: fn.layer_norm(h, (4,), x[0], x[1]),
          "layer_norm without a weight": lambda lib, fn, x, h, d: fn.layer_norm(h, (4,)),
          "group_norm": lambda lib, fn, x, h, d: fn.group_norm(h, 2, x[0], x[1])}


def inputs(library):
    x = library.tensor(np.random.default_rng(0).uniform(0.1, 1, (4, 4)).astype("float32"))
    return x, x.to(library.bfloat16), x.to(library.float64)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("low", LOW, ids=name)
@pytest.mark.needs("torch")
def test_types_are_pytorchs_on_the_cpu(call, low):
    import torch

    found = []
    for library, functional in ((gpunet, F), (torch, torch.nn.functional)):
        with library.autocast("cpu", dtype=getattr(library, name(low))):
            found.append(CALLS[call](library, functional, *inputs(library)))
    assert name(found[0].dtype) == name(found[1].dtype)
    np.testing.assert_allclose(found[0].double().numpy(), found[1].double().numpy(), rtol=0.03, atol=0.03)


@pytest.mark.parametrize("call, expected", [
    *[(call, "float16") for call in ("matmul", "mixed matmul", "mm", "bmm", "vector", "linear", "conv1d", "conv2d",
                                     "attention")],
    *[(call, "float32") for call in ("exp", "sum", "softmax", "log_softmax", "cross_entropy", "prod", "add", "cat",
                                     "layer_norm", "layer_norm without a weight", "group_norm", "batch_norm of float")],
    ("double matmul", "float64"), *[(call, "bfloat16") for call in CALLS if "_norm" in call and "float" not in call],
    ("mul", "bfloat16"), ("in place", "bfloat16"),
])
@pytest.mark.slow("sim")
def test_types_on_a_gpu(call, expected, gpu):
    """PyTorch's table for CUDA, by its documentation."""
    moved = [t.to(gpu) for t in inputs(gpunet)]

    class There:  # the library, whose tensors are made on the device
        def __getattr__(self, attribute):
            return getattr(gpunet, attribute)

        def tensor(self, values):
            return gpunet.tensor(values, device=gpu)

    with gpunet.autocast(gpu):
        assert name(ON_GPU[call](There(), F, *moved).dtype) == expected
    with gpunet.autocast("cpu"):
        assert name(CALLS["matmul"](There(), F, *moved).dtype) == "float32"


def test_every_name_in_the_table_is_an_op():
    modules = [module for path, module in sys.modules.items() if path.startswith("gpunet.ops.")]
    names = {getattr(f, "op", f).name for module in modules for f in vars(module).values()
             if isinstance(getattr(f, "op", None), Op) or hasattr(f, "__wrapped__") and hasattr(f, "name")}
    assert {op for table in TABLE.values() for op in table} <= names


@pytest.mark.parametrize("low", LOW, ids=name)
@pytest.mark.needs("torch")
def test_a_network_learns_as_in_pytorch(low):
    """Losses over 20 steps from the same weights, and the weights stay float32."""
    import torch

    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(32, 6)).astype("float32"), rng.integers(0, 3, 32)
    gpunet.manual_seed(0)
    net = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 3))
    weights = {k: v.numpy().copy() for k, v in net.state_dict().items()}
    losses = []
    for library, model in ((gpunet, net), (torch, None)):
        if model is None:
            model = torch.nn.Sequential(torch.nn.Linear(6, 16), torch.nn.Tanh(), torch.nn.Linear(16, 3))
            model.load_state_dict({k: torch.tensor(v) for k, v in weights.items()})
        optimizer = library.optim.SGD(model.parameters(), lr=0.5, momentum=0.9)
        a, b, seen = library.tensor(x), library.tensor(y), []
        for _ in range(20):
            optimizer.zero_grad()
            with library.autocast("cpu", dtype=getattr(library, name(low))):
                loss = library.nn.functional.cross_entropy(model(a), b)
            loss.backward()
            optimizer.step()
            seen.append(loss.item())
        assert all(name(p.dtype) == name(p.grad.dtype) == "float32" for p in model.parameters())
        losses.append(seen)
    np.testing.assert_allclose(*losses, rtol=0.03, atol=0.01)
    assert losses[0][-1] < losses[0][0] / 2


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("low", LOW, ids=name)
@pytest.mark.needs("torch")
def test_a_batch_norm_trains_as_in_pytorch(low, device):
    """The norm of half images has float32 parameters and running statistics, gives half images, and so do gradients."""
    import torch

    rng = np.random.default_rng(0)
    x, weights = rng.normal(1, 2, (8, 3, 5, 4)).astype("float32"), rng.normal(size=(8, 6, 3, 2)).astype("float32")
    net = nn.Sequential(nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.InstanceNorm2d(6, affine=True))
    other = torch.nn.Sequential(torch.nn.Conv2d(3, 6, 3), torch.nn.BatchNorm2d(6), torch.nn.ReLU(),
                                torch.nn.InstanceNorm2d(6, affine=True))
    other.load_state_dict({k: torch.tensor(v.numpy()) for k, v in net.state_dict().items()})
    net.to(device)
    seen = []
    for library, model, place in ((gpunet, net, device), (torch, other, "cpu")):
        optimizer = library.optim.SGD(model.parameters(), lr=0.1)
        images, factors = (library.tensor(each).to(place) for each in (x, weights))
        for _ in range(3):
            optimizer.zero_grad()
            with library.autocast(place, dtype=getattr(library, name(low))):
                y = model(images)
            (y.float() * factors).mean().backward()
            optimizer.step()
        model.eval()
        with library.autocast(place, dtype=getattr(library, name(low))), library.no_grad():
            z = model(images)
        assert name(y.dtype) == name(z.dtype) == name(low)
        seen.append([t.detach().cpu().double().numpy() for t in (y, z, *model.state_dict().values())])
        assert all(name(p.grad.dtype) == "float32" for p in model.parameters())
    for ours, theirs in zip(*seen, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0.03, atol=0.03)


def test_gradients_pass_the_casts():
    """Near those of float32, also within the context, where a backward pass does not cast."""
    w = gpunet.randn(4, 4).requires_grad_()
    x = gpunet.randn(3, 4)
    plain = gpunet.autograd.grad((x @ w).exp().sum(), w)[0]
    with gpunet.autocast("cpu"):
        mixed = gpunet.autograd.grad((x @ w).exp().sum(), w)[0]
    assert mixed.dtype is gpunet.float32
    np.testing.assert_allclose(mixed.numpy(), plain.numpy(), rtol=0.1, atol=0.1)


def test_weights_are_cast_once(monkeypatch):
    casts = []
    plain = amp.autocasting.cast
    monkeypatch.setattr(amp.autocasting, "cast", lambda x, dtype: casts.append(x) or plain(x, dtype=dtype))
    w, x = gpunet.randn(4, 4).requires_grad_(), gpunet.randn(4, 4)
    with gpunet.autocast("cpu"):
        with gpunet.autocast("cpu"):
            x @ w
        (x @ w).sum().backward()
        assert sum(t is w for t in casts) == 1
        with gpunet.no_grad():
            w.mul_(2)
        doubled = x @ w  # the weight has changed
        assert sum(t is w for t in casts) == 2
    with gpunet.autocast("cpu", cache_enabled=False):
        assert (x @ w).tolist() == doubled.tolist()
        x @ w
    assert sum(t is w for t in casts) == 4


def test_contexts():
    assert not amp.is_autocast_enabled("cpu") and amp.get_autocast_dtype("cpu") is gpunet.bfloat16
    with gpunet.autocast("cpu", dtype=gpunet.float16):
        assert amp.is_autocast_enabled("cpu") and not amp.is_autocast_enabled("cuda")
        assert amp.get_autocast_dtype("cpu") is gpunet.float16
        with gpunet.autocast("cpu", enabled=False):
            assert not amp.is_autocast_enabled("cpu")
            assert (gpunet.ones(2, 2) @ gpunet.ones(2, 2)).dtype is gpunet.float32
        with gpunet.autocast("sim"):
            assert amp.is_autocast_enabled("cpu") and amp.is_autocast_enabled("sim")
        elsewhere = []
        thread = threading.Thread(target=lambda: elsewhere.append((gpunet.ones(2, 2) @ gpunet.ones(2, 2)).dtype))
        thread.start()
        thread.join()
        assert elsewhere == [gpunet.float32]
    assert extensions.autocast is None

    @gpunet.autocast("cpu")
    def product(x):
        return x @ x

    assert product(gpunet.ones(2, 2)).dtype is gpunet.bfloat16


def test_recorded_step():
    """A recording belongs to the autocast state in which it was made, and sees the weights change."""
    w = nn.Parameter(gpunet.ones(2, 2))
    step = gpunet.compile(lambda x: x @ w)
    x = gpunet.ones(2, 2)
    for value in (1.0, 2.0, 3.0, 4.0):
        with gpunet.no_grad():
            w.fill_(value)
        with gpunet.autocast("cpu"):
            mixed = step(x)
        plain = step(x)
        assert mixed.dtype is gpunet.bfloat16 and plain.dtype is gpunet.float32
        assert mixed.float().tolist() == plain.tolist() == [[2 * value] * 2] * 2


def test_checkpoint_runs_again_in_the_same_types():
    w = gpunet.randn(4, 4).requires_grad_()
    with gpunet.autocast("cpu"):
        loss = gpunet.utils.checkpoint.checkpoint(lambda w: (w @ w).tanh(), w).float().sum()
        with gpunet.autocast("cpu", cache_enabled=False):
            other = (w @ w).tanh().float().sum()
    assert gpunet.autograd.grad(loss, w)[0].tolist() == gpunet.autograd.grad(other, w)[0].tolist()


def test_custom_functions():
    seen = []

    class Product(gpunet.autograd.Function):
        @staticmethod
        @amp.custom_fwd(device_type="cpu", cast_inputs=gpunet.float32)
        def forward(ctx, x):
            seen.append((x.dtype, amp.is_autocast_enabled("cpu")))
            ctx.save_for_backward(x)
            return x @ x

        @staticmethod
        @amp.custom_bwd(device_type="cpu")
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            seen.append((g.dtype, amp.is_autocast_enabled("cpu")))
            return g @ x.t() + x.t() @ g

    x = gpunet.ones(2, 2).requires_grad_()
    with gpunet.autocast("cpu"):
        Product.apply(x).sum().backward()
    assert seen == [(gpunet.float32, False)] * 2 and x.grad.tolist() == [[4, 4], [4, 4]]


@pytest.mark.filterwarnings("ignore:In CPU autocast")
def test_errors():
    with pytest.raises(RuntimeError, match="unsupported autocast device_type 'tpu'"):
        gpunet.autocast("tpu")
    with pytest.raises(ValueError, match="`device_type` of type `str`"):
        gpunet.autocast(gpunet.float16)
    with pytest.raises(TypeError, match="requires a callable, but got Tensor"):
        gpunet.autocast("cpu")(gpunet.ones(1))
    with gpunet.autocast("cpu", dtype=gpunet.float32):
        assert not amp.is_autocast_enabled("cpu")


# ---- GradScaler ----------------------------------------------------------------------------------------------------


def run(library, library_nn, unscale, **options):
    """Scale, count and weights over a run in which some gradients overflow, and the scaler."""
    p, q = (library_nn.Parameter(library.tensor(v)) for v in ([1.0, 2.0], [0.5]))
    optimizers = [library.optim.SGD([p], lr=0.1, momentum=0.9), library.optim.SGD([q], lr=0.1)]
    scaler = library.amp.GradScaler("cpu", init_scale=4.0, growth_interval=3, **options)
    rows = []
    for step in range(20):
        for optimizer in optimizers:
            optimizer.zero_grad()
        factor = {4: float("inf"), 5: float("nan"), 13: float("inf")}.get(step, 1.0)
        losses = [(p * p).sum() * factor, (q * 2).sum()]
        for loss in scaler.scale(losses):
            loss.backward()
        if unscale:
            scaler.unscale_(optimizers[0])
            library_nn.utils.clip_grad_norm_([p], 1.0)
        for optimizer in optimizers:
            scaler.step(optimizer)
        scaler.update()
        rows.append((scaler.get_scale(), scaler._get_growth_tracker(), *p.tolist(), *q.tolist()))
    return rows, scaler


@pytest.mark.parametrize("options", [{}, {"growth_factor": 1.5, "backoff_factor": 0.25}, {"enabled": False}])
@pytest.mark.parametrize("unscale", [False, True])
@pytest.mark.needs("torch")
def test_scaler_is_pytorchs(options, unscale):
    import torch

    if not options.get("enabled", True):
        unscale = False
    ours, scaler = run(gpunet, nn, unscale, **options)
    theirs, other = run(torch, torch.nn, unscale, **options)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)
    assert scaler.state_dict() == other.state_dict()
    if scaler.is_enabled():
        again = amp.GradScaler("cpu")
        again.load_state_dict(other.state_dict())
        assert again.state_dict() == scaler.state_dict() and again.get_scale() == scaler.get_scale()


def test_scaler_on_a_device(gpu):
    p = nn.Parameter(gpunet.ones(2, device=gpu))
    optimizer, scaler = gpunet.optim.SGD([p], lr=0.5), amp.GradScaler(gpu, init_scale=8.0)
    for factor, expected in ((1.0, 0.5), (float("inf"), 0.5), (1.0, 0.0)):
        optimizer.zero_grad()
        scaler.scale((p * factor).sum()).backward()
        scaler.step(optimizer)
        scaler.update()
        assert p.tolist() == [expected] * 2
    assert scaler.get_scale() == 4.0


def test_scaler_sets_its_scale():
    scaler = amp.GradScaler("cpu")
    scaler.scale(gpunet.ones(1))
    scaler.update(3.0)
    assert scaler.get_scale() == 3.0
    scaler.update(gpunet.tensor(5.0))
    assert scaler.get_scale() == 5.0
    scaler.set_growth_factor(4.0)
    scaler.set_backoff_factor(0.1)
    scaler.set_growth_interval(7)
    assert (scaler.get_growth_factor(), scaler.get_backoff_factor(), scaler.get_growth_interval()) == (4.0, 0.1, 7)


@pytest.mark.parametrize("error, text, use", [
    (AssertionError, "growth factor must be > 1", lambda s, o: amp.GradScaler("cpu", growth_factor=1.0)),
    (AssertionError, "backoff factor must be < 1", lambda s, o: amp.GradScaler("cpu", backoff_factor=1.0)),
    (AssertionError, "Attempted step but _scale is None", lambda s, o: s.step(o)),
    (AssertionError, "No inf checks were recorded prior", lambda s, o: (s.scale(gpunet.ones(1)), s.update())),
    (AssertionError, "No inf checks were recorded for", lambda s, o: (s.scale(gpunet.ones(1)), s.step(o))),
    (RuntimeError, "already been called on this optimizer", lambda s, o: (_back(s, o), s.unscale_(o), s.unscale_(o))),
    (RuntimeError, "is being called after step", lambda s, o: (_back(s, o), s.step(o), s.unscale_(o))),
    (RuntimeError, "already been called since the last", lambda s, o: (_back(s, o), s.step(o), s.step(o))),
    (RuntimeError, "Closure use is not currently", lambda s, o: (_back(s, o), s.step(o, closure=int))),
    (RuntimeError, "source state dict is empty", lambda s, o: s.load_state_dict({})),
    (ValueError, "must be a Tensor or an iterable", lambda s, o: s.scale(3)),
    (ValueError, "unscale FP16 gradients", lambda s, o: (_back(s, o, gpunet.float16), s.step(o))),
])
def test_scaler_errors(error, text, use):
    p = nn.Parameter(gpunet.ones(2))
    with pytest.raises(error, match=text):
        use(amp.GradScaler("cpu"), gpunet.optim.SGD([p], lr=0.1))


def _back(scaler, optimizer, dtype=None):
    p = optimizer.param_groups[0]["params"][0]
    if dtype:
        p.data = p.data.to(dtype)
    scaler.scale(p.sum()).backward()


def test_scaler_without_a_gpu():
    if "cuda" in DEVICES:
        pytest.skip("there is a GPU")
    with pytest.warns(UserWarning, match="CUDA is not available"):
        assert not amp.GradScaler().is_enabled()


@pytest.mark.parametrize("device", ["cpu", "sim"])
def test_in_place_operations_have_the_gradients_of_the_others(device):
    def gradients(in_place):
        gpunet.manual_seed(0)
        layer, norm, x = nn.Linear(6, 6).to(device), nn.LayerNorm(6).to(device), gpunet.randn(5, 6, device=device)
        with gpunet.autocast(device, dtype=gpunet.bfloat16):
            y, z = layer(x), norm(x)
            y = y.relu_() if in_place else y.relu()
            z = z.add_(z.detach()).exp_() if in_place else (z + z.detach()).exp()
            (y.float() * z).sum().backward()
        return [p.grad.cpu().float().tolist() for p in (*layer.parameters(), *norm.parameters())]

    assert gradients(True) == gradients(False)
