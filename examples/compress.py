"""The same answers from a tenth of the bytes: quantization, pruning and distillation in one table.

A network of 220 kB reads digits. Its weights become 8-bit integers: dynamically, after calibration, and by
quantization-aware training; four fifths of them become zeros; three quarters of its units are removed; and a small
network learns from its outputs, without a label.

    python examples/compress.py
"""

import copy
from pathlib import Path

import matplotlib.pyplot as plt
from frame import BLUE, GREEN, GREY, ORANGE, PURPLE, batches, digits, run, save

import gpunet
import gpunet.nn.functional as F
from gpunet import compress, nn, optim


def network(width):
    return nn.Sequential(nn.Linear(64, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 10))


def train(model, x, y, epochs, lr=2e-3, teacher=None):
    """The model, trained on the labels, or on a teacher's outputs in their place."""
    optimizer = optim.Adam(model.train().parameters(), lr=lr)
    for _ in range(epochs):
        for images, labels in batches(64, x, y):
            optimizer.zero_grad()
            images = (images + 0.1 * gpunet.randn_like(images)).clamp(0, 1)
            if teacher is None:
                loss = F.cross_entropy(model(images), labels)
            else:
                loss = compress.distillation_loss(model(images), teacher(images), temperature=3.0)
            loss.backward()
            optimizer.step()
    return model.eval()


def main(device="cpu", quick=False, out=Path(".")):
    gpunet.manual_seed(0)
    x, y, test_x, test_y = digits(device)
    x, test_x = x.flatten(1), test_x.flatten(1)
    long, short = (6, 2) if quick else (40, 10)
    plain = train(network(200).to(device), x, y, long)

    calibrated = compress.prepare(plain, compress.HistogramObserver)
    calibrated(x[:500])
    pruned = train(compress.prune_weights(copy.deepcopy(plain), 0.8), x, y, short)  # zeros stay zeros
    models = {
        "float32": plain,
        "int8, dynamic": compress.quantize_dynamic(plain),
        "int8, calibrated": compress.convert(calibrated),
        "int8, quantization-aware": compress.convert(train(compress.prepare_qat(plain), x, y, short, lr=3e-4)),
        "a fifth of the weights": compress.prune_weights(pruned, 0.8, permanent=True),
        "a quarter of the units": train(compress.remove_units(plain, 0.75), x, y, short),
        "24 units, distilled": train(network(24).to(device), x, y, long, teacher=plain),
        "24 units, from labels": train(network(24).to(device), x, y, long),
    }
    models["a quarter of the units, int8"] = compress.quantize_dynamic(models["a quarter of the units"])

    rows = {row.name: row for row in compress.compare(models, test_x, test_y)}
    for row in rows.values():
        print(f"{row.name:28} {row.bytes:8,} bytes  {row.milliseconds:7.3f} ms  accuracy {row.accuracy:.4f}")

    figure, axes = plt.subplots(1, 3, figsize=(12, 3.6), sharey=True)
    colours = [GREY, BLUE, BLUE, BLUE, PURPLE, ORANGE, GREEN, GREEN, ORANGE]
    for axis, title, values, text, limits in (
            (axes[0], "Test accuracy", [row.accuracy for row in rows.values()], "{:.3f}", (0.8, 1)),
            (axes[1], "Size in kB", [row.bytes / 1000 for row in rows.values()], "{:.0f}", (0, 255)),
            (axes[2], f"Time for {len(test_y)} digits, ms", [row.milliseconds for row in rows.values()], "{:.2f}",
             (0, None))):
        axis.bar_label(axis.barh(list(rows), values, color=colours), fmt=text, padding=3, fontsize=8)
        axis.set(title=title, xlim=limits)
        axis.margins(x=0.15)
    axes[0].invert_yaxis()
    save(figure, out / "compress.png")
    return {
        "accuracy": rows["float32"].accuracy,
        "accuracy_int8": rows["int8, calibrated"].accuracy,
        "size_int8": rows["int8, calibrated"].bytes / rows["float32"].bytes,
        "accuracy_with_a_fifth_of_the_weights": rows["a fifth of the weights"].accuracy,
        "accuracy_distilled": rows["24 units, distilled"].accuracy,
        "accuracy_24_units": rows["24 units, from labels"].accuracy,
    }


if __name__ == "__main__":
    run(main)
