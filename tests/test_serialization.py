"""Tensors in safetensors files: every layout and type survives; what is wrong is said clearly."""

import json

import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy

import gpunet

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
        assert file.metadata() == {"epoch": "3"}


def test_interchange_with_pytorch(tmp_path):
    torch = pytest.importorskip("torch")
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

    def fail(arrays, beside, metadata=None):
        beside.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(safetensors.numpy, "save_file", fail)
    with pytest.raises(OSError, match="disk full"):
        gpunet.save_file({"a": gpunet.zeros(1)}, path)
    assert gpunet.load_file(path)["a"].tolist() == [1] and [p.name for p in tmp_path.iterdir()] == ["f"]


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
    with pytest.raises(ValueError, match="'a' in .*f is of type F8_E5M2, which gpunet does not have"):
        gpunet.load_file(path)
