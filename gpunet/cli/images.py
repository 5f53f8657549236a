"""From a picture in a file to what a digit model was trained on."""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gpunet.train.recipes.digits import DigitRecipe

if TYPE_CHECKING:
    from PIL import Image as Pillow

# What Pillow decodes by itself: others, such as EPS, would start a program on the file.
_FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM")
_GREY = np.array([0.299, 0.587, 0.114], np.float32)
_ENOUGH = 2**20  # pixels; a digit is read from a few hundred


class ImageError(ValueError):
    """A file cannot be read as a picture with something on it. The message is one sentence that names it."""


def read_grey(path: Path) -> np.ndarray:
    """The picture in `path` (PNG, or another format of pixels) as float32 (H, W), 0 black to 1 white, held upright.

    Transparent parts count as white paper, or as black where all that is opaque is white. A picture of more than a
    million pixels or two is reduced, so that a photograph takes little memory.
    """
    grey, opaque = _reduced(_upright(path), path)
    white = grey + (1 - opaque)  # the grey values are weighted by opacity already
    return white if np.ptp(white) > 0 or opaque.min() == 1 else grey


def _upright(path: Path) -> Pillow.Image:
    """The decoded picture, turned as its EXIF data say."""
    from PIL import Image, UnidentifiedImageError

    turns = Image.Transpose
    orientations = {2: turns.FLIP_LEFT_RIGHT, 3: turns.ROTATE_180, 4: turns.FLIP_TOP_BOTTOM, 5: turns.TRANSPOSE,
                    6: turns.ROTATE_270, 7: turns.TRANSVERSE, 8: turns.ROTATE_90}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about what is wrong with a file that can be read nevertheless
            # Not by its path: Pillow would map some files into memory, and reads turned TIFF files wrongly from there.
            with path.open("rb") as file, Image.open(file, formats=_FORMATS) as image:
                image.draft(None, (1024, 1024))  # a JPEG file is decoded at half, a quarter or an eighth of its size
                width, height = image.size
                if width * height > (most := Image.MAX_IMAGE_PIXELS or math.inf):
                    raise ImageError(f"{path} has {width} x {height} pixels, and at most {most:,} "
                                     "are read: scale it down first.")
                if not width * height:
                    raise ImageError(f"{path} is empty: it has {width} x {height} pixels.")
                image.load()
                turn = orientations.get(image.getexif().get(0x112, 0))  # after load, which turns TIFF by itself
                return image if turn is None else image.transpose(turn)
    except ImageError:
        raise
    except FileNotFoundError:
        raise ImageError(f"{path} does not exist.") from None
    except (UnidentifiedImageError, SyntaxError):
        raise ImageError(f"{path} is not a picture that can be read; give a PNG file.") from None
    except MemoryError:
        raise
    except Exception as error:  # Pillow's decoders raise nearly everything on damaged files
        reason = " ".join(str(getattr(error, "strerror", None) or error).split()).rstrip(".")
        raise ImageError(f"{path} cannot be read: {reason or type(error).__name__}.") from error


def _reduced(image: Pillow.Image, path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Grey values weighted by opacity, and opacity, each averaged over squares of pixels where there are too many.

    16 bits and more, and floating point, keep their own range, which Pillow's conversion to 8 bits would clip. The
    picture is taken in bands, so that no second copy of it is made.
    """
    width, height = image.size
    factor = max(1, math.isqrt(width * height // _ENOUGH))
    wide = image.mode == "F" or image.mode.startswith("I")
    rows = factor * max(1, _ENOUGH // (width * factor))
    bands = []
    for top in range(0, height, rows):
        band = image.crop((0, top, width, min(height, top + rows)))
        try:
            band = band.convert("I") if image.mode.startswith("I;") else band
            band = band.convert("F" if wide else "RGBA")
        except ValueError:
            raise ImageError(f"{path} has the colour mode {image.mode}, which is not read; save it as grey or RGB."
                             ) from None
        bands.append(np.asarray(band.reduce(factor), dtype=np.float32))
    pixels = np.concatenate(bands)
    if not wide:
        opaque = pixels[..., 3] / 255
        return pixels[..., :3] @ (_GREY / 255) * opaque, opaque
    if not np.isfinite(pixels).all():
        raise ImageError(f"{path} has pixels that are no numbers (NaN or infinity); give a PNG file.")
    low, high = float(pixels.min()), float(pixels.max())
    if image.mode.startswith("I"):
        low, high = 0.0, max(65535.0, high)
    else:  # floating point in 0 to 1 stays as it is
        low, high = min(0.0, low), max(1.0, high)
    grey = np.clip((pixels.astype(np.float64) - low) / (high - low), 0, 1)
    return grey.astype(np.float32), np.ones_like(pixels)


def to_model_input(grey: np.ndarray, shape: tuple[int, int], recipe: DigitRecipe) -> tuple[np.ndarray, bool]:
    """Bring a picture into the form of the training images; also whether it was inverted.

    Paper is told from ink by the picture's edge: dark ink on light paper is inverted. A picture of another size
    than the model's has its ink cut out, scaled to the recipe's box and centred, as the training images were made.
    Raises ImageError for a picture without contrast; the caller names the file.
    """
    edge = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    paper = float(np.median(edge))
    dark_ink = paper - grey.min() > grey.max() - paper
    ink = np.clip(paper - grey if dark_ink else grey - paper, 0, None)
    if not ink.max() >= 0.05:
        raise ImageError("is one flat colour: there is no digit to read on it.")
    if grey.shape == shape:
        return ((1 - grey) if dark_ink else grey).astype(np.float32), dark_ink
    return _centre(ink / ink.max(), shape, recipe.box), dark_ink


def _centre(ink: np.ndarray, shape: tuple[int, int], box: int) -> np.ndarray:
    from PIL import Image

    rows, columns = (np.flatnonzero((ink > 0.25).any(axis)) for axis in (1, 0))
    ink = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = min(box, *shape) / max(ink.shape)
    height, width = (max(1, round(length * scale)) for length in ink.shape)
    # A box filter counts the ink within each new pixel, which is how both training sets were reduced.
    method = Image.Resampling.BOX if scale < 1 else Image.Resampling.BILINEAR
    ink = np.asarray(Image.fromarray(ink.astype(np.float32)).resize((width, height), method))
    ink = ink / max(ink.max(), 1e-6)
    # By mass, as MNIST's were; on the optical digits too it reads more than centring the outline (95% against 91% of
    # the test set, enlarged with a margin; 97% as they are).
    centre = [float((np.indices(ink.shape)[axis] * ink).sum() / ink.sum()) for axis in (0, 1)]
    result = np.zeros(shape, dtype=np.float32)
    top, left = (
        min(max(0, round((whole - 1) / 2 - middle)), whole - length)
        for whole, middle, length in zip(shape, centre, ink.shape, strict=True)
    )
    result[top : top + height, left : left + width] = ink
    return result
