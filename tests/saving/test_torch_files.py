"""PyTorch's files, read and written; with PyTorch at hand, it is the judge."""

import io
import warnings
import zipfile
from collections import Counter, OrderedDict

import numpy as np
import pytest

import gpunet
from gpunet import nn, optim
from tests.saving import pickles
from tests.saving.pickles import FOUR, legacy, storage, tensor, value, zipped
from tests.saving.test_state import VALUES, again, same, saved

NAMES = ("bool", "uint8", "int8", "int16", "int32", "int64", "uint16", "uint32", "uint64", "float16", "bfloat16",
         "float32", "float64")
CONTAINERS = {"zip": zipped, "legacy": legacy}


def load(content, **options):
    return gpunet.load(io.BytesIO(content), **options)


# ---- without PyTorch

@pytest.mark.parametrize("container", CONTAINERS)
def test_tensors_by_hand(container):
    make = CONTAINERS[container]
    assert load(make(tensor())).tolist() == [0, 1, 2, 3]
    assert load(make(tensor(1, (2,), (2,)))).tolist() == [1, 3]
    assert load(make(tensor(3, (), ()))).item() == 3
    assert load(make(tensor(0, (2, 3), (1, 0)))).tolist() == [[0, 0, 0], [1, 1, 1]]
    assert load(make(tensor(0, (2, 0), (1, 1)))).shape == (2, 0)
    loaded = load(make(b"]" + tensor(0, (2, 2), (1, 2)) + b"a" + tensor(2, (2,), (1,)) + b"a"))
    loaded[1].fill_(9)
    assert loaded[0].tolist() == [[0, 9], [1, 9]] and loaded[0].stride() == (1, 2)


def test_tar_archives():
    loaded = load(pickles.old_state())
    assert loaded["w"].tolist() == [[2, 4], [3, 5]] and loaded["n"].tolist() == [7]


def test_parts_of_storages():
    """Files of 0.3 and before name parts of storages."""
    part = value(("part", 1, 2))
    assert load(legacy(tensor(1, (1,), (1,), of=storage(more=part)))).tolist() == [2]
    with pytest.raises(ValueError, match="a part 1 to 5 lies outside of its storage"):
        load(legacy(tensor(of=storage(more=value(("part", 1, 4))))))


def test_byte_orders():
    swapped = np.arange(4, dtype=">f4").tobytes()
    assert load(zipped(tensor(), {"byteorder": b"big", "data/0": swapped})).tolist() == [0, 1, 2, 3]
    assert load(zipped(tensor(), {"byteorder": b"little", "data/0": FOUR})).tolist() == [0, 1, 2, 3]
    bfloat = (np.array([1, 2], "<f4").view("<u4") >> 16).astype(">u2").tobytes()
    found = load(zipped(tensor(0, (2,), (1,), storage(count=2, kind="BFloat16Storage")),
                        {"byteorder": b"big", "data/0": bfloat}))
    assert found.dtype is gpunet.bfloat16 and found.tolist() == [1, 2]
    with pytest.raises(ValueError, match="its byte order is b'middle'"):
        load(zipped(tensor(), {"byteorder": b"middle", "data/0": FOUR}))


@pytest.mark.parametrize("protocol", range(2, 6))
def test_every_protocol(protocol):
    import pickle

    state = {"a": [1, -300, 2**40, 2.5, "text" * 100, "x", None, True, (1, 2, 3, 4), {1, 2}], "b": b"bytes" * 100}
    state["again"] = state["a"]
    loaded = load(zipped(pickle.dumps(state, protocol)[2:-1]))
    assert loaded == state and loaded["again"] is loaded["a"]


def test_texts_of_python_2():
    assert load(zipped(b"U\x03abc")) == "abc" and load(zipped(b"T\x02\0\0\0\xff\xfe")) == b"\xff\xfe"


@pytest.mark.parametrize("what", VALUES)
def test_what_we_write_we_read(what):
    state = VALUES[what]
    if what in ("arrays", "array numbers") or "containers" in what:
        with pytest.raises(TypeError, match="PyTorch loads a (NumPy value|frozenset) only by running code; save "):
            saved(state, format="torch")
    else:
        found = gpunet.load(saved(state, format="torch"))
        assert same(found, state) or what == "parameters"  # a Buffer comes back as a tensor
        assert [*map(type, found)][:2] == [*map(type, state)][:2] if what == "parameters" else True


def test_written_storages_are_aligned_and_small():
    x = gpunet.arange(1000).float()
    content = saved({"a": x[3:7], "b": x[4:], "c": gpunet.ones(3, dtype=gpunet.int8)}, format="torch").getvalue()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        sizes = {info.filename: info.file_size for info in archive.infolist()}
        assert sizes["archive/data/0"] == 4 * 997 and sizes["archive/data/1"] == 3
    place = content.index(x[3:].numpy().tobytes())
    assert place % 64 == 0


def test_what_the_format_cannot_hold():
    x = gpunet.arange(4).float()
    with pytest.raises(TypeError, match=r"tensor at \['x'\] shares memory with one of another type, .*; clone\(\) one"):
        saved({"x": x, "bits": x.view(gpunet.int32)}, format="torch")
    with pytest.raises(TypeError, match="cannot name the device 'sim'"):
        saved(gpunet.device("sim"), format="torch")


# ---- with PyTorch

@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


WAYS = ({}, {"_use_new_zipfile_serialization": False}, {"pickle_protocol": 4}, {"pickle_protocol": 5})


def theirs(torch, state, **options):
    file = io.BytesIO()
    torch.save(state, file, **options)
    return file.getvalue()


def check(ours, other, torch):
    """Whether a state of ours is the one of PyTorch's: types, values, layouts, and one object where there was one."""
    if isinstance(other, torch.Tensor):
        assert type(ours).__name__ == type(other).__name__ and str(ours.dtype)[7:] == str(other.dtype)[6:]
        assert (ours.shape, ours.requires_grad) == (tuple(other.shape), other.requires_grad)
        assert ours.stride() == other.stride() or other.numel() == 0
        assert ours.detach().tolist() == other.detach().tolist()
    elif isinstance(other, dict):
        assert type(ours) is type(other) and len(ours) == len(other)
        for (key, value), (their_key, their_value) in zip(ours.items(), other.items(), strict=True):
            check(key, their_key, torch)
            check(value, their_value, torch)
    elif isinstance(other, list | tuple) and not isinstance(other, torch.Size):
        assert type(ours) is type(other) and len(ours) == len(other)
        for value, their_value in zip(ours, other, strict=True):
            check(value, their_value, torch)
    elif isinstance(other, torch.dtype | torch.device | torch.Size):
        assert str(ours).removeprefix("gpunet.") == str(other).removeprefix("torch.")
    else:
        assert type(ours) is type(other) and (ours == other or ours != ours and other != other)


def state_in(torch):
    """The same state in either library."""
    x = torch.arange(12).reshape(3, 4).float()
    nn = torch.nn
    state = {"x": x, "t": x.t(), "row": x[1], "column": x[:, 1], "expanded": torch.ones(1).expand(5), "0-d": x.sum(),
             "parameter": nn.Parameter(torch.ones(2)), "fixed": nn.Parameter(torch.ones(2), requires_grad=False),
             "wants": torch.ones(2).requires_grad_(), "empty": torch.zeros(0, 3)}
    state |= {name: torch.tensor([0, 1, 1]).to(getattr(torch, name)) for name in NAMES}
    state |= {"numbers": [1, -1, 300, 70000, 2**40, -(2**63), 2**200, 1.5, float("inf"), float("nan"), 1 + 2j],
              "others": [True, None, "ü\ud800", b"\0\xff", b"", bytearray(b"x"), (), (1,), (1, 2, 3, (4, 5)), {1, 2}],
              "dtype": torch.bfloat16, "device": torch.device("cuda", 1), "size": x.shape, (1, "k"): 2, 3: {4: [5]},
              "ordered": OrderedDict(b=1, a=2), "counter": Counter("aab")}
    state["again"], state["the list"] = state["x"], state["numbers"]
    return state


@pytest.mark.parametrize("way", range(len(WAYS)))
def test_reads_what_pytorch_writes(torch, way, tmp_path):
    state = state_in(torch)
    content = theirs(torch, state, **WAYS[way])
    (tmp_path / "f.pt").write_bytes(content)
    for loaded in (load(content), gpunet.load(tmp_path / "f.pt"), gpunet.load(tmp_path / "f.pt", mmap=True)):
        check(loaded, state, torch)
        assert loaded["again"] is loaded["x"] and loaded["the list"] is loaded["numbers"]
        loaded["x"].fill_(7)
        assert loaded["row"].tolist() == [7] * 4 and loaded["t"].flatten().tolist() == [7] * 12
    assert (tmp_path / "f.pt").read_bytes() == content


def test_pytorch_reads_what_we_write(torch, tmp_path):
    gpunet.save(state_in(gpunet), tmp_path / "f.pt", format="torch")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for options in ({"weights_only": True}, {"weights_only": True, "mmap": True}):
            loaded = torch.load(tmp_path / "f.pt", **options)
            check(state_in(gpunet), loaded, torch)
            assert loaded["again"] is loaded["x"] and loaded["the list"] is loaded["numbers"]
            loaded["x"].fill_(7)
            assert loaded["row"].tolist() == [7] * 4 and loaded["t"].flatten().tolist() == [7] * 12
    assert torch.load(saved(gpunet.ones(2, device="sim"), format="torch")).device.type == "cpu"


def test_numpy_values_of_pytorch_files(torch):
    state = {"a": np.arange(6.0).reshape(2, 3), "f": np.arange(6, dtype="i2").reshape(2, 3).T, "n": np.float64(0.5),
             "t": np.array(["ab", "c"]), "b": np.array([True, False]), "0": np.array(3), "i": np.int8(3)}
    for way in WAYS:
        loaded = load(theirs(torch, state, **way))
        for name, each in state.items():
            assert type(loaded[name]) is type(each) and loaded[name].dtype == each.dtype.newbyteorder("=")
            np.testing.assert_array_equal(loaded[name], each)
        loaded["a"][0, 0] = 5  # their own memory
    swapped = load(theirs(torch, np.arange(3, dtype=">i4")))
    assert swapped.tolist() == [0, 1, 2] and swapped.dtype.kind == "i"


def test_tensors_with_attributes(torch):
    buffer = torch.nn.Buffer(torch.ones(2))
    parameter = torch.nn.Parameter(torch.ones(2))
    parameter.note = "x"
    loaded = load(theirs(torch, [buffer, parameter]))
    assert [type(each) for each in loaded] == [gpunet.Tensor, nn.Parameter] and not hasattr(loaded[1], "note")


def test_state_dicts_move_both_ways(torch):
    def parts(library):
        model = library.nn.Sequential(library.nn.Linear(3, 4, bias=False), library.nn.BatchNorm1d(4))
        optimizer = library.optim.Adam(model.parameters(), lr=0.1)
        return model, optimizer, library.optim.lr_scheduler.StepLR(optimizer, 2, 0.5)

    def step(library, model, optimizer, scheduler):
        optimizer.zero_grad()
        x = library.tensor([[1.0, 2.0, 3.0], [0.5, -1.0, 2.0], [-2.0, 0.0, 1.0], [1.0, 1.0, -3.0]])
        (model(x) - library.arange(16).reshape(4, 4)).square().sum().backward()
        optimizer.step()
        scheduler.step()

    mine, other = parts(gpunet), parts(torch)
    step(torch, *other)
    for part, state in zip(mine, load(theirs(torch, [each.state_dict() for each in other])), strict=True):
        part.load_state_dict(state)
    step(gpunet, *mine), step(torch, *other)
    for ours, their in zip(mine[0].parameters(), other[0].parameters(), strict=True):
        np.testing.assert_allclose(ours.detach().numpy(), their.detach().numpy(), 1e-5, 1e-6)
    back = parts(torch)
    state = torch.load(saved([each.state_dict() for each in mine[:2]], format="torch"), weights_only=True)
    back[0].load_state_dict(state[0]), back[1].load_state_dict(state[1])
    step(torch, *back), step(gpunet, *mine)
    for ours, their in zip(mine[0].parameters(), back[0].parameters(), strict=True):
        np.testing.assert_allclose(ours.detach().numpy(), their.detach().numpy(), 1e-5, 1e-6)
    assert load(theirs(torch, other[0].state_dict()))._metadata == other[0].state_dict()._metadata
    assert again(load(theirs(torch, other[0].state_dict())))._metadata == other[0].state_dict()._metadata


def test_tar_archives_as_pytorch_reads_them(torch, tmp_path):
    (tmp_path / "f").write_bytes(pickles.old_state())
    check(gpunet.load(tmp_path / "f"), torch.load(tmp_path / "f", weights_only=False), torch)


def test_checksums_that_pytorch_was_told_not_to_write(torch):
    torch.serialization.set_crc32_options(False)
    try:
        content = theirs(torch, {"x": torch.ones(3)})
    finally:
        torch.serialization.set_crc32_options(True)
    assert load(content)["x"].tolist() == [1, 1, 1]


def test_what_gpunet_does_not_have(torch):
    cases = [
        (torch.ones(2, 2).to_sparse(), r"a sparse tensor .*; in PyTorch, save the values anew: tensor.to_dense\(\)"),
        (torch.ones(2, dtype=torch.complex64), r"a tensor of complex numbers .*: torch.view_as_real\(tensor\)"),
        (torch.ones(2).to(torch.float8_e5m2), r"an 8-bit floating-point type .*e5m2\).*: tensor.float\(\)"),
        (torch.ones(2, device="meta"), "a tensor of the meta device .* it has no values to load"),
        (torch.ones(2).untyped_storage(), "a storage without a tensor is part of its state"),
        (torch.nn.Linear(2, 1), r"it holds torch.nn.modules.linear.Linear, which only code.*state_dict\(\)"),
        (torch._neg_view(torch.ones(2)), r"negated or conjugated .*: tensor.resolve_neg\(\)"),
        (OrderedDict, "collections.OrderedDict is part of its state"),
        (np.array([None]), "NumPy values of type object"), (np.array("2020", "M8[D]"), "NumPy"),
        (torch.device("mps"), "it names the device 'mps', which gpunet does not have"),
    ]
    for state, says in cases:
        for way in WAYS[:2]:
            with pytest.raises(ValueError, match=f"^load: the file cannot be loaded: .*{says}") as error:
                load(theirs(torch, {"state": state}, **way))
            assert "\n" not in str(error.value)


def test_torchscript_archives(torch, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(torch.nn.Linear(2, 1), torch.ones(1, 2)).save(str(tmp_path / "f"))
    with pytest.raises(ValueError, match="is a TorchScript archive, which holds code"):
        gpunet.load(tmp_path / "f")


def test_devices_of_pytorch_files():
    found = zipped(tensor(of=storage(location="cuda:7")))
    assert load(found, map_location="cpu").tolist() == [0, 1, 2, 3]
    assert load(found, map_location={"cuda:7": "cpu"}).tolist() == [0, 1, 2, 3]
    with pytest.raises(RuntimeError, match="the device 'cuda:7', which is unavailable here; pass map_location='cpu'"):
        load(found)


def test_optimizers_of_either_library():
    model = nn.Linear(2, 1)
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    model(gpunet.ones(1, 2)).sum().backward()
    optimizer.step()
    state = gpunet.load(saved(optimizer.state_dict(), format="torch"))
    other = optim.SGD(model.parameters(), lr=1)
    other.load_state_dict(state)
    assert other.param_groups[0]["momentum"] == 0.9
    assert other.state[model.weight]["momentum_buffer"].tolist() == [[1, 1]]
