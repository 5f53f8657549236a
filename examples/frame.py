"""What the programs of this folder share: the command line, the digits, and the look of the pictures."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image

import gpunet
import gpunet.nn.functional as F
from gpunet import native, nn
from gpunet.data.datasets import Digits

matplotlib.use("Agg")  # files, no windows
BLUE, ORANGE, GREEN, RED, PURPLE, GREY = "#4878a8", "#d9662b", "#4c9a52", "#b8363b", "#8064a2", "#8c8c8c"
matplotlib.rcParams.update({
    "font.size": 10, "axes.titlesize": 11, "axes.titlelocation": "left", "axes.edgecolor": "#999", "text.color": "#333",
    "axes.labelcolor": "#333", "xtick.color": "#555", "ytick.color": "#555", "axes.spines.top": False,
    "axes.spines.right": False, "axes.grid": True, "grid.color": "#e8e8e8", "axes.axisbelow": True,
    "legend.frameon": False, "lines.linewidth": 1.8, "image.cmap": "gray_r", "figure.constrained_layout.use": True,
    "axes.prop_cycle": matplotlib.cycler(color=[BLUE, ORANGE, GREEN, PURPLE, RED, GREY]),
})


def run(main: Callable[..., dict[str, float]]) -> None:
    """Runs a program's `main(device, quick, out)` from the command line and prints the figures that it returns."""
    parser = argparse.ArgumentParser(description=sys.modules[main.__module__].__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu", help="cpu, sim (the CUDA kernels without a GPU) or cuda")
    parser.add_argument("--quick", action="store_true", help="a few seconds: less data, fewer steps")
    parser.add_argument("--out", type=Path, default=Path("."), help="folder of the picture")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    native.wait()  # for the CPU's kernels, if they are still being compiled
    for name, value in main(**vars(arguments)).items():
        print(f"{name.replace('_', ' '):>32}  {number(value)}")


def number(value: float) -> str:
    """Counts in full, other numbers with four digits."""
    return f"{value:,.0f}" if value == int(value) else f"{value:.4g}"


def digits(device: str = "cpu") -> tuple[gpunet.Tensor, gpunet.Tensor, gpunet.Tensor, gpunet.Tensor]:
    """1,442 images [N, 1, 8, 8] in 0 to 1 and their labels for training; 355 of each for testing."""
    train, test = Digits(train=True), Digits(train=False)
    return tuple(each.to(device) for part in (train, test) for each in (part.data[:, None] / 16, part.targets))


def batches(size: int, *tensors: gpunet.Tensor):
    """Mini-batches of the tensors' rows, shuffled; an incomplete last one is dropped."""
    order = gpunet.randperm(len(tensors[0])).to(tensors[0].device)
    for start in range(0, len(order) - size + 1, size):
        chosen = order[start:start + size]
        yield tuple(tensor[chosen] for tensor in tensors)


def augment(images: gpunet.Tensor, angle: float = 0.2, shift: float = 0.12, scale: float = 0.1) -> gpunet.Tensor:
    """Images [N, 1, H, W], each randomly rotated (up to `angle`, in radians), shifted and scaled."""
    angles, scales, left, up = 2 * gpunet.rand(4, len(images), device=images.device) - 1
    angles, scales = angle * angles, 1 + scale * scales
    rows = [scales * angles.cos(), -scales * angles.sin(), shift * left,
            scales * angles.sin(), scales * angles.cos(), shift * up]
    grid = F.affine_grid(gpunet.stack(rows, 1).view(-1, 2, 3), images.shape, align_corners=False)
    return F.grid_sample(images, grid, align_corners=False)


@gpunet.no_grad()
def accuracy(model: nn.Module, images: gpunet.Tensor, labels: gpunet.Tensor) -> float:
    """The share of the images that the model classifies correctly, in evaluation mode."""
    training = model.training
    correct = model.eval()(images).argmax(1) == labels
    model.train(training)
    return correct.float().mean().item()


def show(axes, images: gpunet.Tensor, columns: int, title: str = "") -> None:
    """Draws images [N, 1, H, W] in 0 to 1 as tiles, row after row."""
    tiles = np.pad(images.numpy(force=True)[:, 0], ((0, 0), (0, 1), (0, 1)))
    rows = [np.hstack(list(tiles[i:i + columns])) for i in range(0, len(tiles), columns)]
    axes.imshow(np.vstack(rows), vmin=0, vmax=1, interpolation="lanczos")
    axes.set_title(title)
    axes.axis("off")


def save(figure, path: Path, colours: int = 96) -> None:
    """Writes a figure as a small PNG, and closes it."""
    figure.savefig(path, dpi=100)
    matplotlib.pyplot.close(figure)
    picture = Image.open(path).convert("RGB")
    picture.quantize(colours, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(path, optimize=True)
