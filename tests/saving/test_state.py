"""gpunet's own files: what is saved comes back, as it was, and is refused where it cannot."""

import argparse
import collections
import dataclasses
import enum
import io
import json
import math
import pathlib
import tracemalloc
from collections import Counter, OrderedDict

import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy

import gpunet
from gpunet import files, nn, optim
from gpunet.serialization import safetensors_file
from gpunet.serialization.state import STATE
from tests.mutate import mutations, safetensors_fault, safetensors_header
from tests.test_serialization import TYPES, one_sentence


def saved(state, **options) -> io.BytesIO:
    file = io.BytesIO()
    gpunet.save(state, file, **options)
    file.seek(0)
    return file


def again(state, **options):
    return gpunet.load(saved(state), **options)


def same(a, b) -> bool:
    """Whether two states have the same types, values and layouts."""
    if type(a) is not type(b):
        return False
    if isinstance(a, gpunet.Tensor):
        bytes_of = [np.ascontiguousarray(t.detach().cpu().numpy()).tobytes() for t in (a, b)]
        about = [(t.dtype, t.shape, t.device, t.requires_grad) for t in (a, b)]
        return about[0] == about[1] and bytes_of[0] == bytes_of[1]
    if isinstance(a, np.ndarray | np.generic):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, dict):
        return [*map(repr, a)] == [*map(repr, b)] and all(map(same, a.values(), b.values()))
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b or a != a and b != b


_t = gpunet.arange(12).reshape(3, 4).float()

VALUES = {
    "numbers": [0, -1, 2**63 - 1, -(2**63), 2**63, -(2**200), 0.1, -0.0, 5e-324, 1e308, math.inf, -math.inf, math.nan],
    "bool and None": [True, False, None],
    "complex": [1 + 2j, complex(math.nan, -math.inf)],
    "texts": ["", "a.b", "Ünicode \U0001f600", "\ud800", "a\nb\0c", "__metadata__"],
    "bytes": [b"", b"\0\xff", bytearray(b"xy"), bytearray()],
    "containers": [(), [], {}, set(), frozenset(), (1, (2, [3, {4: (5,)}])), {1, "a", (2, None)}, frozenset({1.5})],
    "keys": {1: "int", "1": "str", None: 0, (1, ("a",)): 1, 2.5: 2, b"x": 3, gpunet.float32: 4, True + 1: 5},
    "dictionaries": [OrderedDict(b=1, a=[2]), Counter("aab")],
    "gpunet's": [gpunet.bfloat16, gpunet.bool, gpunet.device("cpu"), gpunet.device("cuda", 3), _t.shape, gpunet.Size()],
    "tensors": [_t, gpunet.tensor(3.5), gpunet.zeros(3, 0, 2), gpunet.ones(2).requires_grad_()],
    "parameters": [nn.Parameter(gpunet.ones(2)), nn.Parameter(gpunet.ones(2), False), nn.Buffer(gpunet.ones(1))],
    "arrays": [np.arange(6.0).reshape(2, 3).T, np.array(["ab", "c"]), np.array([b"x"]), np.ones((2, 0), np.complex64),
               np.arange(3, dtype=">i4"), np.array(3, np.uint8), np.array([True]), np.ones(2, ml_dtypes.bfloat16)],
    "array numbers": [np.float32(0.1), np.int64(-3), np.bool_(True), np.complex128(1j), np.str_("x"), np.float16(2)],
    "many of a kind": [each for n in range(50) for each in (gpunet.Size([n, n + 1]), {n}, Counter([n]), bytearray([n]),
                                                            (n, n), bytes([n, n]), OrderedDict({n: n}))],
    "one value": 3,
    "one tensor": _t,
}


@pytest.mark.parametrize("what", VALUES)
def test_values_come_back(what):
    assert same(again(VALUES[what]), VALUES[what])
    assert saved(VALUES[what]).getvalue() == saved(VALUES[what]).getvalue()


@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_types_and_devices(dtype, device):
    t = gpunet.tensor([[0, 1, 2], [3, 0, 5]], dtype=dtype).to(device)
    loaded = again({"t": t, "row": t[1], "columns": t.t()})
    assert same(loaded["t"], t) and same(loaded["row"], t[1]) and loaded["columns"].stride() == (1, 3)
    assert loaded["t"].data_ptr() == loaded["columns"].data_ptr() == loaded["row"].data_ptr() - 3 * dtype.itemsize
    loaded["t"].fill_(1)
    assert loaded["row"].tolist() == loaded["columns"][:, 1].tolist() == [1, 1, 1]
    assert again([t], map_location="cpu")[0].device.type == "cpu"
    assert same(again(loaded), loaded)  # also views that were read


def test_views_share_memory_and_nothing_else_is_written():
    x = gpunet.arange(1000).float().reshape(10, 100)
    state = {"first": x[0], "part": x[0, 10:20], "every third": x[0, ::3], "square": x[0].view(20, 5).t(), "r": x[5]}
    file = saved(state)
    assert len(file.getvalue()) < 4000  # two rows of ten, and the header
    loaded = gpunet.load(file)
    assert all(same(loaded[name], each) and loaded[name].stride() == each.stride() for name, each in state.items())
    loaded["first"].fill_(7)
    assert {*loaded["part"].tolist(), *loaded["every third"].tolist(), *loaded["square"].flatten().tolist()} == {7}
    assert loaded["r"].tolist() == x[5].tolist()


def test_layouts():
    x = gpunet.arange(24).float().reshape(2, 3, 4)
    for view, stride in ((x.permute(2, 0, 1), (1, 12, 4)), (gpunet.ones(1).expand(5, 2), (0, 0)),
                         (x[:, ::2, 1::2], (4, 2, 1)), (x[1, :, 1], (1,))):  # gaps are left out
        loaded = again(view)
        assert same(loaded, view) and loaded.stride() == stride
    unaligned = gpunet.from_numpy(np.zeros(25, np.uint8)[1:].view(np.float64))
    assert again([unaligned, unaligned[1:]])[1].tolist() == [0, 0]


def test_memory_of_two_types():
    x = gpunet.arange(4).float()
    loaded = again({"bits": x.view(gpunet.int32)[1:], "x": x, "half": x.view(gpunet.int16)[3:7]})
    loaded["x"].fill_(1)
    assert loaded["bits"].tolist() == [0x3F800000] * 3 and loaded["half"].tolist() == [0x3F80, 0, 0x3F80, 0]


def test_one_object_stays_one():
    x, inner = gpunet.ones(2), [1]
    loaded = again({"a": x, "b": x, "c": x.detach(), "l": inner, "m": (inner, inner)})
    assert loaded["a"] is loaded["b"] and loaded["c"] is not loaded["a"]
    assert loaded["l"] is loaded["m"][0] is loaded["m"][1]
    for _ in range(60):  # 2^60 leaves, if each were written
        inner = [inner, inner]
    assert again(inner)[0] is not None


def test_a_whole_training_state():
    gpunet.manual_seed(0)

    def fresh():
        model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 4, bias=False))
        model.append(nn.Linear(4, 4, bias=False))
        model[3].weight = model[2].weight  # tied
        optimizer = optim.AdamW([{"params": model[:2].parameters()}, {"params": [model[2].weight], "lr": 0.5}], lr=0.1)
        scheduler = optim.lr_scheduler.OneCycleLR(optimizer, 0.3, total_steps=9)
        return model, optimizer, scheduler, gpunet.amp.GradScaler("cpu")

    def step(model, optimizer, scheduler, scaler, x):
        optimizer.zero_grad()
        scaler.scale(model(x).square().mean()).backward()
        scaler.step(optimizer)
        scaler.update()
        scheduler.step()

    parts = fresh()
    x = gpunet.randn(5, 3)
    step(*parts, x)
    names = ("model", "optimizer", "scheduler", "scaler")
    state = {name: part.state_dict() for name, part in zip(names, parts, strict=True)}
    file = saved({**state, "epoch": 1, "rng": gpunet.get_rng_state(), "best": math.inf})
    others = fresh()
    for name, part in zip(names, others, strict=True):
        part.load_state_dict(gpunet.load(saved({**state, "epoch": 1}))[name])
    for _ in range(2):
        step(*parts, x), step(*others, x)
    assert [p.tolist() for p in parts[0].parameters()] == [p.tolist() for p in others[0].parameters()]
    assert others[0][3].weight is others[0][2].weight and gpunet.load(file)["best"] == math.inf


def test_load_state_dict_of_what_was_loaded():
    model = nn.Linear(2, 1)
    state = again({**model.state_dict(), "extra": gpunet.ones(1)})
    other = nn.Linear(2, 1)
    assert other.load_state_dict(state, strict=False).unexpected_keys == ["extra"]
    assert same(other.weight, model.weight)
    assert nn.Linear(2, 1).load_state_dict(again({"bias": model.bias}), strict=False).missing_keys == ["weight"]
    loaded = again(model.state_dict())
    other.load_state_dict(loaded, assign=True)
    assert other.weight.data_ptr() == loaded["weight"].data_ptr() and other.weight.requires_grad
    with pytest.raises(RuntimeError, match="Unexpected key"):
        other.load_state_dict(state)


# ---- the file

def test_other_programs_read_the_tensors(tmp_path):
    model = nn.Linear(3, 2)
    gpunet.save({"model": model.state_dict(), "epoch": 3}, tmp_path / "f")
    read = safetensors.numpy.load_file(tmp_path / "f")
    assert read.keys() == {"model.weight", "model.bias"}
    np.testing.assert_array_equal(read["model.weight"], model.weight.detach().numpy())
    assert gpunet.load_file(tmp_path / "f")["model.bias"].tolist() == model.bias.tolist()


def test_safetensors_files_are_states_too(tmp_path):
    gpunet.save_file({"a": _t, "b": gpunet.tensor([True])}, tmp_path / "f")
    assert same(gpunet.load(tmp_path / "f"), {"a": _t, "b": gpunet.tensor([True])})


def test_file_objects(tmp_path):
    file = io.BytesIO()
    for number in range(3):
        gpunet.save({"n": number, "t": gpunet.ones(number)}, file)
    file.seek(0)
    assert [gpunet.load(file)["n"] for _ in range(3)] == [0, 1, 2]
    with open(tmp_path / "f", "wb") as opened:
        gpunet.save([_t], opened)
    with open(tmp_path / "f", "rb") as opened:
        assert same(gpunet.load(opened), [_t]) and not opened.closed

    class Pipe:
        read = io.BytesIO(saved([_t]).getvalue()).read

    assert same(gpunet.load(Pipe()), [_t])


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    gpunet.save(1, tmp_path / "f")
    monkeypatch.setattr(files.os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "disk full")))
    with pytest.raises(OSError, match="disk full"):
        gpunet.save(2, tmp_path / "f")
    assert gpunet.load(tmp_path / "f") == 1 and [p.name for p in tmp_path.iterdir()] == ["f"]
    monkeypatch.undo()
    with pytest.raises(TypeError):
        gpunet.save(object(), tmp_path / "f")
    assert gpunet.load(tmp_path / "f") == 1


def test_mapped_files(tmp_path):
    x = gpunet.arange(100_000).float()
    for options in ({}, {"format": "torch"}):
        gpunet.save({"x": x, "part": x[5:], "small": gpunet.ones(3, dtype=gpunet.bfloat16)}, tmp_path / "f", **options)
        content = (tmp_path / "f").read_bytes()
        loaded = gpunet.load(tmp_path / "f", mmap=True)
        base = loaded["x"]._array
        while base.base is not None and not isinstance(base, np.memmap):
            base = base.base
        assert isinstance(base, np.memmap) and loaded["x"].tolist() == x.tolist()
        loaded["x"].fill_(1)
        assert loaded["part"][0] == 1 and (tmp_path / "f").read_bytes() == content
        (tmp_path / "f").unlink()
        assert loaded["small"].tolist() == [1, 1, 1]
    with pytest.raises(ValueError, match="mmap=True needs the path of a file"):
        gpunet.load(saved(1), mmap=True)


@pytest.mark.parametrize("format", ["gpunet", "torch"])
def test_nothing_is_copied_on_the_way(format, tmp_path):
    x = gpunet.ones(1_000_000)
    tracemalloc.start()
    try:
        gpunet.save({"x": x, "t": x.reshape(1000, 1000).t()}, tmp_path / "f", format=format)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
        loaded = gpunet.load(tmp_path / "f")
        assert tracemalloc.get_traced_memory()[1] < x.nbytes + 2_000_000
    finally:
        tracemalloc.stop()
    assert loaded["t"][3, 5] == 1


@pytest.mark.parametrize("mapped", [
    "sim", gpunet.device("sim"), {"cpu": "sim"}, {"cpu": gpunet.device("sim")}, lambda storage, _: storage.to("sim"),
])
@pytest.mark.parametrize("format", ["gpunet", "torch"])
def test_map_location(mapped, format):
    loaded = gpunet.load(saved({"t": _t, "row": _t[1]}, format=format), mapped)
    assert loaded["t"].device.type == "sim" and loaded["t"].cpu().tolist() == _t.tolist()
    loaded["t"].fill_(2)
    assert loaded["row"].tolist() == [2, 2, 2, 2]


def test_map_location_elsewhere():
    stays = [None, "cpu", {}, {"cuda:0": "cpu"}, lambda storage, location: storage, lambda *_: None]
    assert all(same(gpunet.load(saved([_t]), each), [_t]) for each in stays)
    seen = []
    gpunet.load(saved([_t, _t[1]]), lambda storage, location: seen.append((storage.nbytes, location)))
    assert seen == [(48, "cpu")]
    with pytest.raises(TypeError, match="map_location.* must return the storage"):
        gpunet.load(saved([_t]), lambda storage, _: "cpu")
    with pytest.raises(KeyError, match="cpu"):
        gpunet.load(saved([_t]), lambda storage, location: {}[location])
    with pytest.raises(TypeError, match="map_location must be a device"):
        gpunet.load(saved([_t]), 1.5)
    with pytest.raises(RuntimeError, match="no device type 'mps'"):
        gpunet.load(saved([_t]), "mps")
    with pytest.raises(RuntimeError, match="of the device 'tpu', which is unavailable here; pass map_location='cpu'"):
        gpunet.load(saved([_t]), {"cpu": "tpu"})


# ---- what cannot be saved

class Colour(enum.Enum):
    RED = 1


class Number(enum.IntEnum):
    ONE = 1


@dataclasses.dataclass
class Settings:
    lr: float = 0.1


class Special(gpunet.Tensor):
    pass


Point = collections.namedtuple("Point", "x y")
_circle = [1]
_circle.append({"again": _circle})


@pytest.mark.parametrize("state, says", [
    ({"net": [nn.Linear(2, 1)]}, r"of type Linear at \['net'\]\[0\] cannot be saved; save its state_dict\(\) instead"),
    (optim.SGD([_t.clone()]), r"an object of type SGD cannot be saved; save its state_dict\(\) instead"),
    ([lambda x: x], r"type function at \[0\] cannot be saved; it is code"),
    ({"kind": nn.Linear}, "the class Linear at .* cannot be saved; it is code"),
    ([Point(1, 2)], r"type Point .*; save value._asdict\(\) or tuple\(value\) instead"),
    ([collections.defaultdict(list)], r"type defaultdict .*; save dict\(value\) instead"),
    ([Colour.RED], "type Colour .*; save its .value instead"),
    ([Number.ONE], "type Number .*; save its .value instead"),
    ([pathlib.PurePosixPath("a")], r"; save str\(value\) instead"),
    ([Settings()], r"; save dataclasses.asdict\(value\) instead"),
    ([argparse.Namespace(a=1)], r"type Namespace .*; there are tensors.* for instance vars\(value\)"),
    ([np.array([object()])], "a NumPy value of type object"),
    ([np.array(["2020"], "M8[D]")], "a NumPy value of type datetime64"),
    ([np.zeros(1, [("a", "f4")])], "a NumPy value of type"),
    ([np.longdouble(1)], "a NumPy value of type float128"),
    ([nn.LazyLinear(2).weight], "type UninitializedParameter .*; its size is not known yet: call the model on an"),
    ([Special(1)], r"type Special .*; save a plain tensor with its values: value.detach\(\).clone\(\)"),
    ({_t: 1}, "a tensor is a key of a dictionary"),
    ({(1, _t): 1}, "a tensor is a key of a dictionary"),
    (_circle, r"the list at \[1\]\['again'\] contains itself|the list contains itself"),
])
def test_what_cannot_be_saved(state, says):
    for format in ("gpunet", "torch"):
        with pytest.raises((TypeError, ValueError), match=f"^save: .*{says}") as error:
            saved(state, format=format)
        assert one_sentence(error.value)


def test_errors_of_save(tmp_path):
    nested: list = []
    for _ in range(100_000):
        nested = [nested]
    with pytest.raises(ValueError, match="save: the state is nested too deeply"):
        saved(nested)
    while nested:  # Python frees them one by one
        nested = nested.pop()
    with pytest.raises(ValueError, match="save: format must be 'gpunet' or 'torch', got 'zip'"):
        saved(1, format="zip")
    with pytest.raises(TypeError, match="save: expected a path or a file open for binary writing, got int"):
        gpunet.save(1, 2)
    step = gpunet.compile(lambda x: gpunet.save([x], tmp_path / "f"))
    step(_t)
    with pytest.raises(RuntimeError, match=r"save\(\): values cannot be read on the host inside a recorded function"):
        step(_t)


# ---- damaged and forged files

def test_mutated_files_load_unchanged_or_are_refused():
    state = {"w": gpunet.arange(20).float().reshape(4, 5), "row": None, "n": [1, 2.5, "text", b"bytes"], 3: {"a": True}}
    state["row"] = state["w"][1]
    content = saved(state).getvalue()
    for mutated in mutations([content], 1500, 2, safetensors_header(content), (1,), safetensors_fault):
        try:
            loaded = gpunet.load(io.BytesIO(mutated))
        except ValueError as error:
            assert one_sentence(error)
            continue
        assert same(loaded, state)


def forged(change, arrays=None):
    """A file with a sound checksum, that says what it should not."""
    arrays = arrays or {"a": np.arange(4, dtype=np.float32), "u": np.zeros(8, np.uint8)}
    text = {"version": 1, "state": ["at", 0], "objects": [["tensor", "a", {}, False]], "devices": {}}
    change(text)
    return io.BytesIO(b"".join(map(bytes, safetensors_file.parts_of(arrays, {STATE: json.dumps(text)}))))


def objects(*given):
    return lambda text: text.update(objects=list(given))


def about(**given):
    return objects(["tensor", "a", {"offset": 0, "shape": [4], "stride": [1], **given}, False])


DAMAGED = "is damaged: "

FORGED = {
    "version": (lambda text: text.update(version=2), "was written by a newer gpunet, in version 2 of the format"),
    "no state": (lambda text: text.pop("state"), DAMAGED),
    "itself": (objects(["list", [["at", 0]]]), DAMAGED),
    "later": (objects(["list", [["at", 1]]], ["list", []]), DAMAGED),
    "before the first": (objects(["list", [["at", -1]]]), DAMAGED),
    "fraction": (objects(["list", [["at", 0.0]]]), DAMAGED),
    "unknown kind": (objects(["eval", "1"]), DAMAGED),
    "unknown value": (objects(["list", [["os.system", "true"]]]), DAMAGED),
    "kind is a list": (objects([["list"], []]), DAMAGED),
    "a dictionary in JSON": (objects(["list", [{"a": 1}]]), DAMAGED),
    "too many parts": (objects(["list", [], 3]), DAMAGED),
    "key is a list": (objects(["list", []], ["dict", [[["at", 0], 1]]]), "a list is a key of a dictionary"),
    "member is a tensor": (objects(["tensor", "a", {}, False], ["set", [["at", 0]]]), "a Tensor is a key"),
    "no such storage": (objects(["tensor", "b", {}, False]), DAMAGED),
    "beyond": (about(shape=[5]), r"shape \(5\), steps \(1\) and offset 0 reaches beyond its 4 elements"),
    "beyond by offset": (about(offset=1), "reaches beyond its 4 elements"),
    "beyond by steps": (about(shape=[2, 2], stride=[4, 1]), "reaches beyond its 4 elements"),
    "negative": (about(shape=[-1]), DAMAGED), "negative step": (about(stride=[-1]), DAMAGED),
    "negative offset": (about(offset=-1), DAMAGED),
    "overflow": (about(shape=[2**62, 8], stride=[0, 0]), DAMAGED),
    "giant": (about(shape=[10**4000] * 50, stride=[0] * 50), DAMAGED),
    "lengths differ": (about(shape=[2, 2]), DAMAGED),
    "dimensions": (about(shape=[1] * 65, stride=[0] * 65), DAMAGED),
    "sizes are texts": (about(shape=["4"]), DAMAGED), "sizes are bools": (about(shape=[True]), DAMAGED),
    "type": (about(dtype="object"), DAMAGED), "wider type": (about(dtype="float64"), "reaches beyond its 2 elements"),
    "bools": (about(dtype="bool", shape=[16]), "bytes other than 0 and 1"),
    "integers with gradients": (objects(["tensor", "u", {}, True]), "of type .*uint8 requires gradients"),
    "array of objects": (objects(["ndarray", "u", "|O8", [1]]), DAMAGED),
    "array of records": (objects(["ndarray", "u", "i4,i4", [1]]), DAMAGED),
    "array too long": (objects(["ndarray", "u", "<f4", [3]]), "an array has 8 bytes, and should be <f4 of shape"),
    "array of nothing": (objects(["ndarray", "u", "|S0", [10**9]]), DAMAGED),
    "long double": (objects(["ndarray", "u", "<f16", [0]]), DAMAGED),
    "size of texts": (objects(["Size", ["a"]]), DAMAGED),
    "device": (lambda text: text.update(devices={"a": 3}), DAMAGED),
    "integer": (objects(["list", [["int", "x"]]]), DAMAGED),
    "long integer": (lambda text: text.update(state=["int", "9" * 10**6 + "g"]), DAMAGED),
    "deep key": (objects(["tuple", []], *(["tuple", [["at", n], ["at", n]]] for n in range(40)),
                         ["dict", [[["at", 40], 1]]]), "a key of a dictionary has more than 1000 parts"),
}


@pytest.mark.parametrize("what", FORGED)
def test_forged_files_are_refused(what):
    change, says = FORGED[what]
    with pytest.raises(ValueError, match=f"^load: the file .*{says}") as error:
        gpunet.load(forged(change))
    assert one_sentence(error.value)


def test_errors_of_load(tmp_path):
    with pytest.raises(FileNotFoundError, match="load: there is no file .*nothing"):
        gpunet.load(tmp_path / "nothing")
    with pytest.raises(OSError, match="not a regular file"):
        gpunet.load(tmp_path)
    with pytest.raises(TypeError, match="load: expected a path or an open binary file, got dict"):
        gpunet.load({})
    with pytest.raises(TypeError, match=r"text mode; open it with open\(path, 'rb'\)"):
        gpunet.load(io.StringIO("x"))
    for content, says in ((b"", "is empty"), (b"hello" * 20, "is neither a file of gpunet.save, nor"),
                          (b"\x93NUMPY\x01\0", "is an array of numpy.save; load it by numpy.load"),
                          (b"\x89HDF\r\n\x1a\n", "is an HDF5 file"),
                          (b"version https://git-lfs", "is Git LFS's pointer")):
        with pytest.raises(ValueError, match=f"load: the file {says}"):
            gpunet.load(io.BytesIO(content))
    content = saved([_t]).getvalue()
    for damaged in (content[:4], content[:50], content[:-1], content[:-1] + b"x"):
        (tmp_path / "f").write_bytes(damaged)
        with pytest.raises(ValueError, match="load: .*f is "):
            gpunet.load(tmp_path / "f")
    (tmp_path / "f").write_bytes(content + b"x")
    with pytest.raises(ValueError, match="load: .*f is damaged"):
        gpunet.load(tmp_path / "f")
