"""`gpunet predict`: pictures of any size and polarity, samples of the test set, and mistakes."""

import json
import re

import numpy as np
import pytest

from gpunet.cli.draw import picture
from gpunet.cli.images import ImageError, read_grey, to_model_input
from gpunet.data.datasets import Digits
from gpunet.train.recipes import RECIPES

Image = pytest.importorskip("PIL.Image")


def enlarged(image, factor=20, margin=30):
    return np.pad(np.kron(image, np.ones((factor, factor), np.uint8)), margin)


def grey(values):
    return Image.fromarray(values)


def transparent(ink, colour):
    return Image.merge("LA", [Image.new("L", ink.T.shape, colour), grey(ink)])


def blue_on_yellow(ink):
    return Image.merge("RGB", [grey(255 - ink), grey(255 - ink), grey(np.full_like(ink, 90))])


# name: (the picture of a digit's enlarged ink, whether it is dark on light)
VARIANTS = {
    "enlarged": (grey, False),
    "dark on light": (lambda ink: grey(255 - ink), True),
    "dark blue on yellow": (blue_on_yellow, True),
    "black on transparent": (lambda ink: transparent(ink, 0), True),
    "white on transparent": (lambda ink: transparent(ink, 255), False),
    "16 bits": (lambda ink: grey(ink.astype(np.uint16) * 257), False),
    "palette": (lambda ink: grey(255 - ink).convert("P"), True),
    "one bit": (lambda ink: grey(255 - ink).convert("1"), True),
    "off centre": (lambda ink: grey(np.pad(255 - ink, ((0, 90), (160, 0)), constant_values=255)), True),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_pictures(gpunet_command, digits_run, tmp_path, variant):
    draw, dark_on_light = VARIANTS[variant]
    test = Digits(train=False)
    paths = []
    for index in range(20):
        image, label = test[index]
        paths.append(tmp_path / f"{index}_{label}.png")
        draw(enlarged(image)).save(paths[-1])
    code, output = gpunet_command("predict", digits_run, *(path.name for path in paths))
    assert code == 0
    rows = re.findall(r"_(\d)\.png +│ (\d) +│ +([\d.]+)% +│ \d [\d.]+% +│(.*)│", output)
    assert len(rows) == 20
    assert sum(true == guess for true, guess, *_ in rows) >= 17
    assert all(("inverted" in note) == dark_on_light for *_, note in rows)


L = np.zeros((40, 30), np.uint8)  # an L of ink, which no turn or mirroring leaves as it is
L[5:35, 8:12] = L[31:35, 8:24] = 255

# What EXIF's orientation says about how the picture is stored: how to store one so that it is upright when turned back.
STORED = {
    1: lambda a: a, 2: np.fliplr, 3: lambda a: np.rot90(a, 2), 4: np.flipud, 5: np.transpose, 6: lambda a: np.rot90(a),
    7: lambda a: np.rot90(a, 2).T, 8: lambda a: np.rot90(a, -1),
}  # fmt: skip


@pytest.mark.parametrize("format", ["jpeg", "png", "tiff", "webp"])
@pytest.mark.parametrize("orientation", [*STORED, 0, 9])
def test_pictures_are_held_upright(tmp_path, format, orientation):
    exif = Image.Exif()
    exif[0x112] = orientation
    path = tmp_path / f"a.{format}"
    stored = np.ascontiguousarray(STORED.get(orientation, STORED[1])(L))
    Image.fromarray(stored).save(path, exif=exif, **({"lossless": True} if format == "webp" else {}))
    np.testing.assert_allclose(read_grey(path), L / 255, atol=0.15 if format == "jpeg" else 0.01)


# Mode: a picture of L in it, as Pillow saves it. All give L's ink in white.
MODES = {
    "1": (Image.fromarray(L).convert("1"), "png"), "P": (Image.fromarray(L).convert("P"), "gif"),
    "RGB": (Image.fromarray(L).convert("RGB"), "bmp"), "RGBA": (Image.fromarray(L).convert("RGBA"), "png"),
    "LA": (Image.fromarray(L).convert("LA"), "png"), "CMYK": (Image.fromarray(L).convert("CMYK"), "tiff"),
    "16 bits": (Image.fromarray(L.astype(np.uint16) * 257), "png"),
    "16 bits, TIFF": (Image.fromarray(L.astype(np.uint16) * 257), "tiff"),
    "32 bits": (Image.fromarray((L * np.int64(16843009) // 2).astype(np.int32)), "tiff"),
    "float": (Image.fromarray(L / np.float32(255)), "tiff"), "float to 255": (Image.fromarray(L.astype("f4")), "tiff"),
    "float of both signs": (Image.fromarray(L.astype("f4") - 128), "tiff"),
}  # fmt: skip


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_gives_the_same_ink(tmp_path, mode):
    image, format = MODES[mode]
    image.save(tmp_path / f"a.{format}")
    np.testing.assert_allclose(read_grey(tmp_path / f"a.{format}"), L / 255, atol=0.01)


def test_what_cannot_be_read_is_named(tmp_path):
    Image.fromarray(np.where(L, np.nan, 0).astype("f4")).save(tmp_path / "nan.tiff")
    Image.fromarray(np.where(L, np.inf, 0).astype("f4")).save(tmp_path / "inf.tiff")
    (tmp_path / "a.eps").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n")
    for name, says in (("nan.tiff", "no numbers (NaN or infinity)"), ("inf.tiff", "no numbers (NaN or infinity)"),
                       ("a.eps", "not a picture that can be read")):
        with pytest.raises(ImageError, match=re.escape(f"{tmp_path / name} ") + ".*" + re.escape(says)):
            read_grey(tmp_path / name)


def test_large_pictures_are_reduced(tmp_path):
    """Held against the whole picture, averaged; a factor that does not divide the sides."""
    large = np.random.default_rng(0).integers(0, 256, (2501, 2099), np.uint8)
    Image.fromarray(large).save(tmp_path / "a.png", compress_level=1)
    found = read_grey(tmp_path / "a.png")
    expected = [[large[y : y + 2, x : x + 2].mean() for x in (0, 1000, 2098)] for y in (0, 1200, 2500)]
    assert found.shape == (1251, 1050)
    np.testing.assert_allclose(found[[0, 600, 1250]][:, [0, 500, 1049]] * 255, expected, atol=0.51)


def test_a_photograph_is_never_decoded_whole(tmp_path, monkeypatch):
    """More pixels than the limit, but a JPEG file can be decoded at an eighth of its size."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 5_000_000)
    ink = np.kron(L, np.ones((75, 100), np.uint8))
    for name in ("photo.jpg", "whole.png"):
        Image.fromarray(ink).save(tmp_path / name)
    assert read_grey(tmp_path / "photo.jpg").shape == (1500, 1500)
    with pytest.raises(ImageError, match="whole.png has 3000 x 3000 pixels, and at most 5,000,000 are read: scale it"):
        read_grey(tmp_path / "whole.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1_000_000)
    with pytest.raises(ImageError, match="whole.png cannot be read: Image size"):  # Pillow's own limit
        read_grey(tmp_path / "whole.png")


def test_a_picture_of_the_models_size_is_taken_as_it_is():
    image = Digits()[5][0].astype(np.float32) / 255
    seen, inverted = to_model_input(image, (8, 8), RECIPES["digits"])
    assert not inverted
    np.testing.assert_array_equal(seen, image)
    seen, inverted = to_model_input(1 - image, (8, 8), RECIPES["digits"])
    assert inverted
    np.testing.assert_allclose(seen, image, atol=1e-6)


@pytest.mark.parametrize("shape", [(1, 200), (200, 1), (3, 3), (501, 499)])
def test_odd_pictures_still_fit(shape):
    picture = np.zeros((shape[0] + 4, shape[1] + 4), np.float32)
    picture[2:-2, 2:-2] = 1
    for name, size in (("digits", (8, 8)), ("mnist", (28, 28))):
        seen, _ = to_model_input(picture, size, RECIPES[name])
        assert seen.shape == size and seen.dtype == np.float32 and 0 <= seen.min() and seen.max() == pytest.approx(1)
        box = RECIPES[name].box
        rows, columns = np.flatnonzero(seen.any(1)), np.flatnonzero(seen.any(0))
        assert max(np.ptp(rows), np.ptp(columns)) + 1 <= box


def test_mistakes_get_one_sentence_and_code_2(gpunet_command, digits_run, tmp_path):
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "empty").mkdir()
    Image.new("L", (30, 30), 128).save(tmp_path / "flat.png")
    Image.effect_noise((64, 64), 90).save(tmp_path / "cut.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "cut.png").read_bytes()[:300])
    for arguments, says in (
        ([digits_run, "gone.png"], "gone.png does not exist."),
        ([digits_run, "text.png"], "text.png is not a picture"),
        ([digits_run, "flat.png"], "flat.png is one flat colour"),
        ([digits_run, "cut.png"], "cut.png cannot be read"),
        ([digits_run, "empty"], "empty has no pictures; their names end in .jpg"),
        ([digits_run], "one or more INPUTs (for images: files or folders), or --sample N"),
        ([digits_run, "a.png", "--sample", 3], "one or more INPUTs (for images: files or folders), or --sample N"),
        ([digits_run, "--sample", 10000], "the test set has 355 images"),
        ([tmp_path, "--sample", 1], "weights.safetensors does not exist"),
    ):
        code, output = gpunet_command("predict", *arguments)
        (message,) = re.findall(r"Error: (.*)", output)
        assert code == 2 and says in message, output


def test_sample(gpunet_command, digits_run):
    code, output = gpunet_command("predict", digits_run, "--sample", 12)
    assert code == 0 and len(re.findall(r"\d\d?\d?\.\d%", output)) == 12
    right = int(re.search(r"(\d+) of 12 right", output)[1])
    assert right >= 10
    assert gpunet_command("predict", digits_run, "--sample", 12)[1] == output
    assert gpunet_command("predict", digits_run, "--sample", 12, "--seed", 1)[1] != output


def blocks(output):
    """The cells of a table of drawn digits, each a list of its lines, as wide as they stand."""
    lines = [line.split("│")[1:-1] for line in output.splitlines() if line.startswith("│")]
    return [list(cell) for cell in zip(*lines, strict=True)]


@pytest.mark.parametrize(
    "environment", [{}, {"NO_COLOR": "1"}, {"TERM": "dumb"}, {"FORCE_COLOR": "1", "NO_COLOR": "1"}]
)
def test_drawn_digits_keep_their_shape_without_colour(gpunet_command, digits_run, monkeypatch, environment):
    from gpunet import Generator, randperm

    for name in ("NO_COLOR", "FORCE_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    code, output = gpunet_command("predict", digits_run, "--sample", 4)
    cells = blocks(re.sub(r"\x1b\[[0-9;]*m", "", output))
    test = Digits(train=False)
    chosen = randperm(len(test), generator=Generator().manual_seed(0))[:4].tolist()
    assert code == 0 and len(cells) == 4
    for cell, index in zip(cells, chosen, strict=True):
        drawn = [line[1:-1] for line in cell[:8]]  # a blank on each side
        levels = np.rint(test.data.numpy()[index] / 16 * 4).astype(int)
        assert drawn == ["".join(" ░▒▓█"[level] * 2 for level in row) for row in levels]


def weights_of(folder, **changes):
    """A weights file of a small network for digits, with these changes to what is written about it."""
    from gpunet.models import MLP

    about = {"recipe": "digits", "task": "classification", "epoch": 1, "image_shape": (8, 8),
             "classes": list("0123456789"), "model": {"sizes": (64, 10), "activation": "relu", "dropout": 0.0}}
    about |= changes
    MLP((64, 10)).save(folder / "w", {"gpunet": json.dumps(about)})
    return folder / "w"


@pytest.mark.parametrize("changes, says", [
    ({"recipe": "cifar"}, "the recipe 'cifar', and there are digits, mnist"),
    ({"recipe": None}, "the recipe None"),
    ({"image_shape": (8, 9)}, "images of 8 x 9"),
    ({"image_shape": (-8, -8)}, "images of -8 x -8"),
    ({"image_shape": (64,)}, "not enough values"),
    ({"image_shape": (8.0, 8.0)}, "images of 8.0 x 8.0"),
    ({"classes": list("012")}, "3 classes, which do not fit together"),
    ({"classes": list(range(10))}, "classes that are no texts"),
])
def test_wrong_metadata(gpunet_command, tmp_path, changes, says):
    code, output = gpunet_command("predict", weights_of(tmp_path, **changes), "--sample", 1)
    assert code == 2 and "w cannot be read as weights: " in output and says in output


def test_a_network_that_gives_no_numbers(gpunet_command, tmp_path, monkeypatch):
    """Such weights may come from elsewhere: gpunet does not write them."""
    import gpunet
    from gpunet.train import Trainer

    monkeypatch.setattr(Trainer, "predict", lambda self, x, **options: gpunet.full((len(x), 10), float("nan")))
    code, output = gpunet_command("predict", weights_of(tmp_path), "--sample", 1)
    assert code == 2 and "outputs are no numbers: its weights hold NaN or infinity" in output


def test_json_and_folders(gpunet_command, digits_run, tmp_path):
    (tmp_path / "pictures" / "below").mkdir(parents=True)
    test = Digits(train=False)
    for index in range(6):
        folder = tmp_path / "pictures" / ("below" if index % 2 else ".")
        grey(enlarged(test[index][0])).save(folder / f"{index}_{test[index][1]}.png")
    (tmp_path / "pictures" / "notes.txt").write_text("not a picture")
    code, output = gpunet_command("predict", digits_run, "pictures", "--json")
    rows = json.loads(output)
    assert code == 0 and len(rows) == 6
    for row in rows:
        assert row["probability"] == max(row["probabilities"].values()) and len(row["probabilities"]) == 10
        assert sum(row["probabilities"].values()) == pytest.approx(1, abs=1e-4)
    assert sum(row["prediction"] == row["input"][-5] for row in rows) >= 5


def test_weights_file_instead_of_folder(gpunet_command, digits_run):
    assert gpunet_command("predict", digits_run / "weights.safetensors", "--sample", 2)[0] == 0


def test_drawing():
    from rich.console import Console

    image = np.array([[0, 1], [1, 0], [0.5, 0.5]])
    colour = Console(force_terminal=True, color_system="truecolor", no_color=False)
    text = picture(image, colour)
    assert text.plain == "▀▀\n▀▀"  # three rows of pixels in two of characters
    assert text.spans[0].style.color.triplet == (0, 0, 0) and text.spans[0].style.bgcolor.triplet == (255, 255, 255)
    plain = picture(image, Console(color_system=None))
    assert plain.plain == "  ██\n██  \n▒▒▒▒"


def test_read_grey_is_grey(tmp_path):
    Image.new("RGB", (2, 1), (255, 0, 0)).save(tmp_path / "red.png")
    np.testing.assert_allclose(read_grey(tmp_path / "red.png"), 0.299, rtol=1e-6)
    with pytest.raises(ImageError):
        read_grey(tmp_path / "none.png")
