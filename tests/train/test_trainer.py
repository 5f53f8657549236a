"""The training loop: what it does to the model, and what it reports."""

import numpy as np
import pytest

import gpunet
from gpunet import nn, optim
from gpunet.data import DataLoader, TensorDataset
from gpunet.models import MLP
from gpunet.train import Callback, Trainer, TrainingDiverged


def blobs(count=120):
    """Three classes that a small network can tell apart."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, count)
    points = rng.normal(size=(count, 4)) + 4 * np.eye(4)[labels]
    return TensorDataset(gpunet.tensor(points.astype(np.float32)), gpunet.tensor(labels))


def trainer(lr=0.1, dropout=0.0):
    gpunet.manual_seed(0)
    model = MLP((4, 16, 3), dropout=dropout)
    return Trainer(model, nn.functional.cross_entropy, optim.SGD(model.parameters(), lr=lr), "accuracy")


def test_fit_learns_and_keeps_the_history():
    fitted = trainer()
    history = fitted.fit(DataLoader(blobs(), 20, shuffle=True), DataLoader(blobs(60), 60), 5)
    assert [row["epoch"] for row in history] == [1, 2, 3, 4, 5] and history is fitted.history
    assert history[-1]["loss"] < history[0]["loss"] and history[-1]["val_accuracy"] > 0.9
    assert all(row["seconds"] > 0 and row["examples_per_second"] > 0 for row in history)
    assert fitted.fit(DataLoader(blobs(), 20), epochs=5) is history and len(history) == 5  # nothing left to do


def test_evaluate_is_the_mean_over_examples_in_eval_mode():
    each, data = trainer(dropout=0.5), blobs(50)
    found = each.evaluate(DataLoader(data, 16))  # a short last batch must not weigh more
    x, y = data.tensors
    each.model.eval()
    output = each.model(x)
    assert found["loss"] == pytest.approx(nn.functional.cross_entropy(output, y).item(), rel=1e-5)
    assert found["accuracy"] == pytest.approx((output.numpy(force=True).argmax(1) == y.numpy()).mean())


def test_predict_gives_the_outputs_in_eval_mode():
    each, (x, _) = trainer(dropout=0.5), blobs(7).tensors
    outputs = each.predict(x, batch_size=3)
    each.model.eval()
    assert not outputs.requires_grad
    np.testing.assert_allclose(outputs.numpy(), each.model(x).detach().numpy(), rtol=1e-6)


def test_callbacks_see_every_step():
    class Record(Callback):
        def __init__(self):
            self.seen = []

        def on_epoch_begin(self, trainer, epoch):
            self.seen.append(f"begin {epoch}")

        def on_batch_end(self, trainer, progress):
            self.seen.append((progress.epoch, progress.batches, progress.examples))

        def on_epoch_end(self, trainer, row):
            self.seen.append(f"end {row['epoch']}")
            assert trainer.history[-1] is row

    record = Record()
    trainer().fit(DataLoader(blobs(50), 40), epochs=2, callbacks=[record])
    assert record.seen == ["begin 1", (1, 1, 40), (1, 2, 50), "end 1", "begin 2", (2, 1, 40), (2, 2, 50), "end 2"]


def test_divergence_is_said():
    with pytest.raises(TrainingDiverged, match=r"became (nan|inf) in epoch \d; a lower learning rate"):
        trainer(lr=1e30).fit(DataLoader(blobs(), 20), epochs=3)


def test_nothing_to_train_on():
    with pytest.raises(ValueError, match="no batch"):
        trainer().fit(DataLoader(blobs(10), 20, drop_last=True))
    with pytest.raises(ValueError, match="optimizer"):
        Trainer(MLP((2, 2)), nn.functional.cross_entropy).fit([])


@pytest.mark.parametrize(("arguments", "says"), [
    (((4,),), "features of the input and of the output"), (((4, 3), "swish"), "relu, gelu, tanh, sigmoid"),
])
def test_mlp_refuses(arguments, says):
    with pytest.raises(ValueError, match=says):
        MLP(*arguments)


def test_mlp_layers():
    model = MLP((64, 128, 64, 10), "tanh", 0.1)
    assert [type(layer).__name__ for layer in model] == [
        "Flatten", "Linear", "Tanh", "Dropout", "Linear", "Tanh", "Dropout", "Linear"
    ]  # fmt: skip
    assert model(gpunet.zeros(5, 8, 8)).shape == (5, 10)
