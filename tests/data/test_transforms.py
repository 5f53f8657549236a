"""Transforms against their formulas and torchvision's texts."""

import numpy as np
import pytest

import gpunet
from gpunet.data.transforms import Compose, Normalize, ToTensor


def picture(*shape):
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def test_to_tensor_scales_bytes_and_moves_channels_first():
    grey, colour = picture(5, 7), picture(5, 7, 3)
    assert ToTensor()(grey).shape == (1, 5, 7)
    result = ToTensor()(colour)
    assert result.dtype == gpunet.float32
    np.testing.assert_array_equal(result.numpy(), colour.transpose(2, 0, 1).astype(np.float32) / 255)


def test_to_tensor_leaves_other_types_alone_and_copies():
    image = np.linspace(0, 9, 12, dtype=np.float64).reshape(3, 4)
    result = ToTensor()(image)
    image[:] = -1
    assert result.dtype == gpunet.float64 and result[0, 2, 3].item() == 9


@pytest.mark.parametrize("mode", ["L", "RGB", "1", "RGBA"])
def test_to_tensor_takes_pillow_images(mode):
    Image = pytest.importorskip("PIL.Image")
    image = Image.fromarray(picture(4, 6, 3)).convert(mode)
    expected = np.asarray(image.convert("L") if mode == "1" else image, dtype=np.float32).reshape(4, 6, -1) / 255
    np.testing.assert_array_equal(ToTensor()(image).numpy(), expected.transpose(2, 0, 1))


def test_normalize_is_its_formula():
    image = gpunet.tensor(np.random.default_rng(1).normal(size=(2, 3, 4, 4)).astype(np.float32))
    mean, std = (0.1, 0.2, 0.3), (0.5, 0.25, 2.0)
    expected = (image.numpy() - np.float32(mean)[:, None, None]) / np.float32(std)[:, None, None]
    before = image.numpy().copy()
    np.testing.assert_array_equal(Normalize(mean, std)(image).numpy(), expected)
    np.testing.assert_array_equal(image.numpy(), before)
    assert Normalize(mean, std, inplace=True)(image) is image
    np.testing.assert_array_equal(image.numpy(), expected)


def test_reprs_are_torchvisions():
    transform = Compose([ToTensor(), Normalize((0.1307,), (0.3081,))])
    assert repr(transform) == "Compose(\n    ToTensor()\n    Normalize(mean=(0.1307,), std=(0.3081,))\n)"


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda: ToTensor()(gpunet.zeros(2, 2)), TypeError, "NumPy array or a Pillow image, not Tensor"),
        (lambda: ToTensor()(np.zeros(3)), ValueError, r"not \(3,\)"),
        (lambda: Normalize((0,), (1,))(np.zeros((1, 2, 2))), TypeError, "ToTensor"),
        (lambda: Normalize((0,), (1,))(gpunet.zeros(1, 2, 2, dtype=gpunet.uint8)), TypeError, "uint8"),
        (lambda: Normalize((0,), (1,))(gpunet.zeros(2, 2)), ValueError, r"\(2, 2\)"),
        (lambda: Normalize((0, 0), (1, 0)), ValueError, "zero"),
    ],
)
def test_refusals(call, error, says):
    with pytest.raises(error, match=says):
        call()
