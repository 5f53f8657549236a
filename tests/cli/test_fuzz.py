"""Thousands of damaged pictures, and of options: each is refused in one sentence, or gives what it should."""

import io
import os
from random import Random

import numpy as np
import pytest

from gpunet.cli.images import ImageError, read_grey, to_model_input
from gpunet.cli.kernel_commands.spec import FILLS, TYPES, SpecError, parse_all
from gpunet.train.recipes import RECIPES
from tests.mutate import mutations

Image = pytest.importorskip("PIL.Image")


def pictures():
    """A small picture in each format and mode that predict reads."""
    ink = np.zeros((14, 12), np.uint8)
    ink[3:11, 4:7] = 255
    grey = Image.fromarray(ink)
    exif = Image.Exif()
    exif[0x112] = 6
    kinds = [(grey, "PNG"), (grey.convert("1"), "PNG"), (grey.convert("P"), "GIF"), (grey.convert("LA"), "PNG"),
             (grey.convert("RGB"), "BMP"), (grey.convert("RGBA"), "PNG"), (grey.convert("RGB"), "PPM"),
             (Image.fromarray(ink.astype(np.uint16) * 257), "PNG"), (Image.fromarray(ink / np.float32(255)), "TIFF"),
             (grey.convert("CMYK"), "TIFF"), (grey.convert("RGB"), "JPEG"), (grey, "WEBP")]
    for image, format in kinds:
        file = io.BytesIO()
        image.save(file, format, **({"exif": exif} if format in ("JPEG", "TIFF", "WEBP") else {}))
        yield file.getvalue()


@pytest.mark.slow
def test_damaged_pictures(tmp_path):
    path, read = tmp_path / "picture", 0
    for content in mutations(list(pictures()), 2000, seed=5, header=64):
        path.write_bytes(content)
        try:
            grey = read_grey(path)
            assert grey.dtype == np.float32 and grey.ndim == 2 and 0 <= grey.min() and grey.max() <= 1.0001
            for name, shape in (("digits", (8, 8)), ("mnist", (28, 28))):
                seen, _ = to_model_input(grey, shape, RECIPES[name])
                assert seen.shape == shape and np.isfinite(seen).all()
            read += 1
        except ImageError as error:
            message = str(error)
            assert "\n" not in message and len(message) < 400 and message.endswith(".")
            assert str(path) in message or "flat colour" in message
    assert read > 400


def test_damaged_arguments_of_kernels(monkeypatch):
    monkeypatch.setattr(os, "sysconf", lambda name: 2**12)  # a machine of 16 MiB, so that no array is large
    random, texts = Random(6), []
    fills = [fill.form.replace("low", "0").replace("high", "9").replace("mean", "1").replace("deviation", "2")
             .replace("(v)", "(3)") for fill in FILLS.values()]
    for name in TYPES:
        texts += [f"{name}[3,2]={random.choice(fills)}", f"{name}=[[1,2],[3,{random.choice((4, 'nan', '-1', '1e9'))}]]",
                  f"{name}={random.choice((0, 1, -5, 300, 2**63, '1e400', 'inf', 'true', '0x10'))}", f"{name}[4]"]
    texts += ["null", "@0", "there.npy", "f32[]=1", "i32[99999999999999999999]", "f32[0,4294967296,4294967296,9999999]",
              "f64[99999,99999]", f"f32={'9' * 5000}", f"f32=[{'9' * 400}]", f"i32={'[' * 3000}", f"u8[{'2,' * 70}2]=1"]
    pieces = "[](),=@-.0129eEx \t\n" + "²٣é\0\udcff"
    accepted = 0
    for number in range(3000):
        text = random.choice(texts)
        if number >= len(texts):
            for _ in range(random.choice((1, 1, 2, 3))):
                place = random.randrange(len(text) + 1)
                text = text[:place] + random.choice(("", random.choice(pieces), random.choice(texts)[:8])) \
                    + text[place + random.choice((0, 0, 1, 3)):]
        else:
            text = texts[number]
        try:
            (argument,) = parse_all([text])
        except SpecError as error:
            assert "Traceback" not in str(error)
        else:
            accepted += 1
            value = argument.value
            assert value is None or value.dtype in TYPES.values()
            assert value is None or not isinstance(value, np.ndarray) or value.nbytes <= 2**21
    assert accepted > 300


WORDS = {
    "--device": ("cpu", "cuda:99999999999", "CPU", "sim ", "cuda:-1", ""),
    "--epochs": ("1", "0", "-1", "1e3", "nan", "99999999999999999999", ""),
    "--batch-size": ("16", "2147483647", "99999999999999999999", "0", "inf", "1.5"),
    "--lr": ("0.01", "nan", "inf", "-inf", "1e400", "1e-320", "0", "-1", "1e30", "0x1"),
    "--optimizer": ("sgd", "adamw", "Adam", "lion", ""),
    "--dropout": ("0", "0.5", "1", "nan", "-0.0", "0.99999999"),
    "--seed": ("0", "-1", "18446744073709551615", "18446744073709551616", "1.0"),
    "--out": ("x" * 300, "a/" * 2500, "[bold]x", "[/x]", ":smile:", "\x1b[31m", "taken", "taken/below", "", ".", "-x"),
    "--resume": ("nowhere", "taken", "x" * 300, "[/x]", "."),
    "--data": ("x" * 300, "nowhere", "[/x]", "taken"),
    "--sample": ("1", "0", "nan", "99999999999", "400"),
    "--frobnicate": ("", "1"),
}


def test_options_of_train_and_predict(gpunet_command, digits_run, tmp_path, monkeypatch):
    """With the training itself left out: it takes long, and has its own tests."""
    from gpunet.train.run import Run

    fitted = []

    def fit(self, callbacks=()):
        fitted.append(self.config)
        raise KeyboardInterrupt  # the shortest way out that a user has, too

    monkeypatch.setattr(Run, "fit", fit)
    (tmp_path / "taken").write_text("a file")
    random, codes = Random(7), []
    for _ in range(500):
        if random.random() < 0.7:
            call, names = ["train", random.choice(("digits", "digits", "mnist", "[/x]", ""))], list(WORDS)
        else:
            call = ["predict", *random.choice((["[/x]"], [digits_run], [digits_run], [digits_run, "taken"], []))]
            names = ["--sample", "--seed", "--data", "--device", "--frobnicate"]
        for name in random.sample(names, random.choice((0, 1, 1, 2, 3))):
            call += [name, random.choice(WORDS[name])]
        code, output = gpunet_command(*call)
        codes.append(code)
        assert code in (0, 2, 130), (call, output)
        assert code != 2 or output.count("Error: ") == 1, (call, output)
    assert {0, 2, 130} <= set(codes) and codes.count(2) < 0.95 * len(codes)
    for settings in fitted:
        assert 0 < settings["optimizer.lr"] < np.inf and 0 <= settings["model.dropout"] < 1
        assert settings["train.seed"] < 2**64
