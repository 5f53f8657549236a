"""gpunet.keras beside Keras 3 on its PyTorch back end: names, shapes, outputs and training, with the same weights.

It runs where Keras is installed: `pip install keras`.
"""

import importlib.util
import os
import tempfile
import warnings

import numpy as np
import pytest

from gpunet import keras
from gpunet.keras import layers, naming

if not (importlib.util.find_spec("keras") and importlib.util.find_spec("torch")):
    pytest.skip("Keras or its back end is not installed", allow_module_level=True)
os.environ["KERAS_BACKEND"] = "torch"
os.environ.setdefault("KERAS_HOME", tempfile.mkdtemp())  # where it writes its settings
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import keras as theirs

pytestmark = pytest.mark.filterwarnings("ignore")
BOTH = ((theirs, theirs.layers), (keras, layers))


@pytest.fixture(autouse=True)
def names_begin_anew():
    theirs.backend.clear_session()
    naming.restart()


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def pair(build, seed=0):
    """The same model in both, ours with the weights that the other drew."""
    other, own = (build(k, L) for k, L in BOTH)
    values = [value + 0.1 * np.abs(numbers(*value.shape, seed=seed + i)) for i, value in enumerate(other.get_weights())]
    other.set_weights(values)
    own.set_weights(other.get_weights())
    return other, own


def sequential(shape, *makers):
    return lambda k, L: k.Sequential([k.Input(shape), *(make(L) for make in makers)])


def two_ways(k, L):
    one, two = k.Input((6,), name="one"), k.Input((6,), name="two")
    shared = L.Dense(5, activation="tanh")
    a, b = shared(one), shared(two)
    joined = L.Concatenate()([a, L.Add()([a, b])])
    return k.Model([one, two], [L.Dense(3, activation="softmax", name="kind")(joined), L.Dense(1, name="size")(b)])


def residual(k, L):
    x = k.Input((8, 8, 3))
    y = L.Conv2D(4, 3, padding="same", use_bias=False)(x)
    y = L.BatchNormalization()(y)
    z = L.ReLU()(y)
    y = L.Conv2D(4, 3, padding="same")(z)
    return k.Model(x, L.Dense(2)(L.GlobalAveragePooling2D()(L.Add()([y, z]) * 2)))


IMAGES, SEQUENCES = (9, 8, 4), (6, 4)
MODELS = {
    "dense": sequential((5,), lambda L: L.Dense(4, "relu"), lambda L: L.Dense(3, "softmax", use_bias=False)),
    "conv": sequential(IMAGES, lambda L: L.Conv2D(6, 3, strides=2, padding="same"), lambda L: L.Flatten()),
    "conv groups": sequential(IMAGES, lambda L: L.Conv2D(6, (3, 2), groups=2, dilation_rate=2, activation="elu")),
    "max same": sequential(IMAGES, lambda L: L.MaxPooling2D(3, 2, padding="same")),
    "max": sequential(IMAGES, lambda L: L.MaxPooling2D()),
    "average": sequential(IMAGES, lambda L: L.AveragePooling2D((2, 3), 2)),
    "global": sequential(IMAGES, lambda L: L.GlobalAveragePooling2D(keepdims=True)),
    "batch norm": sequential(IMAGES, lambda L: L.BatchNormalization(axis=-1, scale=False)),
    "layer norm": sequential(SEQUENCES, lambda L: L.LayerNormalization()),
    "layer norm of two": sequential(SEQUENCES, lambda L: L.LayerNormalization(axis=(1, 2))),
    "lstm": sequential(SEQUENCES, lambda L: L.LSTM(5)),
    "lstm back": sequential(SEQUENCES, lambda L: L.LSTM(5, return_sequences=True, go_backwards=True)),
    "lstm relu": sequential(SEQUENCES, lambda L: L.LSTM(5, activation="relu", use_bias=False)),
    "gru": sequential(SEQUENCES, lambda L: L.GRU(5, return_sequences=True)),
    "gru before": sequential(SEQUENCES, lambda L: L.GRU(5, reset_after=False)),
    "gru hard": sequential(SEQUENCES, lambda L: L.GRU(5, recurrent_activation="hard_sigmoid")),
    "rnn": sequential(SEQUENCES, lambda L: L.SimpleRNN(5)),
    "rest": sequential((6,), lambda L: L.Reshape((3, -1)), lambda L: L.Rescaling(2.0, 1.0), lambda L: L.Dropout(0.5),
                       lambda L: L.ReLU(2.0, 0.1, 0.5), lambda L: L.Softmax(axis=1), lambda L: L.Activation("gelu")),
    "residual": residual,
}


def text_of(model):
    lines = []
    model.summary(print_fn=lambda text, **_: lines.append(text))
    return "".join(lines)


@pytest.mark.parametrize("name", MODELS)
def test_a_model_is_the_same(name):
    """Names, shapes, the order of weights, outputs and the table of the summary."""
    other, own = pair(MODELS[name])
    assert [each.name for each in own.layers] == [each.name for each in other.layers]
    assert own.output_shape == other.output_shape
    assert [each.shape for each in own.get_weights()] == [each.shape for each in other.get_weights()]
    assert own.count_params() == other.count_params()
    x = numbers(3, *other.input_shape[1:])
    np.testing.assert_allclose(own.predict(x), other.predict(x, verbose=0), rtol=1e-4, atol=2e-6)
    assert text_of(own) == text_of(other)


def classifier(k, L):
    return k.Sequential([k.Input((5,)), L.Dense(8, activation="relu"), L.BatchNormalization(),
                         L.Dense(3, activation="softmax")])


X, Y = numbers(60, 5), np.random.default_rng(1).integers(0, 3, 60)
OPTIMIZERS = {
    "SGD": {"momentum": 0.9, "nesterov": True}, "Adam": {}, "AdamW": {"weight_decay": 0.1}, "Adamax": {}, "Nadam": {},
    "Adadelta": {}, "Adagrad": {}, "RMSprop": {"momentum": 0.5, "centered": True}, "adam": None, "rmsprop": None,
    "clipnorm": {"clipnorm": 0.05}, "clipvalue": {"clipvalue": 0.01}, "global_clipnorm": {"global_clipnorm": 0.05},
    "amsgrad": {"amsgrad": True},
}


def fitted(name, options, **how):
    """Histories and models after the same steps in both."""
    other, own = pair(classifier)
    histories = []
    for model, (k, _) in zip((other, own), BOTH, strict=True):
        kind = getattr(k.optimizers, name if name[0].isupper() else "Adam")
        optimizer = name if options is None else kind(0.02, **options)
        model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
        histories.append(model.fit(X, Y, epochs=2, batch_size=20, shuffle=False, verbose=0, **how))
    return histories, other, own


def assert_same_training(histories, other, own):
    theirs, ours = (each.history for each in histories)
    assert list(ours) == list(theirs)
    for key in theirs:
        np.testing.assert_allclose(ours[key], theirs[key], rtol=2e-4, atol=1e-5)
    for mine, wanted in zip(own.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(mine, wanted, rtol=1e-3, atol=2e-5)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_steps_are_the_same(name):
    histories, other, own = fitted(name, OPTIMIZERS[name], validation_split=0.25)
    assert_same_training(histories, other, own)
    np.testing.assert_allclose(own.evaluate(X, Y, verbose=0), other.evaluate(X, Y, verbose=0), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("how", [{"sample_weight": np.linspace(0.0, 2.0, 60)}, {"class_weight": {0: 3.0, 1: 0.5}}],
                         ids=["sample", "class"])
def test_weights_count_the_same(how):
    assert_same_training(*fitted("SGD", {}, **how))


def test_several_inputs_and_outputs():
    other, own = pair(two_ways)
    x, size = [X6 := numbers(60, 6), X6[::-1].copy()], numbers(60, seed=3)
    histories = []
    for model in (other, own):
        model.compile("sgd", {"kind": "sparse_categorical_crossentropy", "size": "mse"},
                      metrics={"kind": ["accuracy"], "size": ["mae"]}, loss_weights={"kind": 1.0, "size": 0.5})
        histories.append(model.fit(x, {"kind": Y, "size": size}, epochs=2, batch_size=20, shuffle=False, verbose=0))
    assert set(histories[1].history) == set(histories[0].history)
    for key, values in histories[0].history.items():
        np.testing.assert_allclose(histories[1].history[key], values, rtol=2e-4, err_msg=key)
    for mine, wanted in zip(own.predict({"one": x[0], "two": x[1]}), other.predict(x, verbose=0), strict=True):
        np.testing.assert_allclose(mine, wanted, rtol=1e-4, atol=1e-5)
    assert text_of(own) == text_of(other)


PROBABILITIES = np.array([[0.7, 0.2, 0.1], [1.0, 0.0, 0.0], [0.3, 0.3, 0.6]], np.float32)
ONE_HOT, CLASSES = np.eye(3, dtype=np.float32), np.arange(3)
LOSSES = {
    "SparseCategoricalCrossentropy": (CLASSES, {}), "CategoricalCrossentropy": (ONE_HOT, {"label_smoothing": 0.1}),
    "BinaryCrossentropy": (ONE_HOT, {"label_smoothing": 0.1}), "MeanSquaredError": (ONE_HOT, {}),
    "MeanAbsoluteError": (ONE_HOT, {}), "Huber": (ONE_HOT, {"delta": 0.3}), "KLDivergence": (ONE_HOT, {}),
}


@pytest.mark.parametrize("name,logits", [(name, logits) for name in LOSSES for logits in (False, True)
                                         if not logits or "Crossentropy" in name])
def test_losses(name, logits):
    """Probabilities of 0 and 1 too, which are cut."""
    target, options = LOSSES[name]
    if logits:
        options = {**options, "from_logits": True}
    given = [target, PROBABILITIES, np.array([1.0, 2.0, 0.0], np.float32)]
    for reduction in ("sum_over_batch_size", "sum", None):
        wanted, found = (getattr(k.losses, name)(**options, reduction=reduction)(*given) for k in (theirs, keras))
        np.testing.assert_allclose(found.numpy(), theirs.ops.convert_to_numpy(wanted), rtol=1e-5, atol=1e-6)


METRICS = {
    "BinaryAccuracy": ONE_HOT, "CategoricalAccuracy": ONE_HOT, "SparseCategoricalAccuracy": CLASSES,
    "TopKCategoricalAccuracy": ONE_HOT, "SparseTopKCategoricalAccuracy": CLASSES, "MeanSquaredError": ONE_HOT,
    "MeanAbsoluteError": ONE_HOT, "RootMeanSquaredError": ONE_HOT, "Precision": ONE_HOT, "Recall": ONE_HOT,
}


@pytest.mark.parametrize("name", METRICS)
def test_metrics(name):
    found = []
    for k in (theirs, keras):
        metric = getattr(k.metrics, name)(**({"k": 2} if "TopK" in name else {}))
        metric.update_state(METRICS[name], PROBABILITIES)
        metric.update_state(METRICS[name], PROBABILITIES[::-1].copy())
        found.append((metric.name, float(metric.result())))
    assert found[1][0] == found[0][0] and found[1][1] == pytest.approx(found[0][1])


VALUES = [1.0, 0.8, 0.9, 0.85, 0.7, 0.75, 0.72, 0.71, 0.7, 0.69999, 0.8, 0.9, 0.9, 0.9]


@pytest.mark.parametrize("patience,cooldown", [(0, 0), (1, 0), (2, 1), (2, 2), (3, 3)])
def test_callbacks_act_after_the_same_epochs(patience, cooldown):
    """The rate after each epoch, and the epoch at which training ends, for losses as they are in VALUES."""
    found = []
    for k, L in BOTH:
        model = k.Sequential([k.Input((1,)), L.Dense(1)])
        values, rates = iter(VALUES), []
        model.compile("sgd", "mse" if k is theirs else lambda y_true, y_pred, v=values: y_pred[..., 0] * 0 + next(v))
        callbacks = k.callbacks

        class Rate(callbacks.Callback):
            def on_epoch_end(self, epoch, logs=None, rates=rates):
                rates.append(round(float(self.model.optimizer.learning_rate), 7))

        given = [callbacks.EarlyStopping("loss", patience=patience + 2, min_delta=0.01),
                 callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=patience, cooldown=cooldown, min_lr=1e-3),
                 Rate()]
        if k is keras:
            one = np.ones((1, 1), np.float32)
            model.fit(one, one, epochs=len(VALUES), verbose=0, callbacks=given)
        else:
            for each in given:
                each.set_model(model)
                each.on_train_begin()
            for epoch, value in enumerate(values):
                for each in given:
                    each.on_epoch_end(epoch, {"loss": value})
                if model.stop_training:
                    break
        found.append(rates)
    assert found[1] == found[0]
