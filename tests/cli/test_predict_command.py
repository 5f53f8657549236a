"""`gpunet predict`: pictures of any size and polarity, samples of the test set, and mistakes."""

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
    Image.new("L", (30, 30), 128).save(tmp_path / "flat.png")
    Image.effect_noise((64, 64), 90).save(tmp_path / "cut.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "cut.png").read_bytes()[:300])
    for arguments, says in (
        ([digits_run, "gone.png"], "gone.png does not exist."),
        ([digits_run, "text.png"], "text.png is not a picture"),
        ([digits_run, "flat.png"], "flat.png is one flat colour"),
        ([digits_run, "cut.png"], "cut.png cannot be read"),
        ([digits_run, tmp_path], "cannot be read"),
        ([digits_run], "IMAGE files, or --sample N"),
        ([digits_run, "a.png", "--sample", 3], "IMAGE files, or --sample N"),
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
