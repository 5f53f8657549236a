"""Malicious and damaged files: no code runs, memory stays in proportion, one sentence says what is wrong."""

import io
import pickle
import struct
import sys
import tracemalloc
import zipfile

import numpy as np
import pytest

import gpunet
from tests.mutate import mutations
from tests.saving.pickles import FOUR, legacy, name, old_state, storage, tensor, value, whole, zipped
from tests.saving.test_state import same
from tests.test_serialization import one_sentence

CANARY = "tests.saving.canary"
DAMAGED = "is damaged: "
_REBUILD_AS = name("torch._tensor", "_rebuild_from_type_v2") + b"("
_run = name(CANARY, "run")
_text = value("x" * 50_000) + b"q\x09"
_copy = name("_codecs", "encode") + b"q\x08h\x09" + value("latin1") + b"q\x07\x86R"
_many = b"(" + value(0) * 5000 + b"l" + b"q\x09"


def _nested(levels):
    """A tuple in which each tuple has the one before twice: short to write, endless to walk or to hash."""
    return b")" + b"".join(b"r" + struct.pack("<I", n) + b"j" + struct.pack("<I", n) + b"\x86" for n in range(levels))


# By name: what the pickle of the state does, and what is said.
CODE = {
    "a function": (_run, f"it holds {CANARY}.run, which only code could rebuild"),
    "a call": (_run + value(("x",)) + b"R", f"it holds {CANARY}.run"),
    "os.system": (name("os", "system") + value(("true",)) + b"R", "it holds os.system"),
    "nt": (name("nt", "system"), "it holds nt.system"),
    "eval": (name("builtins", "eval") + value(("1",)) + b"R", "it holds builtins.eval"),
    "eval of Python 2": (name("__builtin__", "eval"), "it holds builtins.eval"),
    "getattr": (name("builtins", "getattr"), "it holds builtins.getattr"),
    "name from the stack": (value(CANARY) + value("run") + b"\x93" + b")R", f"it holds {CANARY}.run"),
    "name from numbers": (value(1) + value("run") + b"\x93", "names what is no text"),
    "inside a name": (name("collections", "OrderedDict.fromkeys"), "it holds collections.OrderedDict.fromkeys"),
    "torch.load": (name("torch.serialization", "load") + b")R", "it holds torch.serialization.load"),
    "nested file": (name("torch.storage", "_load_from_bytes") + b")R", "it holds torch.storage._load_from_bytes"),
    "copyreg": (name("copy_reg", "_reconstructor"), "it holds copy_reg._reconstructor"),
    "numpy.load": (name("numpy", "load"), "it holds numpy.load"),
    "INST": (b"(" + value("x") + f"i{CANARY}\nrun\n".encode(), "instruction INST"),
    "OBJ": (b"(" + value(1) + value(2) + b"o", "instruction OBJ"),
    "NEWOBJ": (name("collections", "OrderedDict") + b")\x81", "instruction NEWOBJ"),
    "NEWOBJ_EX": (name("collections", "OrderedDict") + b")}\x92", "instruction NEWOBJ_EX"),
    "EXT1": (b"\x82\x01", "instruction EXT1"), "EXT2": (b"\x83\x01\x00", "instruction EXT2"),
    "EXT4": (b"\x84\x01\x00\x00\x00", "instruction EXT4"),
    "PERSID": (b"Pos.system\n", "instruction PERSID"), "a buffer": (b"\x97", "instruction NEXT_BUFFER"),
    "INT in text": (b"I5\n", "instruction INT"), "STRING": (b"S'x'\n", "instruction STRING"),
    "no instruction": (b"\xff", "instruction 0xff"),
    "BUILD of a list": (b"]}b", "sets attributes of a list"), "BUILD of a tensor": (tensor() + b"}b", "of a Tensor"),
    "BUILD of a number": (value(1) + value((1, 2)) + b"b", "sets attributes of a int"),
    "a call of a text": (value("os.system") + b")R", "calls a str"),
    "a call of a class": (name("torch", "Tensor") + b")R", "calls torch.Tensor"),
    "a call of a type": (name("torch", "float32") + b")R", "calls a dtype"),
    "a call of a storage": (name("torch", "FloatStorage") + b")R", "calls a StorageType"),
    "a call with a list": (name("collections", "OrderedDict") + b"]R", "calls collections.OrderedDict"),
    "a class of its own": (_REBUILD_AS + name("torch._utils", "_rebuild_tensor") + name("collections", "OrderedDict") +
                           b")}tR", "a tensor of the class collections.OrderedDict"),
    "another function": (_REBUILD_AS + name("_codecs", "encode") + name("torch", "Tensor") + value(("x", "latin1")) +
                         b"}tR", "a tensor of the class"),
    "another encoding": (name("_codecs", "encode") + value(("x", "rot13")) + b"R", DAMAGED),
    "bytes of a length": (name("builtins", "bytearray") + value((10**9,)) + b"R", DAMAGED),
    "objects of NumPy": (name("numpy", "dtype") + value(("O8", False, True)) + b"R", "NumPy"),
    "a long type of NumPy": (name("numpy", "dtype") + value(("U99999999", False, True)) + b"R", ""),
    "fields of NumPy": (name("numpy", "dtype") + value(("V8", False, True)) + b"R", "NumPy"),
    "memmap of NumPy": (name("numpy", "memmap"), "it holds numpy.memmap"),
    "a set of a count": (name("builtins", "set") + value((10**9,)) + b"R", DAMAGED),
    "Counter of an object": (name("collections", "Counter") + value((3,)) + b"R", DAMAGED),
    "a function in the state": (b"}" + value("f") + name("_codecs", "encode") + b"s", "_codecs.encode is part of"),
    "a class as the state": (name("numpy", "ndarray"), "numpy.ndarray is part of its state"),
    "a persistent text": (value("storage") + b"Q", "a storage has no proper name"),
    "a persistent module": (value(("module", 1, 2, 3, 4)) + b"Q", "no proper name"),
    "a persistent list": (b"]Q", "a storage has no proper name"),
}

SHAPE = {
    "nothing": (b"", DAMAGED), "two values": (b"NN", DAMAGED), "below the stack": (b"0", DAMAGED),
    "no mark": (b"t", DAMAGED),
    "a mark at the end": (b"N(", DAMAGED), "TUPLE3 of one": (b"N\x87", DAMAGED), "memo": (b"h\x05", DAMAGED),
    "APPEND to a dictionary": (b"}Na", DAMAGED), "APPEND to a tensor": (tensor() + b"Na", DAMAGED),
    "SETITEM of a list": (b"]NNs", DAMAGED), "ADDITEMS to a list": (b"](N\x90", DAMAGED),
    "an odd number of items": (b"}(NNNu", DAMAGED),
    "a list as a key": (b"}]Ns", "a list is a key of a dictionary"),
    "a tensor as a key": (b"}" + tensor() + b"Ns", "a Tensor is a key of a dictionary"),
    "a member without a hash": (b"\x8f(]\x90", "a list is a key of a dictionary"),
    "a long name": (b"c" + b"x" * 5000, "a name in its pickle has no end"),
    "a text that is none": (b"X\x01\0\0\0\xff", DAMAGED),
    "bytes beyond the end": (b"B\xff\xff\xff\x7f", "ends in the middle of its pickle"),
    "a text of 2^63 bytes": (b"\x8d" + b"\xff" * 7 + b"\x7f", "ends in the middle of its pickle"),
    "a number of 2^31 bytes": (b"\x8b\xff\xff\xff\x7f", "ends in the middle of its pickle"),
    "no end": (b"N" * 10 + b"X", "ends in the middle of its pickle"),
    "a deep key": (b"}" + _nested(40) + b"Ns", "a key of a dictionary has more than 1000 parts"),
    "a deep member": (b"\x8f(" + _nested(40) + b"\x90", "a key of a dictionary has more than 1000 parts"),
    "a deep size": (name("torch", "Size") + b"(" + _nested(60) + b"tR", DAMAGED),
    "a deep shape": (name("torch._utils", "_rebuild_tensor") + b"(" + storage() + value(0) + _nested(60) + b")tR",
                     DAMAGED),
    "copies of bytes": (_text + b"0](" + _copy + (b"h\x08h\x09h\x07\x86R") * 9000 + b"e",
                        "copies its parts again and again"),
    "copies of lists": (_many + b"0](" + (name("builtins", "set") + b"h\x09\x85R") * 5000 + b"e", "copies its parts"),
    "copies of dictionaries": (b"}(" + b"".join(value(n) + b"N" for n in range(3000)) + b"uq\x090](" +
                               (name("collections", "Counter") + b"h\x09\x85R") * 3000 + b"e", "copies its parts"),
}

HUGE = 2**62
GEOMETRY = {
    "too long": ((0, (5,), (1,)), r"shape \(5\), steps \(1\) and offset 0 reaches beyond its 4 elements"),
    "too far": ((4, (1,), (1,)), "reaches beyond its 4 elements"), "far step": ((0, (2,), (4,)), "reaches beyond"),
    "0-d beyond": ((4, (), ()), "reaches beyond"), "huge size": ((0, (HUGE,), (1,)), DAMAGED),
    "huge product": ((0, (2**33, 2**33), (0, 0)), DAMAGED), "product of 2^64": ((0, (2**32, 2**32), (1, 1)), DAMAGED),
    "steps beyond 2^64": ((0, (3,), (2**63 - 1,)), DAMAGED), "offset of 2^64": ((2**64 - 1, (2,), (1,)), DAMAGED),
    "more than 64 bits": ((0, (2**200,), (1,)), DAMAGED), "negative offset": ((-1, (1,), (1,)), DAMAGED),
    "negative step": ((3, (4,), (-1,)), DAMAGED), "negative size": ((0, (-4,), (1,)), DAMAGED),
    "sizes without steps": ((0, (4,), ()), DAMAGED), "100 dimensions": ((0, (1,) * 100, (1,) * 100), DAMAGED),
    "zero beside huge": ((0, (0, HUGE, HUGE), (1, 1, 1)), DAMAGED), "a fraction": ((0.5, (1,), (1,)), DAMAGED),
    "a bool": ((0, (True,), (1,)), DAMAGED), "texts": ((0, ("4",), (1,)), DAMAGED), "a list": ((0, [4], (1,)), DAMAGED),
    "no steps": ((0, (4,), None), DAMAGED), "nested": ((0, ((4,),), (1,)), DAMAGED),
}

STORAGES = {
    "another count": (storage(count=5), "storage '0' (has 16 bytes, and should have 5|does not have 5)"),
    "a negative count": (storage(count=-4), DAMAGED), "a huge count": (storage(count=2**62), DAMAGED),
    "a wider type": (storage(kind="DoubleStorage"), DAMAGED), "no such member": (storage("7"), DAMAGED),
    "outside": (storage("../version"), DAMAGED), "a number as key": (storage(0), DAMAGED),
    "a count in text": (storage(count="4"), DAMAGED),
    "device": (storage(location=3), "a tensor is on the device 3"),
    "complex": (storage(kind="ComplexFloatStorage"), "a tensor of complex numbers"),
    "quantised": (storage(kind="QInt8Storage"), "a quantised tensor"),
    "other kind": (storage(kind="EvilStorage"), "it holds torch.EvilStorage"),
}
BOOLS = tensor(0, (16,), (1,), storage(kind="BoolStorage", count=16))


def refused(content: bytes, says: str) -> None:
    """The file is refused in one sentence, no code is run, and the memory stays in proportion to its size."""
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=f"^load: the file (?s:.*)({says})") as error:
            gpunet.load(io.BytesIO(content))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert one_sentence(error.value) and CANARY not in sys.modules
    assert peak < 2_000_000 + 300 * len(content), f"{peak} bytes for a file of {len(content)}"


BODIES = {**CODE, **SHAPE, **{what: (tensor(*place), says) for what, (place, says) in GEOMETRY.items()},
          **{what: (tensor(of=about), says) for what, (about, says) in STORAGES.items()},
          "bools": (BOOLS, "bytes other than 0 and 1|does not have 16 elements")}


@pytest.mark.parametrize("what", BODIES)
def test_pickles(what):
    body, says = BODIES[what]
    refused(zipped(body), says)
    refused(legacy(body) if value("storage") in body else legacy(body, (), ()), says)
    refused(whole(body), "is |cannot")  # a pickle that is no file of torch.save


def test_what_looks_bad_and_is_not():
    """Nothing of these takes more memory or time than the file is long."""
    for body in (b"]" * 20_000 + b"a" * 19_999, b")" + b"\x85" * 20_000, _nested(100), b"Nr\xff\xff\xff\xff",
                 value(2**2000), b"\x95" + b"\xff" * 8 + b"N", b"]" + b"q\x01h\x01a", b"N" + b"\x94" * 20_000):
        gpunet.load(io.BytesIO(zipped(body)))
    assert gpunet.load(io.BytesIO(zipped(tensor(0, (2**40,), (0,))))).shape == (2**40,)
    attributes = b"}" + value("_metadata") + b"}s" + value("items") + value(3) + b"s"
    found = gpunet.load(io.BytesIO(zipped(name("collections", "OrderedDict") + b")R" + attributes + b"b")))
    assert vars(found) == {"_metadata": {}}  # no other attribute is set


# ---- archives

def _entry(content: bytes, member: str) -> int:
    """Where the archive's directory describes a member."""
    place = -1
    while True:
        place = content.index(b"PK\x01\x02", place + 1)
        if content[place + 46 :].startswith(member.encode()):
            return place


def changed(content: bytes, member: str, field: int, new: bytes) -> bytes:
    place = _entry(content, member) + field
    return content[:place] + new + content[place + len(new) :]


def _twice() -> bytes:
    """An archive with a member twice."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for key, content in (("a/data.pkl", whole(tensor())), ("a/data/0", FOUR), ("a/data/1", bytes(16))):
            archive.writestr(key, content)
    return file.getvalue().replace(b"a/data/1", b"a/data/0")


def _overlapping() -> bytes:
    """An archive whose directory names the same bytes many times, as members of their own."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a/data.pkl", whole(tensor()))
        archive.writestr("a/data/0", bytes(100_000))
        first = archive.getinfo("a/data/0")
        for number in range(1, 1000):
            info = zipfile.ZipInfo(f"a/data/{number}")
            info.header_offset, info.file_size, info.compress_size = first.header_offset, 100_000, 100_000
            info.CRC = first.CRC
            archive.filelist.append(info)
    return file.getvalue()


_GOOD = zipped(tensor())

ARCHIVES = {
    "bomb": (zipped(tensor(), {"data/0": bytes(10**7)}, compress=zipfile.ZIP_DEFLATED), "is compressed or encrypted"),
    "encrypted": (changed(_GOOD, "archive/data/0", 8, b"\x01\x00"), "is compressed or encrypted"),
    "a name twice": (_twice(), "it has two members 'a/data/0'"),
    "the same bytes twice": (_overlapping(), "is not where it should be"),
    "a path upwards": (zipped(tensor(), {"data/0": FOUR, "=../../evil": b"x"}), "'../../evil' lies outside of"),
    "a path upwards inside": (zipped(tensor(), {"data/0": FOUR, "../../evil": b"x"}), "lies outside of 'archive'"),
    "an absolute path": (zipped(tensor(), {"data/0": FOUR, "=/etc/evil": b"x"}), "'/etc/evil' lies outside of"),
    "another folder": (zipped(tensor(), {"data/0": FOUR, "=b/data/1": b"x"}), "lies outside of 'archive'"),
    "no pickle": (zipped(b"", {}).replace(b"data.pkl", b"data.pkx"), "is a zip archive, and no file of torch.save"),
    "TorchScript": (zipped(tensor(), {"data/0": FOUR, "constants.pkl": b""}), "is a TorchScript archive"),
    "no storage": (zipped(tensor(), {}), "it has no member 'data/0'"),
    "a short storage": (zipped(tensor(), {"data/0": FOUR[:8]}), "has 8 bytes, and should have 4 elements of 4"),
    "a flipped bit": (_GOOD.replace(FOUR, bytes([FOUR[0] ^ 1]) + FOUR[1:]), "'data/0' does not match its checksum"),
    "a flipped bit in the pickle": (_GOOD.replace(b"tensor_v2", b"tensor_v3"), "'data.pkl' does not match"),
    "a size that is too large": (changed(_GOOD, "archive/data/0", 20, struct.pack("<II", 10**9, 10**9)), DAMAGED),
    "two sizes": (changed(_GOOD, "archive/data/0", 20, struct.pack("<I", 8)), DAMAGED),
    "a place elsewhere": (changed(_GOOD, "archive/data/0", 42, struct.pack("<I", 1)), DAMAGED),
    "a place beyond": (changed(_GOOD, "archive/data/0", 42, struct.pack("<I", 2**31)), DAMAGED),
    "an empty archive": (b"PK\x03\x04" + bytes(30), "is damaged or cut off"),
    "the end alone": (b"PK\x05\x06" + bytes(18), "is neither a file of gpunet.save"),
    "something before": (b"x" + _GOOD, "is neither a file of gpunet.save"),
}


@pytest.mark.parametrize("what", ARCHIVES)
def test_archives(what, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    content, says = ARCHIVES[what]
    refused(content, says)
    assert not list(tmp_path.iterdir())


TARS = {
    "beyond": (old_state(offset=5), "reaches beyond its 4 elements"), "negative": (old_state(stride=(-1, 2)), DAMAGED),
    "a part beyond": (old_state(view=(3, 1, 2, 5)), "a part 2 to 7 lies outside"),
    "huge": (old_state(size=(2**62, 4)), DAMAGED),
    "a part of nothing": (old_state(view=(3, 9, 2, 4)), "which it does not have"),
    "another archive": (old_state().replace(b"storages\0", b"storager\0"), "cannot be read as one"),
}


@pytest.mark.parametrize("what", TARS)
def test_tar_archives(what):
    refused(*TARS[what])


def test_files_that_are_cut_off():
    for content in (_GOOD, legacy(tensor()), old_state()):
        for size in {*range(1, min(len(content), 200), 7), *range(200, len(content) - 1, 61)} - {0}:
            try:
                found = gpunet.load(io.BytesIO(content[:size]))
            except ValueError as error:
                assert one_sentence(error)
            else:  # nothing but padding is missing
                assert content[:3] != b"PK\x03" and found is not None


def test_damaged_files_are_refused_or_read():
    """Whatever has happened to a file, an error is one sentence, nothing is run, and a checksum lets nothing pass."""
    state = {"w": gpunet.arange(20).float().reshape(4, 5), "n": [1, 2.5, "text", b"bytes"], 3: gpunet.tensor([True])}
    file = io.BytesIO()
    gpunet.save(state, file, format="torch")
    files = [file.getvalue(), legacy(b"}" + value("w") + tensor() + b"s"), old_state()]
    for mutated in mutations(files, 1500, 3, 500):
        try:
            gpunet.load(io.BytesIO(mutated), map_location="cpu")
        except ValueError as error:
            assert one_sentence(error)
    random = np.random.default_rng(0)
    for place in random.integers(len(files[0]), size=200):
        flipped = bytearray(files[0])
        flipped[place] ^= 1 << random.integers(8)
        try:
            assert same(gpunet.load(io.BytesIO(flipped)), state)  # in the padding, or in what nobody reads
        except ValueError as error:
            assert one_sentence(error)
    assert CANARY not in sys.modules


def test_pickles_of_other_programs(tmp_path):
    for content, says in ((pickle.dumps({"a": 1}, 4), "is a pickle, and no file of torch.save"),
                          (pickle.dumps(ValueError), "it holds builtins.ValueError"),
                          (pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1002, 2), "of version 1002 of")):
        refused(content, says)
    (tmp_path / "f").write_bytes(pickle.dumps({"a": 1}, 2))
    with pytest.raises(ValueError, match=f"^load: {tmp_path}/f is a pickle"):
        gpunet.load(tmp_path / "f", weights_only=False)
