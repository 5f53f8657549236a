"""The learning curves are an SVG that shows every epoch."""

from xml.etree import ElementTree

import pytest

from gpunet.train import learning_curves

SVG = "{http://www.w3.org/2000/svg}"


def history(epochs, loss=2.0, accuracy=0.5):
    return [
        {"epoch": n, "loss": loss / n, "accuracy": 1 - accuracy / n, "val_loss": loss, "val_accuracy": accuracy}
        for n in range(1, epochs + 1)
    ]


@pytest.mark.parametrize("epochs", [1, 2, 3, 30, 31, 1000])
@pytest.mark.parametrize(("loss", "accuracy"), [(2.0, 0.5), (1e-9, 0.0), (1e6, 1.0), (0.0, 1.0)])
def test_every_epoch_is_drawn_within_the_picture(epochs, loss, accuracy):
    root = ElementTree.fromstring(learning_curves(history(epochs, loss, accuracy), "digits"))
    width, height = float(root.get("width")), float(root.get("height"))
    lines = root.findall(f"{SVG}polyline")
    assert len(lines) == 4  # training and validation, in two panels
    for line in lines:
        points = [tuple(map(float, point.split(","))) for point in line.get("points").split()]
        assert len(points) == epochs
        assert all(0 <= x <= width and 0 <= y <= height for x, y in points)
    texts = [text.text for text in root.findall(f"{SVG}text")]
    assert {"Loss", "Accuracy", "training", "validation", "epoch", "1", str(epochs)} - {str(epochs)} <= set(texts)


def test_curves_follow_the_values():
    root = ElementTree.fromstring(learning_curves(history(4), "t"))
    loss = root.findall(f"{SVG}polyline")[0].get("points").split()
    heights = [float(point.split(",")[1]) for point in loss]
    assert heights == sorted(heights)  # a falling loss goes down the page
    assert heights[0] - heights[1] == pytest.approx((heights[0] - heights[3]) * (1 / 2) / (3 / 4), abs=0.2)


def test_titles_are_escaped():
    root = ElementTree.fromstring(learning_curves(history(2), "a < b & c"))
    assert "a < b & c" in [text.text for text in root.findall(f"{SVG}text")]


def test_history_without_a_test_set():
    rows = [{"epoch": 1, "loss": 1.0, "accuracy": 0.5}]
    ElementTree.fromstring(learning_curves(rows, "t"))
