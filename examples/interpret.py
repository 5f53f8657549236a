"""What a network looks at: six explanations of its predictions, and the images that it imagines for each class.

The predictions of a small CNN are explained by gradients, integrated gradients, SmoothGrad, Grad-CAM, occlusion and
Shapley values of patches (red speaks for the class, blue against it). On the right: feature visualisation. The test of
an explanation is to delete the pixels that it names.

    python examples/interpret.py
"""

from pathlib import Path

import matplotlib.pyplot as plt
from frame import accuracy, batches, digits, run, save

import gpunet
import gpunet.nn.functional as F
from gpunet import interpret, nn, optim


def block(channels, features):
    return nn.Sequential(nn.Conv2d(channels, features, 3, padding=1), nn.BatchNorm2d(features), nn.ReLU())


def train(x, y, epochs, device):
    """The mean over all places before the last layer lets Grad-CAM say which places spoke for a class."""
    model = nn.Sequential(block(1, 16), block(16, 32), block(32, 64), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                          nn.Linear(64, 10)).to(device)
    optimizer = optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(epochs):
        for images, labels in batches(64, x, y):
            optimizer.zero_grad()
            noisy = (images + 0.2 * gpunet.randn_like(images)).clamp(0, 1)
            F.cross_entropy(model(noisy), labels).backward()
            optimizer.step()
    return model.eval()


def without(x, importance, count):
    """Images whose most important pixels are blank."""
    rank = importance.flatten(1).argsort(1, descending=True).argsort(1).view(x.shape)
    return x * (rank >= count)


def main(device="cpu", quick=False, out=Path(".")):
    gpunet.manual_seed(0)
    x, y, test_x, test_y = digits(device)
    model = train(x, y, 3 if quick else 20, device)
    rows = gpunet.arange(8) // 2
    patches = 4 * rows[:, None] + rows  # of 2 x 2 pixels
    explanations = {
        "gradient": lambda x, y: interpret.saliency(model, x, y, abs=False),
        "integrated\ngradients": lambda x, y: interpret.integrated_gradients(model, x, target=y),
        "SmoothGrad": lambda x, y: interpret.smooth_grad(model, x, y, abs=False),
        "Grad-CAM": lambda x, y: interpret.grad_cam(model, model[2], x, y, interpolate=True),
        "occlusion": lambda x, y: interpret.occlusion(model, x, (1, 2, 2), target=y),
        "Shapley\nvalues": lambda x, y: interpret.shapley_value_sampling(model, x, target=y, feature_mask=patches,
                                                                         n_samples=10),
    }

    shown = [test_y.tolist().index(digit) for digit in (0, 2, 3, 5, 8)]
    images, labels = test_x[shown], test_y[shown]
    figure, axes = plt.subplots(5, 10, figsize=(10, 5.6), width_ratios=[1] * 7 + [0.3, 1, 1])
    for axis in axes.ravel():
        axis.axis("off")
    drawn = images[:, 0].numpy(force=True)
    for axis, image in zip(axes[:, 0], drawn, strict=True):
        axis.imshow(image, vmin=0, vmax=1)
    for column, (name, explain) in enumerate(explanations.items(), 1):
        axes[0, column].set_title(name, fontsize=9)
        attributions = explain(images, labels)[:, 0].numpy(force=True)
        for axis, attribution, image in zip(axes[:, column], attributions, drawn, strict=True):
            limit = abs(attribution).max()
            axis.imshow(attribution, cmap="coolwarm", vmin=-limit, vmax=limit)
            axis.contour(image, [0.5], colors="#333", linewidths=0.7)
    for digit, axis in enumerate(axes[:, 8:].ravel()):
        imagined = interpret.feature_visualization(model, None, digit, (1, 8, 8), steps=40 if quick else 150, lr=0.1,
                                                   total_variation=3.0)
        axis.imshow(imagined[0].numpy(force=True), vmin=0, vmax=1, interpolation="lanczos")
        axis.set_title(f"{digit}, imagined", fontsize=8)
    save(figure, out / "interpret.png", colours=200)

    x, y = test_x[:100], test_y[:100]
    values, delta = interpret.integrated_gradients(model, x, target=y, return_convergence_delta=True)
    return {
        "accuracy": accuracy(model, x, y),
        "without_8_pixels_that_matter": accuracy(model, without(x, values, 8), y),
        "without_8_pixels_by_chance": accuracy(model, without(x, gpunet.rand_like(x), 8), y),
        "completeness_error": (delta.abs() / values.flatten(1).sum(1).abs()).mean().item(),
    }


if __name__ == "__main__":
    run(main)
