"""The same answers from a tenth of the bytes: quantization, pruning and distillation in one table.

A network of 220 kB reads digits. Its weights become 8-bit integers, dynamically, after calibration and after training
with the rounding; four fifths of them become zeros; three quarters of its units are taken out; and a small network
learns from it.

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


def trained(model, x, y, epochs, lr=2e-3, teacher=None):
    """The model, trained on labels, or on what a teacher says of them."""
    optimizer = optim.Adam(model.train().parameters(), lr=lr)
    for _ in range(epochs):
        for images, labels in batches(64, x, y):
            optimizer.zero_grad()
            images = (images + 0.1 * gpunet.randn_like(images)).clamp(0, 1)
            if teacher is None:
                loss = F.cross_entropy(model(images), labels)
            else:
                with gpunet.no_grad():
                    said = teacher(images)
                loss = compress.distillation_loss(model(images), said, labels, temperature=3.0)
            loss.backward()
            optimizer.step()
    return model.eval()


def main(device="cpu", quick=False, out=Path(".")):
    gpunet.manual_seed(0)
    x, y, test_x, test_y = digits(device)
    x, test_x = x.flatten(1), test_x.flatten(1)
    long, short = (6, 2) if quick else (40, 10)
    plain = trained(network(200).to(device), x, y, long)

    observed = compress.prepare(plain, compress.HistogramObserver)
    observed(x[:500])
    models = {
        "float32": plain,
        "int8, dynamic": compress.quantize_dynamic(plain),
        "int8, calibrated": compress.convert(observed),
        "int8, trained": compress.convert(trained(compress.prepare_qat(plain), x, y, short, lr=3e-4)),
        "a quarter of the units": trained(compress.remove_units(plain, 0.75), x, y, short),
        "distilled, 24 units": trained(network(24).to(device), x, y, long, teacher=plain),
        "24 units by themselves": trained(network(24).to(device), x, y, long),
    }
    models["the quarter, int8"] = compress.quantize_dynamic(models["a quarter of the units"])
    masked = trained(compress.prune_weights(copy.deepcopy(plain), 0.8), x, y, short)  # zeros stay zeros
    models["a fifth of the weights"] = compress.prune_weights(masked, 0.8, permanent=True)

    rows = {row.name: row for row in compress.compare(models, test_x, test_y)}
    for row in rows.values():
        print(f"{row.name:24} {row.bytes:8,} bytes  {row.milliseconds:7.3f} ms  accuracy {row.accuracy:.4f}")

    figure, axes = plt.subplots(1, 3, figsize=(12, 3.6), sharey=True)
    colours = [GREY] + [BLUE] * 3 + [ORANGE] + [GREEN] * 2 + [ORANGE] + [PURPLE]
    panels = [
            ("Accuracy on new digits", [row.accuracy for row in rows.values()], "{:.3f}"),
            ("Size in kB", [row.bytes / 1000 for row in rows.values()], "{:.0f}"),
            (f"Time for {len(test_y)} digits, ms", [row.milliseconds for row in rows.values()], "{:.2f}")]
    for axis, (title, values, form) in zip(axes, panels, strict=True):
        bars = axis.barh(list(rows), values, color=colours)
        axis.bar_label(bars, [form.format(value) for value in values], padding=3, fontsize=8)
        axis.set(title=title, xlim=(0.8 if max(values) <= 1 else 0, max(values) * (1.02 if max(values) <= 1 else 1.15)))
    axes[0].invert_yaxis()
    save(figure, out / "compress.png")
    return {
        "accuracy": rows["float32"].accuracy,
        "accuracy_int8": rows["int8, calibrated"].accuracy,
        "size_int8": rows["int8, calibrated"].bytes / rows["float32"].bytes,
        "accuracy_with_a_fifth_of_the_weights": rows["a fifth of the weights"].accuracy,
        "accuracy_distilled": rows["distilled, 24 units"].accuracy,
    }


if __name__ == "__main__":
    run(main)
