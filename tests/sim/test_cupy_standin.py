"""The stand-in array module: NumPy's results, CuPy's strictness, and nothing that CuPy does not have."""

import copy
import inspect
import pickle
import re

import ml_dtypes
import numpy as np
import pytest

import gpunet.sim.cupy as xp
from gpunet.sim import memory

rng = np.random.default_rng(0)


@pytest.fixture
def a():
    return rng.standard_normal((4, 5)).astype(np.float32)


def same(device, host):
    assert type(device) is xp.ndarray and memory.is_device(device._host)
    assert device.dtype == np.asarray(host).dtype and device.shape == np.shape(host)
    np.testing.assert_allclose(device.get(), host, rtol=1e-6)


# ---- against CuPy itself ----------------------------------------------------------------------------------------
def public(thing):
    return [name for name in dir(thing) if not name.startswith("_")]


PAIRS = [("ndarray", "ndarray"), ("ufunc", "ufunc"), ("RawModule", "RawModule"), ("RawKernel", "RawKernel"),
         ("cuda.Device", "cuda.Device"), ("cuda.Stream", "cuda.Stream"), ("cuda.Event", "cuda.Event"),
         ("cuda.MemoryPool", "cuda.MemoryPool"), ("cuda.MemoryPointer", "cuda.MemoryPointer"),
         ("cuda.runtime", "cuda.runtime"), ("cuda.memory", "cuda.memory")]


def find(module, path):
    for name in path.split("."):
        module = getattr(module, name)
    return module


@pytest.fixture(scope="module")
def cupy():
    return pytest.importorskip("cupy")


def test_every_name_exists_in_cupy(cupy):
    assert set(xp.__all__) - set(dir(cupy)) == set()
    helpers = {"contextlib", "ctypes", "os", "time", "types", "np", "pointer_to", "CUDARuntimeError", "BaseMemory",
               "Any", "Callable", "ClassVar", "Iterator"}
    assert set(public(xp.cuda)) - helpers - set(dir(cupy.cuda)) == set()


@pytest.mark.parametrize("ours, theirs", PAIRS)
def test_every_attribute_exists_in_cupy(cupy, ours, theirs):
    instance_only = {"cuda.Stream": {"ptr"}, "RawModule": set()}
    assert set(public(find(xp, ours))) - set(dir(find(cupy, theirs))) - instance_only.get(ours, set()) == set()


def signature_of(function):
    """Names and kinds of parameters, from the signature or, for compiled functions, from the docstring."""
    try:
        parameters = inspect.signature(function).parameters.values()
        return [(p.name, p.kind.name, p.default is not p.empty) for p in parameters]
    except (TypeError, ValueError):
        pass
    first = (function.__doc__ or "").partition("\n")[0]
    found = re.match(r"[\w.]+\((.*)\)(?: -> .*)?$", first)
    if not found:
        return None
    result, kind = [], "POSITIONAL_OR_KEYWORD"
    for text in filter(None, found.group(1).split(", ")):
        if text.startswith("**"):
            result.append((text[2:], "VAR_KEYWORD", False))
        elif text.startswith("*"):
            kind = "KEYWORD_ONLY"
            result += [(text[1:], "VAR_POSITIONAL", False)] if text != "*" else []
        else:
            name, default = text.partition("=")[::2]
            result.append((name.split()[-1], kind, bool(default)))
    return result


def differences(ours, theirs):
    """Parameters of ours that theirs does not take in the same way."""
    mine, real = signature_of(ours), signature_of(theirs)
    if mine is None or real is None:
        return []
    positional = [name for name, kind, _ in mine if kind == "POSITIONAL_OR_KEYWORD"]
    allowed = [name for name, kind, _ in real if kind in ("POSITIONAL_OR_KEYWORD", "POSITIONAL_ONLY")]
    wrong = [name for name, other in zip(positional, allowed, strict=False) if name != other]
    wrong += positional[len(allowed):]
    names = {name for name, _, _ in real}
    wrong += [name for name, kind, _ in mine if name not in names]
    required = [name for name, kind, optional in real if not optional and not kind.startswith("VAR")]
    return wrong + [name for name in required if name not in {n for n, _, _ in mine}]


def test_every_function_has_cupys_signature(cupy):
    wrong = {}
    for name in xp.__all__:
        ours, theirs = getattr(xp, name), getattr(cupy, name)
        if inspect.isfunction(ours) and (found := differences(ours, theirs)):
            wrong[name] = found
    assert wrong == {}


@pytest.mark.parametrize("ours, theirs", PAIRS)
def test_every_method_has_cupys_signature(cupy, ours, theirs):
    wrong = {}
    mine, real = find(xp, ours), find(cupy, theirs)
    for name in public(mine):
        if inspect.isfunction(getattr(mine, name)) and hasattr(real, name):
            if found := differences(getattr(mine, name), getattr(real, name)):
                wrong[name] = found
    assert wrong == {}


def test_ufuncs_are_cupys(cupy):
    names = [name for name in xp.__all__ if isinstance(getattr(xp, name), xp.ufunc)]
    assert len(names) > 80
    for name in names:
        assert callable(getattr(cupy, name))
        if isinstance(getattr(cupy, name), cupy.ufunc):
            ours, theirs = getattr(xp, name), getattr(cupy, name)
            assert (ours.nin, ours.nout) == (theirs.nin, theirs.nout)


# ---- strictness -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("mix", [
    lambda d, h: d + h, lambda d, h: h + d, lambda d, h: xp.add(d, h), lambda d, h: np.add(h, d),
    lambda d, h: xp.add(d, d, out=h), lambda d, h: xp.concatenate([d, h]), lambda d, h: xp.where(d > 0, d, h),
    lambda d, h: d.__setitem__(slice(None), h), lambda d, h: d.__iadd__(h), lambda d, h: d[np.array([0, 1])],
    lambda d, h: xp.copyto(d, h), lambda d, h: d @ h.T, lambda d, h: d + [1.0] * 5,
], ids=range(13))
def test_host_arrays_do_not_mix(a, mix):
    with pytest.raises(TypeError, match="Unsupported type"):
        mix(xp.asarray(a), a.copy())


@pytest.mark.parametrize("convert", [np.asarray, np.array, lambda d: np.asarray(d, np.float64), lambda d: np.stack([d]),
                                     lambda d: np.zeros(20).__setitem__(slice(None), d)])
def test_no_silent_copy_to_the_host(a, convert):
    with pytest.raises(TypeError, match=r"Unsupported type|Use|\.get\(\)"):
        result = convert(xp.asarray(a))
        raise TypeError("Use") if type(result) is xp.ndarray else AssertionError(type(result))


def test_results_are_device_arrays_down_to_no_dimension(a):
    d = xp.asarray(a)
    same(d.sum(), a.sum())
    same(d[1, 2], a[1, 2])
    same(d.max(1), a.max(1))
    same(d.argmax(), a.argmax())
    same(xp.mean(d), a.mean())
    assert float(d[0, 0]) == a[0, 0] and d[0, 0].item() == a[0, 0] and bool((d == d).all())
    with pytest.raises(TypeError, match="only|convert"):
        float(d)
    assert not isinstance(d, np.ndarray)


def test_pickle_and_copies(a):
    d = xp.asarray(a)
    for other in (pickle.loads(pickle.dumps(d)), copy.copy(d), copy.deepcopy(d), d.copy()):
        same(other, a)
        other.fill(0)
    same(d, a)


# ---- NumPy's results --------------------------------------------------------------------------------------------
# Python expressions over m, the array module, x, an array, and o, an array to write to.
RESULTS = """
    x + 1 ; 2 - x ; x @ x.T ; -x ** 2 ; abs(x) // 0.3 ; x[1:, ::2] ; x[:, None, 2] ; x[x > 0] ; x[[2, 0]] ;
    x[m.asarray([1, 3]), m.asarray([0, 4])] ; x[..., m.asarray([True] * 4 + [False])] ; x.T.reshape(10, 2) ;
    x.reshape(-1) ; x.T.ravel() ; x.swapaxes(0, 1) ; m.concatenate([x, x], axis=1) ; m.stack((x, x), 2) ;
    m.where(x > 0, x, 0) ; m.take_along_axis(x, m.argsort(x, axis=1), 1) ; m.broadcast_to(x, (3, 4, 5)) ;
    m.clip(x, -0.5, 0.5) ; m.cumsum(x, axis=0) ; m.var(x, axis=1, ddof=1) ; m.tril(x) ; m.pad(x, 1) ;
    m.einsum("ij,kj->ik", x, x) ; m.flip(x, 0) ; m.repeat(x, 2, 0) ; m.expand_dims(x, 0) ; m.split(x, 2)[1] ;
    x.std() ; m.arange(3, 11, 2) ; m.eye(3) ; m.linspace(0, 1, 5) ; m.zeros_like(x) ; m.full((2, 3), 7) ;
    m.nonzero(x > 0)[1] ; m.logaddexp(x, 1) ; m.sort(x) ; m.multiply.reduce(x, axis=1) ; x.astype(np.int32) ;
    x.any(1) ; m.prod(x) ; x.squeeze() ; x.transpose(1, 0) ; m.moveaxis(x, 0, 1) ; x.diagonal() ;
    m.bincount(m.asarray([1, 1, 4])) ; m.tensordot(x, x, 2) ; m.outer(x[0], x[1]) ; m.frexp(x)[0] ; m.isfinite(x) ;
    m.power(abs(x), 0.5) ; x.mT
"""
WRITES = """
    m.multiply(x, 2, out=o) ; m.multiply(x, 2, o) ; m.maximum(x, 0, out=o) ; m.copyto(o, x) ;
    m.copyto(o, 5, where=x > 0) ; m.sum(x, axis=1, out=o[:, 0]) ; m.matmul(x, x.T, out=o[:, :4]) ;
    m.concatenate([x[:2], x[2:]], out=o) ; m.take(x, m.asarray([3, 2, 1, 0]), axis=0, out=o) ;
    m.clip(x, 0, 1, out=o) ; m.add.at(o, (m.asarray([0, 0]), m.asarray([1, 1])), 3) ;
    o.__setitem__((1, 2), x[0, 0]) ; o.__setitem__(m.asarray([0, 2]), x[1]) ; o.__iadd__(x) ; o.fill(3) ;
    m.argmax(x, axis=1, out=m.zeros(4, np.int64)) ; x.max(0, out=o[0]) ;
    m.put_along_axis(o, m.asarray([[1], [2], [0], [4]]), 9, 1) ; m.stack([x[0], x[1]], out=o[:2])
"""


def cases(text):
    return pytest.mark.parametrize("expression", [" ".join(part.split()) for part in text.split(" ;")])


@cases(RESULTS)
def test_against_numpy(a, expression):
    same(eval(expression, {"m": xp, "np": np, "x": xp.asarray(a)}), eval(expression, {"m": np, "np": np, "x": a}))


@cases(WRITES)
def test_results_into_given_arrays(a, expression):
    device, host = xp.zeros((4, 5), np.float32), np.zeros((4, 5), np.float32)
    eval(expression, {"m": xp, "np": np, "x": xp.asarray(a), "o": device})
    eval(expression, {"m": np, "np": np, "x": a, "o": host})
    same(device, host)


def test_numpys_functions_work_on_device_arrays(a):
    d = xp.asarray(a)
    same(np.exp(d), np.exp(a))
    same(np.add.reduce(d, axis=1), np.add.reduce(a, axis=1))
    same(np.concatenate([d, d]), np.concatenate([a, a]))
    same(np.sum(d, axis=0), np.sum(a, axis=0))


def test_bfloat16():
    x = xp.asarray([1.0, 2.0, 3.0]).astype(ml_dtypes.bfloat16)
    same(x * x + 1, np.array([2, 5, 10], ml_dtypes.bfloat16))


@pytest.mark.filterwarnings("error")
def test_infinities_are_silent_as_on_a_device():
    x = xp.zeros(3, np.float32)
    out = xp.empty(3, np.float32)
    xp.log(x, out=out)
    for result in (1 / x, xp.divide(1, x), xp.log(x), out, xp.exp(x + 1000), (x + 1e30).astype(np.float16)):
        assert np.isinf(result.get()).all()
    assert np.isnan(xp.mean(x / x).get())


def test_orders_follow_cupy(a):
    d = xp.asarray(a)
    assert (d.T + 1).flags.f_contiguous and xp.empty_like(d.T).flags.f_contiguous
    assert d.T.copy().flags.c_contiguous and xp.ascontiguousarray(d) is d
    assert xp.asfortranarray(d).strides == (4, 16) and d.astype(np.float64, order="F").flags.f_contiguous


# ---- memory -----------------------------------------------------------------------------------------------------
def test_views_share_memory_and_keep_it():
    before = memory.bytes_in_use()
    d = xp.zeros((10, 10))
    assert d._address % 256 == 0 and memory.bytes_in_use() == before + 800
    part = d[2:4].T.reshape(-1)[1:]  # the reshape of a transposed part copies
    view = d[3:5, 1:]
    assert view._address == d._address + 31 * 8 and view.data.ptr == view._address
    view[0, 0] = 7
    assert d[3, 1].item() == 7
    del d
    assert memory.bytes_in_use() == before + 800 + 160
    assert view[0, 0].item() == 7
    del part, view
    assert memory.bytes_in_use() == before


def test_memory_pointers():
    block = xp.cuda.alloc(1024)
    x = xp.ndarray((4, 8), np.float32, memptr=block + 128)
    x.fill(2)
    assert x.data.ptr == block.ptr + 128 and x.sum().item() == 64
    host = np.empty(32, np.float32)
    (block + 128).copy_to_host(host.ctypes.data, 128)
    assert (host == 2).all()
    del block
    assert x.sum().item() == 64


def test_a_full_device_says_so():
    with pytest.raises(xp.cuda.memory.OutOfMemoryError, match="no room for 8796093022208 bytes"):
        xp.empty(1 << 40)


def test_streams_and_events():
    start, end = xp.cuda.Event(), xp.cuda.Event()
    with xp.cuda.Stream(non_blocking=True) as stream:
        assert xp.cuda.get_current_stream() is stream
        start.record()
        end.record(stream)
        stream.synchronize()
    assert xp.cuda.get_current_stream() is xp.cuda.Stream.null
    assert xp.cuda.get_elapsed_time(start, end) >= 0
    with xp.cuda.Device(0) as device:
        assert device.attributes["MultiProcessorCount"] >= 1 and device.mem_info[1] > 0
    with pytest.raises(xp.cuda.runtime.CUDARuntimeError, match="number 0"):
        xp.cuda.Device(1)
