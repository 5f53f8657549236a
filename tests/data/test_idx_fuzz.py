"""Thousands of damaged IDX files: each is refused by name, or is what its bytes say."""

import gzip
import math
import struct
import zlib

import numpy as np
import pytest

from gpunet.data.datasets import MNIST, DatasetError, read_idx
from tests.data.test_mnist import CODES, idx
from tests.mutate import mutations

_RANDOM = np.random.default_rng(0)
PLAIN = [idx((_RANDOM.normal(size=shape) * 50).astype(dtype))
         for dtype in CODES for shape in ((7,), (3, 4), (2, 3, 3), (0, 5), (1, 1, 1, 1))]
PACKED = [gzip.compress(each, mtime=0) for each in PLAIN]


def meaning(content):
    """The file read anew, by the format's description and the standard library; None where it is no whole file."""
    if content[:2] == b"\x1f\x8b":
        try:
            content = gzip.decompress(content)
        except (EOFError, OSError, zlib.error):
            return None
    codes = {number: dtype for dtype, number in CODES.items()}
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in codes or len(content) < 4 + 4 * content[3]:
        return None
    shape = struct.unpack_from(f">{content[3]}I", content, 4)
    dtype = np.dtype(codes[content[2]]).newbyteorder(">")
    values = content[4 + 4 * len(shape):]
    if len(values) != math.prod(shape) * dtype.itemsize or len(shape) > 64 or math.prod(n or 1 for n in shape) >= 2**60:
        return None
    return np.frombuffer(values, dtype).reshape(shape)


def test_damaged_files_are_refused_or_mean_what_they_say(tmp_path):
    path, accepted = tmp_path / "file", 0
    for content in (*mutations(PLAIN, 1500, seed=1, header=20), *mutations(PACKED, 1500, seed=2)):
        path.write_bytes(content)
        expected = meaning(content)
        try:
            found = read_idx(path)
        except DatasetError as error:
            message = str(error)
            assert expected is None and str(path) in message and "\n" not in message and len(message) < 400, message
        else:
            accepted += 1
            assert expected is not None and found.shape == expected.shape and found.dtype.isnative
            assert found.tobytes() == expected.astype(found.dtype).tobytes()
    assert accepted > 150  # most values, and the fields that gzip does not check, may change


def test_damaged_sets_are_refused_or_whole(tmp_path):
    images, labels = idx(_RANDOM.integers(0, 256, (5, 4, 3), np.uint8)), idx(np.arange(5, dtype=np.uint8))
    names = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte")
    for number, pair in enumerate(zip(mutations([images, images, labels], 400, seed=3, header=16),
                                      mutations([labels, labels, images], 400, seed=4, header=8), strict=True)):
        for name, content, whole in zip(names, pair, (images, labels), strict=True):
            (tmp_path / name).write_bytes(whole if number % 3 == names.index(name) else content)
        try:
            data = MNIST(tmp_path)
        except DatasetError as error:
            assert "\n" not in str(error)
        else:
            assert data.data.ndim == 3 and data.data.numel() > 0 and len(data.targets) == len(data.data)
            assert data.targets.max() <= 9


def bomb(announced, unpacked):
    """A gzip file of a few kilobytes that announces bytes and unpacks to bytes of zeros."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    parts = [packer.compress(b"\0\0\x08\x01" + struct.pack(">I", announced))]
    parts += [packer.compress(bytes(2**20)) for _ in range(unpacked >> 20)]
    return b"".join([*parts, packer.flush()])


def test_no_more_is_unpacked_than_announced(tmp_path, monkeypatch):
    """Not by memory, which other tests use too, but by what is asked of gzip."""
    asked = []
    read = gzip.GzipFile.read
    monkeypatch.setattr(gzip.GzipFile, "read", lambda self, size=-1: asked.append(size) or read(self, size))
    path = tmp_path / "bomb.gz"
    for announced, unpacked, says in (
        (1000, 16 << 20, "has bytes too many: more bytes of values, and its header (1000,) says 1000."),
        (2**32 - 1, 1 << 20, "is cut off: "),
    ):
        path.write_bytes(bomb(announced, unpacked))
        with pytest.raises(DatasetError) as error:
            read_idx(path)
        assert says in str(error.value)
    assert max(asked) == 1001


def test_what_is_too_large_to_unpack_is_named(tmp_path, monkeypatch):
    from gpunet.data.datasets import idx as module

    monkeypatch.setattr(module, "_MOST_UNPACKED", 2**20)
    path = tmp_path / "large.gz"
    path.write_bytes(bomb(2 << 20, 2 << 20))
    with pytest.raises(DatasetError, match="announces 2,097,152 bytes of values.*gunzip"):
        read_idx(path)
