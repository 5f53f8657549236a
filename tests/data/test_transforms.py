"""Transforms against their formulas and torchvision's texts."""

import json
import pickle

import numpy as np
import pytest

import gpunet
from gpunet.data import transforms
from gpunet.data.transforms import Compose, Normalize, ToTensor, drawing, functional, v2
from gpunet.random import default_generator, philox
from tests.data import transform_cases


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
        (lambda: functional.hflip("image"), TypeError, "hflip takes a Pillow image, a Tensor or a NumPy array"),
        (lambda: transforms.RandomCrop(9)(gpunet.zeros(1, 8, 8)), ValueError, "9 x 9 does not fit .* 8 x 8; pass pad"),
        (lambda: functional.resize(gpunet.zeros(1, 2, 2), 4, transforms.InterpolationMode.BOX), ValueError, "box"),
        (lambda: functional.resize(gpunet.zeros(1, 2, 2), 4, "bilinear"), TypeError, "InterpolationMode"),
        (lambda: functional.pad(gpunet.zeros(1, 2, 2), [1, 2, 3]), ValueError, "left, top, right, bottom"),
        (lambda: functional.pad(gpunet.zeros(1, 2, 2), 1, padding_mode="wrap"), ValueError, "symmetric, not 'wrap'"),
        (lambda: functional.adjust_hue(gpunet.zeros(3, 2, 2), 0.6), ValueError, "-0.5 to 0.5"),
        (lambda: functional.invert(gpunet.zeros(2, 2, 2)), TypeError, "1 or 3 channels"),
        (lambda: functional.equalize(gpunet.zeros(3, 2, 2)), TypeError, "uint8"),
        (lambda: functional.rotate(gpunet.zeros(3, 2, 2), 5, fill=[1, 2]), ValueError, "fill has 2 numbers"),
        (lambda: functional.to_pil_image(gpunet.zeros(5, 2, 2)), ValueError, "1 to 4 channels"),
        (lambda: transforms.ToPILImage("RGB")(gpunet.zeros(1, 2, 2)), ValueError, "mode RGB does not fit"),
        (lambda: transforms.GaussianBlur(4), ValueError, "odd"),
        (lambda: transforms.ColorJitter(hue=0.7), ValueError, "hue must be within"),
        (lambda: transforms.RandomErasing(value="noise"), ValueError, '"random"'),
        (lambda: transforms.RandomErasing(p=1.0)(np.zeros((4, 4))), TypeError, "ToTensor"),
    ],
)
def test_refusals(call, error, says):
    with pytest.raises(error, match=says):
        call()


# ---- against torchvision's results


KNOWN = json.loads(transform_cases.VALUES.read_text())


@pytest.mark.parametrize("case", list(transform_cases.cases()), ids=lambda case: case[0])
def test_functions_give_torchvisions_values(case):
    """Pillow images exactly; tensors to one part in 255, for values that lie between two integers."""
    key, *call = case
    arrays = transform_cases.result(functional, transforms.InterpolationMode, gpunet.from_numpy, *call)
    assert len(arrays) == len(KNOWN[key])
    for array, known in zip(arrays, KNOWN[key], strict=True):
        assert list(array.shape) == known["shape"] and array.dtype == (np.float32 if call[3] == "float" else np.uint8)
        difference = np.abs(array.ravel().astype(float) - known["values"])
        assert difference.max() <= {"pil": 0, "float": 3e-5}.get(call[3], 1)
        assert (difference > 0).mean() < 0.05 or call[3] == "float"


@pytest.mark.parametrize("name, arguments", [("resize", [[3, 4]]), ("rotate", [30]), ("gaussian_blur", [3]),
                                             ("equalize", []), ("adjust_hue", [0.2]), ("pad", [2, 0, "symmetric"])])
def test_functions_work_where_the_tensor_is(name, arguments, device):
    image = gpunet.tensor(picture(3, 6, 5))
    here = getattr(functional, name)(image, *arguments)
    there = getattr(functional, name)(image.to(device), *arguments)
    assert there.device.type == gpunet.device(device).type and there.dtype == here.dtype
    assert np.abs(there.cpu().numpy().astype(int) - here.numpy()).max() <= 1


def test_arrays_are_taken_as_pillow_images():
    from PIL import Image

    array = picture(6, 5, 3)
    made = functional.rotate(array, 30)
    assert np.array_equal(made, functional.rotate(Image.fromarray(array), 30))
    prepare = transforms.Compose([transforms.Pad(2), transforms.RandomCrop(6), ToTensor()])
    assert prepare(picture(6, 6)).shape == (1, 6, 6)


@pytest.mark.parametrize("old, new, values", [
    ("uint8", "float32", [0.0, 1 / 255, 1.0]), ("uint8", "int16", [0, 128, 255 * 128]), ("int16", "uint8", [0, 0, 0]),
    ("uint8", "float16", [0.0, 1 / 255, 1.0]), ("float32", "uint8", [0, 255, 255])])
def test_convert_image_dtype(old, new, values):
    given = [0.0, 1.0, 1.0] if old == "float32" else [0, 1, 255 if old == "uint8" else 127]
    made = functional.convert_image_dtype(gpunet.tensor(given, dtype=getattr(gpunet, old)), getattr(gpunet, new))
    assert made.dtype == getattr(gpunet, new)
    np.testing.assert_allclose(made.tolist(), values, rtol=1e-3)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA", "F", "I", "I;16", "CMYK", "YCbCr"])
def test_pillow_images_survive_the_way_there_and_back(mode):
    from PIL import Image

    image = Image.fromarray(picture(4, 6, 3))
    image = (Image.fromarray(picture(4, 6).astype({"F": np.float32, "I": np.int32, "I;16": np.uint16}[mode]))
             if mode in ("F", "I", "I;16") else image.convert(mode))
    tensor = functional.pil_to_tensor(image)
    back = functional.to_pil_image(tensor, mode)
    assert back.mode == mode and back.size == image.size and np.array_equal(np.asarray(back), np.asarray(image))


# ---- drawn at random


IMAGE = gpunet.tensor(picture(3, 24, 20) // 2 + 50)
EVERY = [
    transforms.RandomHorizontalFlip(), transforms.RandomVerticalFlip(), transforms.RandomCrop(8, padding=2),
    transforms.RandomResizedCrop(8), transforms.RandomRotation(30, fill=5),
    transforms.RandomAffine(20, (0.2, 0.1), (0.8, 1.2), 10), transforms.RandomPerspective(p=1.0),
    transforms.ColorJitter(0.4, 0.4, 0.4, 0.1), transforms.RandomGrayscale(p=0.5),
    transforms.GaussianBlur(3), transforms.RandomInvert(),
    transforms.RandomPosterize(2), transforms.RandomSolarize(100), transforms.RandomAdjustSharpness(2.0),
    transforms.RandomAutocontrast(), transforms.RandomEqualize(), transforms.ElasticTransform(20.0, 2.0),
    transforms.RandomErasing(p=0.8, value="random"), transforms.RandomApply([transforms.RandomInvert(1.0)]),
    transforms.RandomChoice([transforms.RandomInvert(1.0), transforms.RandomVerticalFlip(1.0)]),
    transforms.RandomOrder([transforms.Pad(1, fill=9), transforms.RandomCrop(8)]), transforms.AutoAugment(),
    *[transforms.AutoAugment(policy) for policy in transforms.AutoAugmentPolicy], transforms.RandAugment(),
    transforms.TrivialAugmentWide(), transforms.AugMix(),
]


@pytest.mark.parametrize("transform", EVERY, ids=lambda transform: type(transform).__name__)
def test_one_seed_draws_one_image_and_others_others(transform):
    from PIL import Image

    def drawn(seed, image):
        gpunet.manual_seed(seed)
        return np.asarray(transform(image)).tobytes()

    pillow = Image.fromarray(IMAGE.numpy().transpose(1, 2, 0))
    for image in (IMAGE, *([pillow] if type(transform).__name__ != "RandomErasing" else [])):
        before = np.array(image)
        images = [drawn(seed, image) for seed in range(8)]
        assert images == [drawn(seed, image) for seed in range(8)] and len(set(images)) > 1
        np.testing.assert_array_equal(np.array(image), before)
    pickle.loads(pickle.dumps(transform))
    assert repr(transform)


def test_probabilities_and_ranges():
    flips = sum(bool((transforms.RandomHorizontalFlip(0.3)(IMAGE) != IMAGE).any()) for _ in range(400))
    assert 80 < flips < 160
    tops, sizes = set(), []
    for _ in range(200):
        tops.add(transforms.RandomCrop.get_params(IMAGE, (22, 10))[0])
        top, left, height, width = transforms.RandomResizedCrop.get_params(IMAGE, (0.3, 0.6), (0.5, 2.0))
        assert 0 <= top <= 24 - height and 0 <= left <= 20 - width
        sizes.append(height * width / 480)
        angle, moved, scale, shear = transforms.RandomAffine.get_params(
            (-9, 3), (0.5, 0.2), (0.9, 1.1), (1, 2), (10, 12))
        assert -9 <= angle < 3 and abs(moved[0]) <= 5 and abs(moved[1]) <= 2
        assert 0.9 <= scale <= 1.1 and 1 <= shear[0] < 2
    assert tops == {0, 1, 2} and 0.25 < min(sizes) < 0.37 and 0.53 < max(sizes) < 0.65
    one_of = transforms.RandomChoice([lambda _: 0, lambda _: 1, lambda _: 2], p=[1, 0, 3])
    kinds = [one_of(0) for _ in range(400)]
    assert kinds.count(1) == 0 and 70 < kinds.count(0) < 130


def test_draws_are_those_of_the_generator():
    gpunet.manual_seed(9)
    default_generator.skip(7)
    block = philox(np.array([7], np.uint64), *np.zeros((3, 1), np.uint64), 9, 0)[0]
    assert list(drawing.words()) == block.tolist() and default_generator.position() == (9, 8)


def test_erasing_overwrites_one_rectangle():
    erase = transforms.RandomErasing(p=1.0, scale=(0.2, 0.2), ratio=(1.0, 1.0), value=(1, 2, 3))
    planes = erase(gpunet.zeros(3, 20, 20)).numpy()
    rows, columns = np.nonzero(planes[0])
    assert len(rows) == 81 == (rows.max() - rows.min() + 1) * (columns.max() - columns.min() + 1)
    assert all((planes[channel][planes[channel] != 0] == channel + 1).all() for channel in range(3))


@pytest.mark.parametrize("kind", [transforms.MixUp, transforms.CutMix])
def test_mixing_mixes_labels_as_it_mixes_images(kind):
    images = gpunet.arange(4.0).reshape(4, 1, 1, 1).expand(4, 1, 16, 16) / 1
    labels = gpunet.tensor([0, 1, 2, 3])
    shares = set()
    for _ in range(6):
        mixed = kind(num_classes=4)({"image": images, "label": labels})
        assert mixed["label"].shape == (4, 4) and images[3].mean().item() == 3
        expected = mixed["label"] @ gpunet.arange(4.0)  # what the mean pixel of such images is, if both agree
        np.testing.assert_allclose(mixed["image"].mean((1, 2, 3)).numpy(), expected.numpy(), atol=1e-5)
        shares.add(round(mixed["label"][1, 1].item(), 5))
    assert len(shares) > 2
    with pytest.raises(ValueError, match="pass num_classes"):
        kind()(images, labels)
    with pytest.raises(ValueError, match="4 images have 3 labels"):
        kind(num_classes=4)(images, labels[:3])
    with pytest.raises(ValueError, match="labels_getter"):
        kind(num_classes=4)(images)


def test_the_second_set_has_its_own_names():
    prepare = v2.Compose([v2.ToImage(), v2.RandomHorizontalFlip(p=1.0), v2.ToDtype(gpunet.float32, scale=True)])
    image = picture(4, 5, 3)
    np.testing.assert_array_equal(prepare(image).numpy(), image[:, ::-1].transpose(2, 0, 1).astype(np.float32) / 255)
