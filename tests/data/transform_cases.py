"""Calls of transforms.functional whose results are known from torchvision, and their results, transform_values.json.

`python -m tests.data.transform_cases` writes the results anew; it needs torchvision 0.28 and compares nothing.
"""

import json
from pathlib import Path

import numpy as np

VALUES = Path(__file__).with_name("transform_values.json")

COLOUR = (np.arange(5 * 6 * 3).reshape(5, 6, 3) * 37 % 251).astype(np.uint8)
GREY = (np.arange(5 * 4).reshape(5, 4) * 53 % 247).astype(np.uint8)

# name, arguments, keywords, kinds of images. "N" and the like in keywords: interpolation modes by their first letter.
BOTH, TENSOR, FLOAT = ("pil", "tensor"), ("tensor",), ("pil", "tensor", "float")
CASES = [
    ("hflip", [], {}, BOTH), ("vflip", [], {}, BOTH),
    ("crop", [1, 2, 3, 4], {}, BOTH), ("crop", [-1, -2, 7, 5], {}, BOTH),
    ("center_crop", [[3, 4]], {}, BOTH), ("center_crop", [[8, 3]], {}, BOTH), ("center_crop", [2], {}, ("grey",)),
    *[("pad", [[1, 2, 3, 2]], {"padding_mode": mode}, BOTH) for mode in ("constant", "edge", "reflect", "symmetric")],
    ("pad", [[1, 2]], {"fill": 7}, BOTH), ("pad", [1], {}, ("grey",)), ("pad", [[-1, 1]], {}, TENSOR),
    *[("resize", [size], {"interpolation": mode}, BOTH) for size in ([3], [7, 4]) for mode in "NB"],
    ("resize", [[3, 9]], {"interpolation": "C"}, BOTH), ("resize", [[3, 9]], {"interpolation": "E"}, BOTH),
    ("resize", [4], {"max_size": 5}, ("grey",)), ("resize", [[3, 3]], {"antialias": False}, TENSOR),
    ("resized_crop", [1, 1, 3, 4, [2, 5]], {}, FLOAT),
    *[(f"adjust_{name}", [factor], {}, FLOAT) for name in ("brightness", "contrast", "saturation", "sharpness")
      for factor in (0.4, 1.7)],
    ("adjust_hue", [0.3], {}, FLOAT), ("adjust_hue", [-0.5], {}, FLOAT), ("adjust_hue", [0.3], {}, ("grey",)),
    ("adjust_gamma", [0.6], {"gain": 1.2}, FLOAT), ("invert", [], {}, FLOAT), ("posterize", [3], {}, BOTH),
    ("solarize", [100], {}, BOTH), ("autocontrast", [], {}, FLOAT), ("equalize", [], {}, BOTH),
    ("rgb_to_grayscale", [], {}, FLOAT), ("rgb_to_grayscale", [3], {}, BOTH),
    ("gaussian_blur", [3], {}, FLOAT), ("gaussian_blur", [[5, 3], [0.7, 1.9]], {}, BOTH),
    *[("rotate", [angle], {"interpolation": mode, "expand": expand}, BOTH) for angle, mode, expand in
      ((30, "N", False), (30, "B", True), (-77.5, "B", False), (90, "N", True))],
    ("rotate", [20], {"center": [2, 3], "fill": [9.0]}, BOTH),
    ("affine", [20, [1, 2], 1.3, [5.0, 0.0]], {}, FLOAT),
    ("affine", [-40, [-2, 1], 0.7, [10.0, -8.0]], {"interpolation": "B", "fill": [5.0]}, BOTH),
    ("affine", [10, [0, 0], 1.0, [0.0, 12.0]], {"interpolation": "B", "center": [1, 1]}, BOTH),
    ("perspective", [[[0, 0], [5, 0], [5, 4], [0, 4]], [[1, 0], [5, 1], [4, 4], [0, 3]]], {"fill": [3.0]}, FLOAT),
    ("five_crop", [[2, 3]], {}, TENSOR), ("ten_crop", [[2, 3]], {"vertical_flip": True}, ("grey",)),
]
MODES = {"N": "NEAREST", "B": "BILINEAR", "C": "BICUBIC", "E": "NEAREST_EXACT"}


def cases():
    """(key, name, arguments, keywords, kind) of each call."""
    for name, arguments, keywords, kinds in CASES:
        for kind in kinds:
            yield f"{name} {json.dumps(arguments)} {json.dumps(keywords)} {kind}", name, arguments, keywords, kind


def result(functional, modes, from_numpy, name, arguments, keywords, kind) -> list[np.ndarray]:
    """What a library's function gives, as arrays."""
    from PIL import Image

    array = GREY if kind == "grey" else COLOUR
    planes = np.ascontiguousarray(array[None] if array.ndim == 2 else array.transpose(2, 0, 1))
    image = Image.fromarray(array) if kind == "pil" else from_numpy(
        planes.astype(np.float32) / 255 if kind == "float" else planes)
    given = {key: getattr(modes, MODES[value]) if key == "interpolation" else value for key, value in keywords.items()}
    made = getattr(functional, name)(image, *arguments, **given)
    return [each.numpy() if hasattr(each, "numpy") else np.asarray(each)
            for each in (made if isinstance(made, tuple) else (made,))]


def write() -> None:
    import torch
    from torchvision.transforms import InterpolationMode, functional

    found = {}
    for key, *call in cases():
        arrays = result(functional, InterpolationMode, torch.from_numpy, *call)
        found[key] = [{"shape": array.shape, "values": [round(x, 5) for x in array.ravel().tolist()]}
                      for array in arrays]
    VALUES.write_text("{\n" + ",\n".join(f"{json.dumps(key)}: {json.dumps(value, separators=(',', ':'))}"
                                         for key, value in found.items()) + "\n}\n")


if __name__ == "__main__":
    write()
