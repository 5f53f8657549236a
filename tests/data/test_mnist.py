"""IDX files and MNIST: good ones are read, bad ones are named in one sentence."""

import gzip
import struct

import numpy as np
import pytest

from gpunet.data.datasets import MNIST, DatasetError, read_idx

CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}


def idx(array, code=None, shape=None):
    """The bytes of an IDX file, written by the format's own description."""
    shape = array.shape if shape is None else shape
    code = CODES[array.dtype.str[1:]] if code is None else code
    header = struct.pack(">HBB", 0, code, len(shape)) + struct.pack(f">{len(shape)}I", *shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


def write_set(folder, part, count, size=(28, 28), seed=0):
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (count, *size), dtype=np.uint8)
    labels = rng.integers(0, 10, count, dtype=np.uint8)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{part}-images-idx3-ubyte").write_bytes(idx(images))
    (folder / f"{part}-labels-idx1-ubyte").write_bytes(idx(labels))
    return images, labels


@pytest.mark.parametrize("dtype", CODES)
@pytest.mark.parametrize("shape", [(5,), (2, 3), (0, 4), (2, 3, 4, 1)])
@pytest.mark.parametrize("packed", [False, True])
def test_read_idx(tmp_path, dtype, shape, packed):
    array = (np.random.default_rng(0).normal(size=shape) * 100).astype(dtype)
    content = idx(array)
    path = tmp_path / "file"
    path.write_bytes(gzip.compress(content) if packed else content)
    result = read_idx(path)
    assert result.dtype == array.dtype and result.dtype.isnative and result.flags.writeable
    np.testing.assert_array_equal(result, array)


GOOD = idx(np.zeros((3, 2, 2), np.uint8))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is not an IDX file"),
        (b"\x00\x00", "is not an IDX file"),
        (b"<!DOCTYPE html>", "is not an IDX file: it starts with the bytes 3c 21 44 4f"),
        (b"\x00\x00\x07" + GOOD[3:], "is not an IDX file"),
        (GOOD[:9], "cut off within its header: 9 bytes of 16"),
        (GOOD[:-1], "is cut off"),
        (GOOD + b"x", "has bytes too many"),
        (gzip.compress(GOOD, mtime=0)[:-12], "damaged gzip"),
        (gzip.compress(GOOD, mtime=0)[:12] + b"\xff\xff\xff" + gzip.compress(GOOD, mtime=0)[15:], "damaged gzip"),
        (idx(np.zeros(4, np.uint8), shape=(2**31, 2**31, 4)), "is cut off"),
    ],
)
def test_damaged_idx(tmp_path, content, says):
    path = tmp_path / "images"
    path.write_bytes(content)
    with pytest.raises(DatasetError) as error:
        read_idx(path)
    message = str(error.value)
    assert says in message and str(path) in message and message.count("\n") == 0


def test_missing_idx(tmp_path):
    with pytest.raises(DatasetError, match="gone does not exist"):
        read_idx(tmp_path / "gone")
    with pytest.raises(DatasetError, match="cannot be read"):
        read_idx(tmp_path)


@pytest.mark.parametrize("below", ["", "MNIST/raw"])
@pytest.mark.parametrize("dotted", [False, True])
@pytest.mark.parametrize("packed", [False, True])
def test_mnist_in_every_place_and_spelling(tmp_path, below, dotted, packed):
    folder = tmp_path / below
    images, labels = write_set(folder, "train", 6)
    for path in list(folder.iterdir()):
        content = path.read_bytes()
        path.unlink()
        name = path.name.replace("-idx", ".idx") if dotted else path.name
        (folder / (name + ".gz" if packed else name)).write_bytes(gzip.compress(content) if packed else content)
    dataset = MNIST(tmp_path)
    assert len(dataset) == 6 and dataset.train
    np.testing.assert_array_equal(dataset.data.numpy(), images)
    np.testing.assert_array_equal(dataset.targets.numpy(), labels)
    image, label = dataset[2]
    np.testing.assert_array_equal(image, images[2])
    assert label == labels[2]


def test_test_part_is_the_other_pair(tmp_path):
    write_set(tmp_path, "train", 5)
    _, labels = write_set(tmp_path, "t10k", 4, seed=1)
    assert MNIST(tmp_path, train=False).targets.tolist() == labels.tolist()


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        (None, None, "train-images-idx3-ubyte"),
        ("train-labels-idx1-ubyte", None, "train-labels-idx1-ubyte"),
        ("train-images-idx3-ubyte", GOOD[:-2], "is cut off"),
        ("train-images-idx3-ubyte", idx(np.zeros((6, 784), np.uint8)), "3 dimensions"),
        ("train-images-idx3-ubyte", idx(np.zeros((6, 28, 28), np.float32)), "float32"),
        ("train-labels-idx1-ubyte", idx(np.zeros((6, 1), np.uint8)), "1 dimension"),
        ("train-labels-idx1-ubyte", idx(np.zeros(5, np.uint8)), "6 images but"),
        ("train-labels-idx1-ubyte", idx(np.full(6, 12, np.uint8)), "label 12"),
    ],
)
def test_mnist_says_which_file_and_where_to_get_it(tmp_path, name, content, says):
    root = tmp_path / "set"
    if name is not None:
        write_set(root, "train", 6)
        (root / name).unlink()
        if content is not None:
            (root / name).write_bytes(content)
    else:
        root.mkdir()
    with pytest.raises(DatasetError) as error:
        MNIST(root)
    message = str(error.value)
    assert says in message and str(root) in message and message.count("\n") == 0
    assert "https://ossci-datasets.s3.amazonaws.com/mnist/" in message


def test_mnist_without_its_folder(tmp_path):
    with pytest.raises(DatasetError, match="nowhere does not exist; get the four MNIST files from https"):
        MNIST(tmp_path / "nowhere")
