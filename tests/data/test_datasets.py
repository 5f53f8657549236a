"""Datasets from files: good ones are read as torchvision reads them, and bad ones are named in one sentence."""

import io
import os
import pickle
import struct
import tarfile
import warnings

import numpy as np
import pytest

import gpunet
from gpunet.data import DataLoader, datasets
from gpunet.data.datasets import DatasetError
from gpunet.data.transforms import ToTensor
from gpunet.vision import utils
from tests.data.test_mnist import idx

RANDOM = np.random.default_rng(0)


# ---- MNIST's relatives


@pytest.mark.parametrize("kind, options, folder, prefix, classes", [
    (datasets.MNIST, {}, "MNIST/raw", "{}", 10), (datasets.FashionMNIST, {}, "FashionMNIST/raw", "{}", 10),
    (datasets.KMNIST, {}, "KMNIST/raw", "{}", 10),
    (datasets.EMNIST, {"split": "letters"}, "EMNIST/raw", "emnist-letters-{}", 27),
    (datasets.EMNIST, {"split": "byclass"}, "EMNIST/raw", "emnist-byclass-{}", 62)])
def test_files_of_mnists_format(tmp_path, kind, options, folder, prefix, classes):
    with pytest.raises(DatasetError, match=rf"has no .*; get the four {kind.__name__} files from http"):
        kind(tmp_path, download=True, **options)
    images = RANDOM.integers(0, 256, (5, 4, 3), dtype=np.uint8)
    labels = np.array([0, 1, 2, 3, classes - 1], np.uint8)
    (tmp_path / folder).mkdir(parents=True)
    part = prefix.format("test" if "emnist" in prefix else "t10k")
    (tmp_path / folder / f"{part}-images-idx3-ubyte").write_bytes(idx(images))
    (tmp_path / folder / f"{part}-labels-idx1-ubyte").write_bytes(idx(labels))
    dataset = kind(tmp_path, train=False, download=True, transform=None, **options)
    assert len(dataset) == 5 and len(dataset.classes) == classes and dataset.targets.tolist() == labels.tolist()
    image, label = dataset[4]
    assert image.mode == "L" and image.size == (3, 4) and label == classes - 1
    np.testing.assert_array_equal(image, images[4])
    assert dataset.class_to_idx[dataset.classes[2]] == 2 and f"Dataset {kind.__name__}\n" in repr(dataset)


# ---- CIFAR


def of_python_2(value) -> bytes:
    """The pickle of a value as Python 2 wrote it: texts and arrays as strings of bytes."""
    def text(content):
        return b"T" + struct.pack("<i", len(content)) + content

    def written(value):
        if isinstance(value, dict):
            return b"}(" + b"".join(text(key.encode()) + written(each) for key, each in value.items()) + b"u"
        if isinstance(value, list):
            return b"](" + b"".join(map(written, value)) + b"e"
        if isinstance(value, int):
            return b"J" + struct.pack("<i", value)
        if isinstance(value, str):
            return text(value.encode())
        kind = b"cnumpy\ndtype\n(" + text(b"u1") + written(0) + written(1) + b"tR(" + written(3) + text(b"|") + (
            b"NNN" + written(-1) + written(-1) + written(0) + b"tb")
        shape = b"(" + b"".join(map(written, value.shape)) + b"t"
        return (b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(" + written(0) + b"t" + text(b"b") + b"tR("
                + written(1) + shape + kind + b"\x89" + text(value.tobytes()) + b"tb")

    return b"\x80\x02" + written(value) + b"."


def write_cifar(root, fine):
    """Both parts; returns the training images [N, 32, 32, 3] and classes."""
    folder = root / ("cifar-100-python" if fine else "cifar-10-batches-py")
    folder.mkdir(parents=True)
    labels, meta = ("fine_labels", "meta") if fine else ("labels", "batches.meta")
    names = {("fine_label_names" if fine else "label_names"): [f"class {i}" for i in range(10)]}
    (folder / meta).write_bytes(of_python_2(names))
    pixels, targets = [], []
    for name in ("train", "test") if fine else (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"):
        batch = RANDOM.integers(0, 256, (3, 3072), dtype=np.uint8)
        chosen = RANDOM.integers(0, 10, 3).tolist()
        (folder / name).write_bytes(of_python_2({"data": batch, labels: chosen, "batch_label": name}))
        if "test" not in name:
            pixels.append(batch.reshape(3, 3, 32, 32).transpose(0, 2, 3, 1))
            targets += chosen
    return np.concatenate(pixels), targets


@pytest.mark.parametrize("fine", [False, True])
@pytest.mark.parametrize("packed", [False, True])
def test_cifar(tmp_path, fine, packed):
    kind, archive = (datasets.CIFAR100, "cifar-100-python.tar.gz") if fine else (datasets.CIFAR10,
                                                                               "cifar-10-python.tar.gz")
    images, targets = write_cifar(tmp_path / "made", fine)
    root = tmp_path / "made"
    if packed:
        root = tmp_path / "packed"
        root.mkdir()
        with tarfile.open(root / archive, "w:gz") as tar:
            for folder in (tmp_path / "made").iterdir():
                tar.add(folder, folder.name)
    dataset = kind(root, train=True, download=True, transform=ToTensor())
    np.testing.assert_array_equal(dataset.data, images)
    assert dataset.targets == targets and dataset.classes[3] == "class 3" and len(kind(root, train=False)) == 3
    image, label = dataset[1]
    np.testing.assert_array_equal(image.numpy(), images[1].transpose(2, 0, 1).astype(np.float32) / 255)
    assert label == targets[1] and kind(root)[1][0].size == (32, 32)


class Harmful:
    def __reduce__(self):
        return os.system, ("touch harmful",)


@pytest.mark.parametrize("content, says", [
    (None, "has no data_batch_2; gpunet downloads nothing: get it from https"), (b"", "data_batch_2 of .* is damaged"),
    (of_python_2({"data": np.zeros((2, 3000), np.uint8), "labels": [0, 1]}), "does not hold images of 3,072 bytes"),
    (of_python_2({"data": np.zeros((2, 3072), np.uint8), "labels": [0, 10]}), "with a class for each"),
    (of_python_2([1]), "holds no dict"), (pickle.dumps(Harmful(), 2), "it asks for posix.system, which no dataset"),
    (b"<html>not found</html>", "is damaged")])
def test_damaged_cifar(tmp_path, monkeypatch, content, says):
    monkeypatch.chdir(tmp_path)
    write_cifar(tmp_path, False)
    path = tmp_path / "cifar-10-batches-py" / "data_batch_2"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DatasetError, match=says) as error:
        datasets.CIFAR10(tmp_path)
    assert "\n" not in str(error.value) and "www.cs.toronto.edu" in str(error.value)
    assert not (tmp_path / "harmful").exists()


# ---- SVHN


@pytest.mark.parametrize("packed", [False, True])
def test_svhn(tmp_path, packed):
    savemat = pytest.importorskip("scipy.io").savemat
    images, labels = RANDOM.integers(0, 256, (32, 32, 3, 4), dtype=np.uint8), np.array([[1], [10], [9], [10]], np.uint8)
    savemat(tmp_path / "test_32x32.mat", {"X": images, "y": labels}, do_compression=packed)
    dataset = datasets.SVHN(tmp_path, "test", download=True)
    assert dataset.labels.tolist() == [1, 0, 9, 0] and dataset.data.shape == (4, 3, 32, 32)
    image, label = dataset[2]
    np.testing.assert_array_equal(image, images[..., 2])
    assert label == 9
    content = (tmp_path / "test_32x32.mat").read_bytes()
    for damaged, says in ((content[:300], "is damaged"), (b"html", "is no MATLAB 5 file"), (content[:128], "not hold")):
        (tmp_path / "train_32x32.mat").write_bytes(damaged)
        with pytest.raises(DatasetError, match=f"{says}.*ufldl.stanford.edu"):
            datasets.SVHN(tmp_path)
    with pytest.raises(DatasetError, match="has no extra_32x32.mat; gpunet downloads nothing: get it from http"):
        datasets.SVHN(tmp_path, "extra", download=True)
    with pytest.raises(ValueError, match="train, test, extra"):
        datasets.SVHN(tmp_path, "validation")


# ---- folders


def picture(path, seed=0, size=(4, 6)):
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    array = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    Image.fromarray(array).save(path)
    return array


def test_image_folder(tmp_path):
    written = {name: picture(tmp_path / name, seed) for seed, name in enumerate(
        ("dog/b.png", "dog/a.PNG", "cat/deep/c.bmp", "cat/z.png"))}
    (tmp_path / "dog" / "notes.txt").write_text("no image")
    (tmp_path / "list.txt").write_text("no class")
    dataset = datasets.ImageFolder(tmp_path)
    names = [os.path.relpath(path, tmp_path) for path, _ in dataset.imgs]
    assert names == ["cat/z.png", "cat/deep/c.bmp", "dog/a.PNG", "dog/b.png"]
    assert dataset.classes == ["cat", "dog"] and dataset.targets == [0, 0, 1, 1] and len(dataset) == 4
    for (image, label), name in zip(dataset, names, strict=True):
        np.testing.assert_array_equal(image, written[name])
        assert label == (name[:3] == "dog") and image.mode == "RGB"
    (batch, labels), _ = DataLoader(datasets.ImageFolder(tmp_path, ToTensor()), 2, num_workers=1)
    assert batch.shape == (2, 3, 4, 6) and labels.tolist() == [0, 0]
    only = datasets.ImageFolder(tmp_path, is_valid_file=lambda path: path.endswith("z.png"), allow_empty=True)
    assert len(only) == 1


def test_folders_that_are_none(tmp_path):
    with pytest.raises(DatasetError, match="has no folders"):
        datasets.ImageFolder(tmp_path)
    (tmp_path / "cat").mkdir()
    with pytest.raises(DatasetError, match="no file that ends in .jpg, .* in cat; pass allow_empty"):
        datasets.ImageFolder(tmp_path)
    assert len(datasets.ImageFolder(tmp_path, allow_empty=True)) == 0
    (tmp_path / "cat" / "cut.png").write_bytes(b"\x89PNG\r\n")
    with pytest.raises(DatasetError, match="cut.png cannot be read: it is no image"):
        datasets.ImageFolder(tmp_path)[0]
    with pytest.raises(ValueError, match="either extensions or is_valid_file"):
        datasets.DatasetFolder(tmp_path, open)


def test_fake_data():
    fake = datasets.FakeData(4, (1, 3, 5), num_classes=7, transform=ToTensor())
    first = [fake[i] for i in range(4)]
    gpunet.rand(3)
    assert all(bool((a == b).all()) and x == y for (a, x), (b, y) in zip(first, map(fake.__getitem__, range(4)),
                                                                      strict=True))
    assert first[0][0].shape == (1, 3, 5) and bool((first[0][0] != first[1][0]).any())
    assert bool((datasets.FakeData(4, (1, 3, 5), transform=ToTensor(), random_offset=1)[0][0] == first[1][0]).all())
    with pytest.raises(IndexError, match="length of 4"):
        fake[4]


# ---- texts


@pytest.mark.parametrize("name", ["train.bin", "train.npy"])
def test_tokens(tmp_path, name):
    numbers = (np.arange(23) * 3000).astype(np.uint16)
    np.save(tmp_path / name, numbers) if name.endswith("npy") else numbers.tofile(tmp_path / name)
    tokens = datasets.Tokens(tmp_path / name, 5)
    assert len(tokens) == 4 and [x[0].item() for x, _ in tokens] == numbers[[0, 5, 10, 15]].tolist()
    every = datasets.Tokens(tmp_path / name, 5, stride=1)
    assert len(every) == 18
    x, y = every[-1]
    assert x.dtype == gpunet.int64 and x.tolist() == numbers[17:22].tolist() and y.tolist() == numbers[18:].tolist()
    again = pickle.loads(pickle.dumps(tokens))  # goes to a worker by its path
    assert len(pickle.dumps(tokens)) < 600 and again[3][1].tolist() == tokens[3][1].tolist()


@pytest.mark.parametrize("call, says", [
    (lambda path: datasets.Tokens(path / "none", 3), "none cannot be read: No such file"),
    (lambda path: datasets.Tokens(path / "odd", 1), "5 bytes, which is no whole number of uint16"),
    (lambda path: datasets.Tokens(path / "odd", 5, "uint8"), "has 5 tokens; pieces of 5 need at least 6"),
    (lambda path: datasets.Tokens(path / "bad.npy", 2), "is no file of numbers"),
    (lambda path: datasets.Text(path / "latin", 1), "no text in UTF-8: byte 0"),
    (lambda path: datasets.Text(path / "odd", 9), "5 characters"),
    (lambda path: datasets.Text(path / "odd", 2, vocabulary="ab"), "'c' is not in the vocabulary")])
def test_texts_that_are_none(tmp_path, call, says):
    (tmp_path / "odd").write_bytes(b"abcab")
    (tmp_path / "bad.npy").write_bytes(b"text")
    (tmp_path / "latin").write_bytes(b"\xff\xfe\xfd")
    with pytest.raises(DatasetError, match=says):
        call(tmp_path)


def test_text(tmp_path):
    (tmp_path / "text").write_text("to be or not")
    text = datasets.Text(tmp_path / "text", 4)
    assert text.vocabulary == " benort" and len(text) == 2
    x, y = text[1]
    assert text.decode(x) == "e or" and text.decode(y) == " or " and text.encode("not").tolist() == [3, 4, 6]


# ---- pictures of tensors


@pytest.mark.parametrize("shape, options", [
    ((5, 1, 3, 4), {"nrow": 2}), ((5, 3, 3, 4), {"nrow": 2, "padding": 1, "pad_value": 0.5}), ((3, 4), {}),
    ((1, 3, 4), {}), ((3, 3, 4), {}), ((2, 2, 3, 4), {}), ((4, 3, 3, 4), {"normalize": True}),
    ((4, 3, 3, 4), {"normalize": True, "scale_each": True, "padding": 0}),
    ((4, 3, 3, 4), {"normalize": True, "value_range": (0.2, 0.6)})])
def test_make_grid(shape, options):
    """Against the layout, said another way: a frame of pad_value, and image k at row k // nrow, column k % nrow."""
    images = gpunet.tensor(np.random.default_rng(1).random(shape, dtype=np.float32))
    before = images.numpy().copy()
    grid = utils.make_grid(images, **options).numpy()
    np.testing.assert_array_equal(images.numpy(), before)
    each = before.reshape((1,) * (4 - len(shape)) + shape)
    each = np.repeat(each, 3, 1) if each.shape[1] == 1 else each
    if options.get("normalize"):
        axes = (1, 2, 3) if options.get("scale_each") else None
        low, high = options.get("value_range") or (each.min(axes, keepdims=True), each.max(axes, keepdims=True))
        each = (each.clip(low, high) - low) / (high - low)
    count, padding, columns = len(each), options.get("padding", 2), min(options.get("nrow", 8), len(each))
    if count > 1:
        rows = -(-count // columns)
        blank = np.full((rows * columns - count, *each.shape[1:]), options.get("pad_value", 0.0), np.float32)
        framed = np.pad(np.concatenate([each, blank]), ((0, 0), (0, 0), (padding, 0), (padding, 0)),
                        constant_values=options.get("pad_value", 0.0))
        tiled = framed.reshape(rows, columns, *framed.shape[1:]).transpose(2, 0, 3, 1, 4)
        tiled = tiled.reshape(framed.shape[1], rows * framed.shape[2], -1)
        each = np.pad(tiled, ((0, 0), (0, padding), (0, padding)), constant_values=options.get("pad_value", 0.0))[None]
    np.testing.assert_allclose(grid, each[0], atol=1e-6)


def test_save_image(tmp_path):
    from PIL import Image

    images = [gpunet.full((3, 2, 2), value) for value in (0.0, 0.5, 1.2)]
    utils.save_image(images, tmp_path / "three.png", padding=0)
    with Image.open(tmp_path / "three.png") as image:
        assert image.size == (6, 2) and [image.getpixel((x, 1))[0] for x in (0, 2, 4)] == [0, 128, 255]
    assert os.listdir(tmp_path) == ["three.png"]
    file = io.BytesIO()
    utils.save_image(gpunet.ones(1, 4, 4), file, format="bmp")
    assert file.getvalue()[:2] == b"BM"
    with pytest.raises(ValueError, match="no ending that names a format"):
        utils.save_image(images, tmp_path / "three")
    with pytest.raises(TypeError, match="make_grid takes a Tensor"):
        utils.make_grid([1, 2])


def test_vision_has_torchvisions_layout():
    from gpunet import vision

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert vision.datasets is datasets and vision.transforms.functional.hflip and vision.utils.save_image
