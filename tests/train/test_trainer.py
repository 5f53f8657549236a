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


def trainer(lr=0.1, dropout=0.0, **options):
    gpunet.manual_seed(0)
    model = MLP((4, 16, 3), dropout=dropout)
    return Trainer(model, nn.functional.cross_entropy, optim.SGD(model.parameters(), lr=lr), "accuracy", **options)


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


# ---- the step, beside the same written by hand

def by_hand(data, epochs, *, clip_norm=None, clip_value=None, half=None, scaled=False, schedule=None, decay=None):
    """The loop of the Trainer's options, as one writes it with PyTorch's names. Returns weights and averages."""
    gpunet.manual_seed(0)
    model = MLP((4, 16, 3), dropout=0.2)
    updates = optim.Adam(model.parameters(), lr=0.01)
    rates = schedule(updates) if schedule else None
    scaler = gpunet.amp.GradScaler("cpu", enabled=scaled)
    averages, count = [p.detach().clone() for p in model.parameters()], 0
    for _ in range(epochs):
        for x, y in DataLoader(data, 20):
            updates.zero_grad()
            with gpunet.autocast("cpu", half, enabled=half is not None):
                loss = nn.functional.cross_entropy(model(x), y)
            scaler.scale(loss).backward()
            scaler.unscale_(updates)
            if clip_value:
                nn.utils.clip_grad_value_(model.parameters(), clip_value)
            if clip_norm:
                nn.utils.clip_grad_norm_(model.parameters(), clip_norm)
            scaler.step(updates)
            if scaled:
                scaler.update()
            count += 1
            if decay:
                d = min(decay, (1 + count) / (10 + count))
                averages = [a * d + p.detach() * (1 - d) for a, p in zip(averages, model.parameters(), strict=True)]
        if rates:
            rates.step()
    return [p.detach().numpy() for p in model.parameters()], [a.numpy() for a in averages]


OPTIONS = {  # of the Trainer, and of the loop by hand
    "plain": ({}, {}),
    "compiled": ({"compile": True}, {}),
    "clip_norm": ({"clip_norm": 0.05}, {"clip_norm": 0.05}),
    "clip_value": ({"clip_value": 0.01}, {"clip_value": 0.01}),
    "bfloat16": ({"precision": "bfloat16"}, {"half": gpunet.bfloat16}),
    "bfloat16, compiled": ({"precision": "bfloat16", "compile": True}, {"half": gpunet.bfloat16}),
    "float16": ({"precision": "float16", "clip_norm": 0.05}, {"half": gpunet.float16, "scaled": True,
                                                              "clip_norm": 0.05}),
    "a schedule": ({"schedule": "epoch"}, {"schedule": lambda updates: optim.lr_scheduler.ExponentialLR(updates, 0.5)}),
    "averages": ({"ema": 0.9}, {"decay": 0.9}),
}


@pytest.mark.parametrize("what", OPTIONS)
def test_it_is_the_loop_that_one_would_write(what):
    options, hand = dict(OPTIONS[what][0]), OPTIONS[what][1]
    weights, averages = by_hand(blobs(), 3, **hand)
    gpunet.manual_seed(0)
    model = MLP((4, 16, 3), dropout=0.2)
    updates = optim.Adam(model.parameters(), lr=0.01)
    if "schedule" in options:
        options["scheduler"] = optim.lr_scheduler.ExponentialLR(updates, 0.5)
    trained = Trainer(model, nn.functional.cross_entropy, updates, "accuracy", **options)
    trained.fit(blobs(), epochs=3, batch_size=20, shuffle=False)
    for ours, wanted in zip(model.parameters(), weights, strict=True):
        np.testing.assert_array_equal(ours.detach().numpy(), wanted)
    if trained.ema:
        for ours, wanted in zip(trained.ema.averages.values(), averages, strict=True):
            np.testing.assert_allclose(ours.numpy(), wanted, rtol=1e-5, atol=1e-7)
        x = blobs().tensors[0]
        with trained.ema.applied():
            averaged = model.eval()(x).detach().numpy()
        np.testing.assert_array_equal(trained.predict(x, batch_size=200).numpy(), averaged)
        assert not np.allclose(model(x).detach().numpy(), averaged)


@pytest.mark.parametrize("compile", [False, True])
@pytest.mark.parametrize("count", [120, 110])  # the last batches of an epoch may be fewer
def test_accumulated_batches_are_one_batch(count, compile):
    results = []
    for batch_size, accumulate in ((40, 1), (10, 4)):
        each = trainer(accumulate=accumulate, compile=compile)
        each.fit(blobs(count - count % 40 if accumulate == 1 else count // 40 * 40), epochs=3, batch_size=batch_size,
                 shuffle=False)
        results.append([p.detach().numpy() for p in each.model.parameters()])
        assert each.steps == 3 * (count // 40)
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
    each = trainer(accumulate=4, compile=compile)
    each.fit(blobs(count), epochs=2, batch_size=10, shuffle=False)
    assert each.steps == 2 * -(-count // 40)


def test_a_schedule_by_steps():
    each = trainer()
    each.scheduler, each.schedule = optim.lr_scheduler.StepLR(each.optimizer, 3, 0.5), "step"
    each.fit(blobs(), epochs=2, batch_size=20)
    assert each.history["lr"] == [0.1 * 0.5 ** 2, 0.1 * 0.5 ** 4] and each.steps == 12


@pytest.mark.parametrize("weights", [[1.0, 2.0, 0.5], {1: 2.0, 2: 0.5}, gpunet.tensor([1.0, 2.0, 0.5])])
def test_weights_of_examples_and_classes(weights):
    x, y = blobs(60).tensors
    weight = np.random.default_rng(1).uniform(0.1, 2, 60).astype(np.float32)
    each = trainer(class_weights=weights)
    each.model.eval()
    losses = nn.functional.cross_entropy(each.model(x), y, reduction="none").detach().numpy()
    by_class = np.array([1.0, 2.0, 0.5])[y.numpy()]
    assert each.evaluate((x, y, weight))["loss"] == pytest.approx((losses * by_class * weight).mean(), rel=1e-5)
    assert each.evaluate((x, y))["loss"] == pytest.approx((losses * by_class).mean(), rel=1e-5)
    layer = Trainer(each.model, nn.CrossEntropyLoss())
    assert layer.evaluate((x, y, weight))["loss"] == pytest.approx((losses * weight).mean(), rel=1e-5)
    assert layer.loss.loss.reduction == "mean"


# ---- any data, any model, any loss

class Two(nn.Module):
    """A model of two inputs that gives a dictionary."""

    def __init__(self):
        super().__init__()
        self.left, self.right = nn.Linear(2, 3), nn.Linear(2, 3)

    def forward(self, a, b):
        return {"sum": self.left(a) + self.right(b), "a": a}


def loss_of_sum(output, target):
    return nn.functional.cross_entropy(output["sum"], target)


@pytest.mark.parametrize("inputs", [lambda a, b: (a, b), lambda a, b: {"b": b, "a": a}])
def test_several_inputs_and_outputs(inputs):
    gpunet.manual_seed(0)
    model, rng = Two(), np.random.default_rng(0)
    a, b = rng.normal(size=(2, 30, 2))
    y = (a.sum(1) > b.sum(1)).astype(int)
    each = Trainer(model, loss_of_sum, optim.Adam(model.parameters(), 0.1),
                   {"right": lambda output, target: output["sum"].argmax(1) == target})
    history = each.fit((inputs(a, b), y), (inputs(a, b), y), 8, batch_size=7)
    assert history["val_right"][-1] > 0.9
    found = each.predict(inputs(a, b), batch_size=8)
    assert found["sum"].shape == (30, 3) and found["a"].shape == (30, 2)


def test_a_loss_of_the_output_alone():
    gpunet.manual_seed(0)
    model = nn.Linear(3, 1, bias=False)
    each = Trainer(model, lambda output: (output ** 2).mean(), optim.SGD(model.parameters(), 0.5))
    history = each.fit(np.random.default_rng(0).normal(size=(50, 3)), epochs=20)
    assert history["loss"][-1] < 1e-3


SAME = {
    "NumPy, float64 and int32": lambda x, y: (x.numpy().astype(np.float64), y.numpy().astype(np.int32)),
    "tensors": lambda x, y: (x, y),
    "lists": lambda x, y: (x.tolist(), y.tolist()),
    "a Dataset": lambda x, y: TensorDataset(x, y),
    "a DataLoader": lambda x, y: DataLoader(TensorDataset(x, y), 16),
    "a list of batches": lambda x, y: list(DataLoader(TensorDataset(x, y), 16)),
    "a sequence of examples": lambda x, y: type("Rows", (), {"__len__": lambda _: len(x),
                                                             "__getitem__": lambda _, i: (x[i], int(y[i]))})(),
}


@pytest.mark.parametrize("kind", SAME)
def test_all_kinds_of_data_are_the_same(kind):
    results = []
    for make in (SAME["tensors"], SAME[kind]):
        data, each = make(*blobs(50).tensors), trainer()
        each.fit(data, data, 2, batch_size=16, shuffle=False)
        results.append([{k: v for k, v in row.items() if "second" not in k} for row in each.history])
    for row, wanted in zip(*results, strict=True):
        assert row == pytest.approx(wanted, rel=1e-6)


class Table:
    """An array of another library, as a DataFrame of pandas is one."""

    def __init__(self, values):
        self.values = values

    def __array__(self, dtype=None, copy=None):
        return np.array(self.values, dtype)

    def __getitem__(self, column):
        raise KeyError(column)

    def __len__(self):
        return len(self.values)


def test_arrays_of_other_libraries():
    x, y = blobs(50).tensors
    each = trainer()
    each.fit((Table(x.numpy()), Table(y.numpy())), epochs=1)
    assert each.predict(Table(x.numpy())).shape == (50, 3)


def test_the_order_follows_from_the_seed():
    def losses(seed):
        each = trainer()
        gpunet.manual_seed(seed)
        again = Trainer(each.model, nn.functional.cross_entropy, each.optimizer)
        return again.fit(blobs(), epochs=2)["loss"]

    assert losses(1) == losses(1) != losses(2)


def test_the_history_gives_its_columns(tmp_path):
    each = trainer()
    history = each.fit(blobs(), blobs(30), 3)
    assert history["val_loss"] == [row["val_loss"] for row in history] and isinstance(history[0], dict)
    assert history.names[:3] == ["epoch", "loss", "accuracy"]
    picture = history.plot(tmp_path / "curves.svg", "a run")
    assert picture._repr_svg_() == (tmp_path / "curves.svg").read_text() and "a run" in picture
    with pytest.raises(KeyError, match="no 'acc'; it has epoch, loss, accuracy, lr"):
        history["acc"]


# ---- what cannot be, in one sentence

X, Y = blobs(30).tensors
NUMBERS = gpunet.randn(30)


def with_model(loss, data, model=None, **options):
    model = model or nn.Linear(4, 3)
    return lambda: Trainer(model, loss, optim.SGD(model.parameters()), **options).fit(data)


ce, mse = nn.functional.cross_entropy, nn.functional.mse_loss
BAD = {
    "labels outside the classes": (with_model(ce, (X, Y + 1)), "target of row .* is 3, but there are 3 classes"),
    "labels that come later": (with_model(ce, DataLoader(TensorDataset(X, gpunet.tensor([0] * 29 + [7])), 5)),
                               "classes from 0 to 7, and the model's output has 3 classes, 0 to 2; number the classes"),
    "labels below 0": (with_model(ce, (X, Y - 1)), "is -1, but there are 3 classes"),
    "targets that would be broadcast": (with_model(mse, (X, NUMBERS), nn.Linear(4, 1)),
                                        r"input has shape \(30, 1\), the target \(30,\); reshape the target to"),
    "targets of another shape": (with_model(mse, (X, X)), "mse_loss"),
    "no targets": (with_model(ce, X), "cross_entropy needs a target, and the batches have none"),
    "inputs of another width": (with_model(ce, (X[:, :2], Y)), "linear"),
    "arrays of different lengths": (with_model(ce, (X, Y[:20])), "arrays of different lengths: 30, 20"),
    "texts": (with_model(ce, (np.array(["a"] * 30), Y)), "must hold numbers, not <U1"),
    "four arrays": (with_model(ce, (X, Y, Y, Y)), "and has 4 parts"),
    "four parts": (with_model(ce, [(X, Y, Y, Y)]), "this one has 4 parts; join them"),
    "no examples": (with_model(ce, (X[:0], Y[:0])), "training data has no examples"),
    "a number": (with_model(ce, 3), "training data must be arrays .* not int"),
    "a loss of each example": (with_model(nn.CrossEntropyLoss(reduction="none"), (X, Y)),
                               r"gives a tensor of shape \(30,\); a loss must give one number"),
    "a loss without weights": (with_model(lambda o, t: (o - t[:, None]).mean(), (X, Y, NUMBERS)),
                               "cannot be weighted: .* need a loss with the option reduction"),
    "weights of too many classes": (with_model(ce, (X, Y), class_weights=[1, 2, 3, 4]), "4 weights, .* has 3 classes"),
    "weights of an unknown class": (with_model(ce, (X, Y), class_weights={5: 1}), "weight for class 5"),
    "the old order": (lambda: Trainer(nn.Linear(1, 1), optim.SGD([nn.Parameter(X)]), ce), "loss must be a function of"),
    "no model": (lambda: Trainer(ce, ce), "model must be an nn.Module, not function"),
    "no optimizer": (lambda: Trainer(nn.Linear(1, 1), ce, "adam"), "optimizer must be an Optimizer, not str"),
    "another model's optimizer": (lambda: Trainer(nn.Linear(1, 1), ce, optim.SGD([nn.Parameter(X)])),
                                  "optimizer has no parameter of the model; make it from model.parameters"),
    "LBFGS": (lambda: Trainer(model := nn.Linear(1, 1), ce, optim.LBFGS(model.parameters())),
              "LBFGS computes the loss several times"),
    "a precision": (with_model(ce, (X, Y), precision="half"), "precision must be one of float32, float16, bfloat16"),
    "a schedule": (with_model(ce, (X, Y), schedule="batch"), "schedule must be 'epoch' or 'step', not 'batch'"),
    "no accumulation": (with_model(ce, (X, Y), accumulate=0), "accumulate must be a whole number of at least 1"),
    "a compiled scaler": (with_model(ce, (X, Y), precision="float16", compile=True), "take precision='bfloat16'"),
    "a decay": (with_model(ce, (X, Y), ema=1.0), "ema must be a decay between 0 and 1"),
    "an unknown metric": (with_model(ce, (X, Y), metrics=["acc"]), "There is no metric 'acc'"),
    "an unknown device": (with_model(ce, (X, Y), device="tpu"), "tpu"),
    "epochs": (lambda: trainer().fit((X, Y), epochs=2.5), "epochs must be a whole number, not 2.5"),
    "nothing to predict": (lambda: trainer().predict([]), "no batch to predict from"),
    "nothing to evaluate": (lambda: trainer().evaluate([]), "no batch to train on or evaluate"),
}


@pytest.mark.parametrize("what", BAD)
def test_what_cannot_be_is_said_in_one_sentence(what):
    call, says = BAD[what]
    with pytest.raises((ValueError, TypeError, RuntimeError, IndexError), match=says) as error:
        call()
    assert "\n" not in str(error.value)
