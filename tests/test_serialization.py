"""Tensors in safetensors files: every layout and type survives; what is wrong is said clearly."""

import errno
import json

import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy

import gpunet
from gpunet import files
from gpunet.serialization.safetensors_file import CHECKSUM, read_file
from tests.mutate import mutations, safetensors_fault, safetensors_header

TYPES = [gpunet.bool, gpunet.uint8, gpunet.int8, gpunet.int16, gpunet.int32, gpunet.int64, gpunet.uint16, gpunet.uint32,
         gpunet.uint64, gpunet.float16, gpunet.bfloat16, gpunet.float32, gpunet.float64]

_cube = np.arange(24, dtype=np.float32).reshape(2, 3, 4)

LAYOUTS = {
    "row-major": _cube,
    "column-major": np.asfortranarray(_cube),
    "transposed": _cube.transpose(2, 0, 1),
    "strided": _cube[:, ::2, 1::2],
    "reversed": _cube[::-1, :, ::-1],
    "expanded": np.broadcast_to(_cube[:, :1], (2, 3, 4)),
    "0-d": np.array(3.5),
    "empty": np.empty((3, 0, 2), np.int32),
    "big-endian": _cube.astype(">f4"),
    "big-endian, strided": _cube.astype(">f8")[:, 1:],
    "big-endian integers": np.arange(5, dtype=">i2"),
    "bfloat16, column-major": np.asfortranarray(_cube.astype(ml_dtypes.bfloat16)),
    "unaligned": np.frombuffer(b"x" + _cube.tobytes(), np.uint8)[1:].view(np.float32),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout, tmp_path):
    array = LAYOUTS[layout]
    gpunet.save_file({"a": array, "b": np.arange(3)}, tmp_path / "f")
    read = gpunet.load_file(tmp_path / "f")
    np.testing.assert_array_equal(read["a"].numpy(), array)
    assert read["a"].numpy().dtype == array.dtype.newbyteorder("=") and read["b"].tolist() == [0, 1, 2]
    assert read["a"].is_contiguous() and read["a"].shape == array.shape
    other = safetensors.numpy.load_file(tmp_path / "f") if array.dtype.kind != "V" else None
    if other and array.dtype != ml_dtypes.bfloat16:
        np.testing.assert_array_equal(other["a"], array)


@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_types(dtype, device, tmp_path):
    t = gpunet.tensor([[0, 1, 2], [3, 0, 5]], dtype=dtype).to(device)
    gpunet.save_file({"t": t, "view": t.t(), "part": t[:, 1:]}, tmp_path / "f")
    read = gpunet.load_file(tmp_path / "f", device=device)
    for name, wanted in (("t", t), ("view", t.t()), ("part", t[:, 1:])):
        assert read[name].dtype is dtype and read[name].device.type == device
        assert read[name].tolist() == wanted.tolist()
    read["t"].fill_(1)  # writable


def test_parameters_and_metadata(tmp_path):
    p = gpunet.nn.Parameter(gpunet.ones(2))
    gpunet.save_file({"p": p}, tmp_path / "f", metadata={"epoch": "3"})
    read = gpunet.load_file(str(tmp_path / "f"))
    assert not read["p"].requires_grad and type(read["p"]) is gpunet.Tensor
    with safetensors.safe_open(tmp_path / "f", "numpy") as file:
        metadata = file.metadata()
        assert metadata.pop(CHECKSUM) and metadata == {"epoch": "3"}
    gpunet.save_file({"p": p}, tmp_path / "again", metadata={"epoch": "3"})
    assert (tmp_path / "again").read_bytes() == (tmp_path / "f").read_bytes()


@pytest.mark.needs("torch")
def test_interchange_with_pytorch(tmp_path):
    import torch
    from safetensors import torch as theirs

    tensors = {"a": torch.randn(3, 4), "b": torch.arange(5), "c": torch.randn(2).bfloat16(), "d": torch.tensor(2.0),
               "e": torch.randn(4).half(), "f": torch.tensor([True, False]), "g": torch.empty(0, 2)}
    theirs.save_file(tensors, tmp_path / "theirs")
    ours = gpunet.load_file(tmp_path / "theirs")
    gpunet.save_file(ours, tmp_path / "ours")
    back = theirs.load_file(tmp_path / "ours")
    for name, t in tensors.items():
        assert ours[name].tolist() == t.tolist() and torch.equal(back[name], t) and back[name].dtype == t.dtype


def test_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "f"
    gpunet.save_file({"a": gpunet.ones(1)}, path)

    def fail(*_):
        raise OSError(errno.ENOSPC, "disk full")

    monkeypatch.setattr(files.os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        gpunet.save_file({"a": gpunet.zeros(1)}, path)
    assert gpunet.load_file(path)["a"].tolist() == [1] and [p.name for p in tmp_path.iterdir()] == ["f"]


# ---- damage

def split(content):
    size = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + size]), content[8 + size :]


def join(header, values):
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + values


def changed(content, change):
    header, values = split(content)
    change(header)
    return join(header, values)


SILENT = {  # what the format itself cannot notice
    "a value": lambda content: content[:-1] + bytes([content[-1] ^ 1]),
    "a type": lambda content: changed(content, lambda h: h["a"].update(dtype="I32")),
    "a shape": lambda content: changed(content, lambda h: h["a"].update(shape=[3, 2])),
    "a name": lambda content: changed(content, lambda h: h.update(x=h.pop("a"))),
    "two values exchanged": lambda content: changed(content, lambda h: h.update(a=h["b"], b=h["a"])),
    "metadata": lambda content: changed(content, lambda h: h["__metadata__"].update(epoch="4")),
    "metadata added": lambda content: changed(content, lambda h: h["__metadata__"].update(more="x")),
    "metadata gone": lambda content: changed(content, lambda h: h["__metadata__"].pop("epoch")),
    "the checksum": lambda content: changed(content, lambda h: h["__metadata__"].update({CHECKSUM: "0" * 64})),
}


@pytest.fixture
def sound(tmp_path):
    path = tmp_path / "f"
    tensors = {"a": gpunet.arange(6).reshape(2, 3).float(), "b": gpunet.ones(2, 3), "flags": gpunet.tensor([True])}
    gpunet.save_file(tensors, path, {"epoch": "3"})
    return path


@pytest.mark.parametrize("what", SILENT)
def test_a_changed_file_is_refused(sound, what):
    sound.write_bytes(SILENT[what](sound.read_bytes()))
    with pytest.raises(ValueError, match="load_file: .*f is damaged: its content does not match its checksum"):
        gpunet.load_file(sound)


def test_what_the_checksum_is_of(sound):
    """Of what a file says, not of how it is laid out; other programs' files have none and are read."""
    content = sound.read_bytes()
    sound.write_bytes(changed(content, lambda h: h.update(b=h.pop("b"))))
    assert gpunet.load_file(sound)["a"].tolist() == [[0, 1, 2], [3, 4, 5]]
    sound.write_bytes(changed(content, lambda h: h["__metadata__"].pop(CHECKSUM)))
    assert gpunet.load_file(sound)["a"].tolist() == [[0, 1, 2], [3, 4, 5]]
    with pytest.raises(ValueError, match="has no checksum"):
        read_file(sound, checked=True)
    header, values = split(sound.read_bytes())
    place = header["flags"]["data_offsets"][0]
    sound.write_bytes(join(header, values[:place] + b"\2" + values[place + 1 :]))
    with pytest.raises(ValueError, match="f is damaged: 'flags' is of type BOOL and has bytes other than 0 and 1"):
        gpunet.load_file(sound)


def one_sentence(error):
    text = str(error)
    return text and "\n" not in text and len(text) < 1000


def test_mutated_weights_load_unchanged_or_are_refused(tmp_path):
    path = tmp_path / "f"
    rng = np.random.default_rng(0)
    tensors = {"weight": rng.normal(size=(5, 4)).astype(np.float32), "bias": np.arange(5, dtype=np.int64),
               "mask": rng.random(7) < 0.5, "half": rng.normal(size=3).astype(np.float16), "none": np.empty((0, 3))}
    gpunet.save_file(tensors, path, {"epoch": "3", "note": "words"})
    content = path.read_bytes()
    loaded = 0
    # One fault each: one in the checksum's name and another elsewhere make a sound file of somebody else's.
    for mutated in mutations([content], 4000, 1, safetensors_header(content), (1,), safetensors_fault):
        path.unlink()  # some file systems write out a file at once that is cut to nothing
        path.write_bytes(mutated)
        try:
            read = gpunet.load_file(path)
        except ValueError as error:
            assert one_sentence(error)
            continue
        loaded += mutated != content
        assert read.keys() == tensors.keys()
        for name, value in tensors.items():
            assert read[name].numpy().dtype == value.dtype and read[name].shape == value.shape
            assert read[name].numpy().tobytes() == value.tobytes()
    assert loaded < 400  # such as a fault that changes nothing, or one in the checksum's own name


def test_the_format_is_the_librarys(tmp_path):
    """Of damaged files without a checksum, what we read the safetensors library reads too, and finds the same."""
    path = tmp_path / "f"
    tensors = {"weight": np.arange(20, dtype=np.float32).reshape(5, 4), "bias": np.arange(5), "none": np.empty((0, 3))}
    content = safetensors.numpy.save(tensors, {"epoch": "3"})
    read = 0
    for mutated in mutations([content], 800, 4, safetensors_header(content), (1, 1, 2), safetensors_fault):
        path.unlink(missing_ok=True)
        path.write_bytes(mutated)
        try:
            ours = gpunet.load_file(path)
        except ValueError as error:
            assert one_sentence(error)
            continue
        theirs = safetensors.deserialize(mutated)
        assert {name: (tuple(each["shape"]), bytes(each["data"])) for name, each in theirs} == {
            name: (tuple(each.shape), each.numpy().tobytes()) for name, each in ours.items()}
        read += 1
    assert read > 100


# ---- other files

@pytest.mark.parametrize("content, says", [
    (b"PK\x03\x04" + bytes(26) + b"archive/data.pkl" + bytes(50), "read it by gpunet.load"),
    (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", "a pickled PyTorch file; read it by gpunet.load"),
    (b"PK\x03\x04" + bytes(26) + b"weight.npy" + bytes(50), "an archive of numpy.savez; load it by numpy.load"),
    (b"\x93NUMPY\x01\0", "an array of numpy.save"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file, as Keras writes"),
    (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "get the file itself by `git lfs pull`"),
])
def test_other_files_say_what_they_are(tmp_path, content, says):
    path = tmp_path / "f.pt"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="load_file: .*f.pt is not a safetensors file but ") as error:
        gpunet.load_file(path)
    assert says in str(error.value)


def test_errors(tmp_path):
    path = tmp_path / "f"
    with pytest.raises(FileNotFoundError, match="load_file: there is no file .*f"):
        gpunet.load_file(path)
    with pytest.raises(TypeError, match="save_file: 'a' must be a tensor or a NumPy array, got list"):
        gpunet.save_file({"a": [1]}, path)
    with pytest.raises(TypeError, match="save_file: 'a' is of type complex64"):
        gpunet.save_file({"a": np.ones(1, np.complex64)}, path)
    with pytest.raises(TypeError, match="names must be strings, got 1"):
        gpunet.save_file({1: np.ones(1)}, path)
    with pytest.raises(TypeError, match="metadata must map strings to strings, got 'epoch': 3"):
        gpunet.save_file({}, path, metadata={"epoch": 3})
    gpunet.save_file({"a": gpunet.ones(100)}, path)
    whole = path.read_bytes()
    for damaged in (b"", whole[:50], whole[:-4], b"PK\x03\x04" + whole):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match="load_file: .*f is damaged or not a safetensors file"):
            gpunet.load_file(path)
    header = json.dumps({"a": {"dtype": "F8_E5M2", "shape": [1], "data_offsets": [0, 1]}}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + b"\0")
    with pytest.raises(ValueError, match="f cannot be loaded: 'a' is of type F8_E5M2, which gpunet does not have"):
        gpunet.load_file(path)
