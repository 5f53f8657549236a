"""gpunet.keras by itself: training, models of every kind, files, and bad input."""

import shutil
import subprocess
import sys

import numpy as np
import pytest

import gpunet
from gpunet import keras, train
from gpunet.keras import layers

rng = np.random.default_rng(0)
X, Y = rng.normal(size=(40, 4)).astype(np.float32), rng.integers(0, 3, 40)


def classifier(**options):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((4,)), layers.Dense(8, activation="relu"),
                              layers.Dense(3, activation="softmax")])
    model.compile(options.pop("optimizer", "adam"), "sparse_categorical_crossentropy", ["accuracy"], **options)
    return model


def test_gpunet_does_not_import_it():
    code = "import sys, gpunet; assert 'gpunet.keras' not in sys.modules; gpunet.keras.Sequential"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_it_learns_and_reports(capsys):
    (x, y), (x_test, y_test) = keras.datasets.digits.load_data()
    keras.utils.set_random_seed(0)
    model = keras.Sequential([layers.Rescaling(1 / 16), layers.Flatten(), layers.Dense(32, activation="relu"),
                              layers.Dropout(0.1), layers.Dense(10, activation="softmax")])
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", ["accuracy"])
    history = model.fit(x, y, epochs=3, batch_size=64, validation_split=0.1)
    assert history.epoch == [0, 1, 2]
    assert list(history.history) == ["accuracy", "loss", "val_accuracy", "val_loss"]
    out = capsys.readouterr().out
    assert "Epoch 3/3\n" in out and "21/21 ━" in out and "val_loss: " in out and "\r" not in out
    loss, accuracy = model.evaluate(x_test, y_test, verbose=0)
    assert accuracy > 0.9
    answer = model.predict(x_test)
    assert isinstance(answer, np.ndarray) and answer.shape == (len(x_test), 10)
    assert (answer.argmax(1) == y_test).mean() == pytest.approx(accuracy)
    assert model.evaluate(x_test, y_test, verbose=0, return_dict=True) == {"loss": loss, "accuracy": accuracy}


@pytest.mark.skipif(not any(map(shutil.which, ("g++", "clang++"))), reason="no C++ compiler for sim")
def test_other_devices_train_too():
    found = []
    for device in ("cpu", "sim"):
        model = classifier().to(device)
        found.append(model.fit(X[:8], Y[:8], batch_size=4, verbose=0, shuffle=False).history["loss"][0])
        assert model.predict(X[:2]).shape == (2, 3)
    assert found[1] == pytest.approx(found[0], rel=1e-5)


class Net(keras.Model):
    def __init__(self):
        super().__init__()
        self.blocks = []
        for _ in range(2):
            self.blocks.append(layers.Dense(5, activation="relu"))
        self.drop = layers.Dropout(0.5)
        self.out = layers.Dense(3)

    def call(self, inputs, training=False):
        for block in self.blocks:
            inputs = block(inputs)
        self.was_training = training
        return self.out(self.drop(inputs))


def test_a_subclass_trains_all_its_layers():
    model = Net()
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(X, Y, verbose=0)
    assert [each.shape for each in model.get_weights()] == [(4, 5), (5,), (5, 5), (5,), (5, 3), (3,)]
    before = model.get_weights()
    model.fit(X, Y, verbose=0)
    assert all((a != b).any() for a, b in zip(before, model.get_weights(), strict=True))
    assert gpunet.equal(model(X), model(X)) and model.was_training is False  # no dropout outside fit
    assert not gpunet.equal(model(X, training=True), model(X, training=True)) and model.was_training is True


def test_dropout_and_batch_norm_know_the_mode():
    norm = layers.BatchNormalization()
    norm(X)
    assert (norm.moving_mean == 0).all()
    norm(X, training=True)
    assert (norm.moving_mean != 0).all()
    norm.trainable = False
    before = norm.get_weights()
    norm(X, training=True)
    assert all((a == b).all() for a, b in zip(before, norm.get_weights(), strict=True))
    one = layers.BatchNormalization()  # a batch of one has a variance of 0
    assert one(X[:1], training=True).abs().max() == 0


def test_frozen_layers_stay():
    model = classifier()
    model.layers[0].trainable = False
    model.compile("sgd", "sparse_categorical_crossentropy")
    before = model.get_weights()
    model.fit(X, Y, verbose=0)
    changed = [bool((a != b).any()) for a, b in zip(before, model.get_weights(), strict=True)]
    assert changed == [False, False, True, True] and len(model.trainable_weights) == 2


def test_weights_go_through_files(tmp_path):
    model, other = classifier(), classifier()
    model.fit(X, Y, verbose=0)
    path = tmp_path / "model.weights"
    model.save_weights(path)
    other.load_weights(path)
    assert (model.predict(X) == other.predict(X)).all()
    wide = keras.Sequential([keras.Input((4,)), layers.Dense(9), layers.Dense(3)])
    with pytest.raises(ValueError, match=r"belongs to another model.*shape \(4, 9\)"):
        wide.load_weights(path)


def test_callbacks_of_both_kinds(tmp_path):
    seen = []

    class Watch(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append((batch, sorted(logs)))

        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = epoch == 3

    model = classifier()
    history = model.fit(X, Y, epochs=9, batch_size=20, verbose=0, validation_data=(X, Y), initial_epoch=1, callbacks=[
        Watch(), train.LearningRateMonitor("epoch"), keras.callbacks.CSVLogger(tmp_path / "log.csv"),
        keras.callbacks.ModelCheckpoint(tmp_path / "{epoch:02d}.weights"),
        keras.callbacks.LearningRateScheduler(lambda epoch, rate: 0.1 / (epoch + 1))])
    assert history.epoch == [1, 2, 3] and seen[:3] == [(0, ["accuracy", "loss"]), (1, ["accuracy", "loss"]),
                                                       (0, ["accuracy", "loss"])]
    assert model.optimizer.learning_rate == pytest.approx(0.025)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["01.weights", "02.weights", "03.weights", "log.csv"]
    assert (tmp_path / "log.csv").read_text().count("\n") == 4


def test_best_weights_come_back():
    model = classifier(optimizer=keras.optimizers.SGD(100.0))
    stop = keras.callbacks.EarlyStopping("val_loss", patience=2, restore_best_weights=True)
    history = model.fit(X, Y, epochs=20, verbose=0, validation_data=(X, Y), callbacks=[stop])
    assert len(history.epoch) < 20 and stop.stopped_epoch == history.epoch[-1]
    assert model.evaluate(X, Y, verbose=0)[0] == pytest.approx(min(history.history["val_loss"]), rel=1e-5)


def test_schedules_follow_the_steps():
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 2, 0.5)
    model = classifier(optimizer=keras.optimizers.SGD(schedule))
    rates = train.LearningRateMonitor("step")
    model.fit(X, Y, batch_size=10, verbose=0, callbacks=[rates])
    assert [each[0] for each in rates.rates] == pytest.approx([schedule(step) for step in (1, 2, 3, 4)])


def test_datasets_give_their_targets():
    data = gpunet.data.TensorDataset(gpunet.tensor(X), gpunet.tensor(Y))
    model = classifier()
    model.fit(data, verbose=0)
    assert model.fit(gpunet.data.DataLoader(data, 10), verbose=0, validation_data=data).history["val_loss"]
    assert len(model.predict(X.tolist())) == 40


def test_batches_by_hand():
    model = classifier()
    before = model.test_on_batch(X, Y)
    first = model.train_on_batch(X, Y)
    assert first == pytest.approx(before, rel=1e-5) and model.train_on_batch(X, Y)[0] < first[0]


def test_an_average_leaves_out_what_same_adds():
    """As on Keras's TensorFlow and JAX back ends; its PyTorch one repeats the last row instead."""
    image = np.arange(9, dtype=np.float32).reshape(1, 3, 3, 1)
    found = layers.AveragePooling2D(2, padding="same")(image)
    assert found.flatten().tolist() == [2.0, 3.5, 6.5, 8.0]


SHAPES = [
    (lambda: layers.Flatten(), (3, 4)), (lambda: layers.Reshape((2, -1)), (3, 4)),
    (lambda: layers.Embedding(9, 2), (3,)), (lambda: layers.LSTM(2, return_state=True), (3, 4)),
    (lambda: layers.Conv2D(2, 3, 2, "same", "channels_first"), (3, 6, 7)),
    (lambda: layers.GRU(2, return_sequences=True), (3, 4)), (lambda: layers.AveragePooling2D(2, 1), (4, 5, 2)),
]


@pytest.mark.parametrize("make,shape", SHAPES, ids=lambda each: "" if callable(each) else str(each))
def test_the_shape_is_known_before_the_call(make, shape):
    layer = make()
    symbolic = layer(keras.Input(shape))
    found = layer(np.ones((2, *shape), np.float32))
    pairs = zip(symbolic, found, strict=True) if isinstance(symbolic, list) else [(symbolic, found)]
    assert all((2, *known.shape[1:]) == tuple(value.shape) for known, value in pairs)


def test_a_layer_of_ones_own_is_tried_for_its_shape():
    class Twice(layers.Layer):
        def call(self, inputs):
            return gpunet.cat([inputs, inputs], -1)

    assert Twice()(keras.Input((5, 3))).shape == (None, 5, 6)


def dense(width=4):
    return keras.Input((width,)), layers.Dense(3)


BAD = {
    "no metric 'acuracy'; did you mean 'accuracy'": lambda: keras.Sequential().compile("adam", "mse", ["acuracy"]),
    "no loss 'msee'; did you mean 'mse'": lambda: keras.Sequential().compile("adam", "msee"),
    "no optimizer 'adm'; did you mean 'adam'": lambda: keras.Sequential().compile("adm"),
    "no activation 'rleu'; did you mean 'relu'": lambda: layers.Dense(3, "rleu"),
    "no initializer 'zero'": lambda: layers.Dense(3, kernel_initializer="zero")(X),
    "units must be a whole number of at least 1, not 0": lambda: layers.Dense(0),
    "rate must be from 0 to 1, not 2": lambda: layers.Dropout(2),
    "padding must be 'valid' or 'same', not 'full'": lambda: layers.Conv2D(3, 3, padding="full"),
    "kernel_size must be one number or two": lambda: layers.Conv2D(3, (3, 3, 3)),
    r"takes inputs of 4 axes \[N, height": lambda: layers.Conv2D(3, 3)(X),
    "does not fit into an input of shape": lambda: layers.MaxPooling2D(5)(np.ones((1, 4, 4, 1), np.float32)),
    r"expects 3 inputs in the last axis": lambda: _called_with(3, X),
    "cannot make": lambda: layers.Reshape((3, -1))(X),
    "cannot join inputs of the shapes": lambda: layers.Add()([np.ones((2, 3)), np.ones((2, 4))]),
    "Input needs a shape": lambda: keras.Input(),
    "shape must be a tuple": lambda: keras.Input(784),
    "has no weights to train": lambda: frozen().fit(X, Y),
    "was not compiled; call compile": lambda: keras.Sequential([layers.Dense(3)]).fit(X, Y),
    "the targets have class 7, and the model's 3 outputs": lambda: classifier().fit(X, np.full(40, 7)),
    "must have as many examples each, and have 40, 3": lambda: classifier().fit(X, Y[:3]),
    r"the input input_layer\S* has shape \(None, 4\)": lambda: classifier().fit(X[:, :2], Y),
    "one-hot targets go with categorical": lambda: classifier().fit(X, np.eye(3)[Y]),
    "validation_split must be between 0 and 1": lambda: classifier().fit(X, Y, validation_split=1.5),
    "batch_size must be a whole number": lambda: classifier().fit(X, Y, batch_size=0, verbose=0),
    "verbose must be": lambda: classifier().fit(X, Y, verbose=7),
    "must hold numbers": lambda: classifier().fit(np.array(["a"] * 40), Y),
    "callbacks must be of keras.callbacks": lambda: classifier().fit(X, Y, callbacks=[3]),
    "class_weight goes with arrays": lambda: classifier().fit(X, Y, class_weight={0: 1.0}, sample_weight=np.ones(40)),
    "does not read or write Keras's own files": lambda: classifier().save("model.keras"),
    "Keras's own files; build": lambda: keras.models.load_model("model.h5"),
    "does not exist; save_weights": lambda: classifier().load_weights("nothing.weights"),
    "has 4 weights, and 1 are given": lambda: classifier().set_weights([np.ones(3)]),
    r"weight 1 has shape \(8,\)": lambda: classifier().set_weights(
        [np.ones((4, 8)), np.ones(9), np.ones((8, 3)), np.ones(3)]),
    "has no weights yet": lambda: keras.Sequential([layers.Dense(3)]).count_params(),
    "which is none of the inputs": lambda: keras.Model(keras.Input((4,)), layers.Dense(3)(keras.Input((4,)))),
    "must be what keras.Input": lambda: keras.Model(X, X),
    "takes layers, and 3 is a int": lambda: keras.Sequential([3]),
    "is no layer of gpunet.keras": lambda: keras.Sequential([keras.Input((3,)), gpunet.nn.Linear(3, 3)]),
    "is in it already": lambda: keras.Sequential([layer := layers.Dense(3), layer]),
    "has no layer 'x'; it has": lambda: classifier().get_layer("x"),
    "jit_compile=True is not supported": lambda: classifier(jit_compile=True),
    "give only one of clipnorm": lambda: keras.optimizers.SGD(clipnorm=1.0, clipvalue=1.0),
    "there is class 5, and the 3 classes": lambda: keras.utils.to_categorical([5], 3),
    "cannot branch by it": lambda: bool(keras.Input((3,)) * 2),
    "mask_zero is not supported": lambda: layers.Embedding(3, 3, mask_zero=True),
    "mode must be 'auto', 'min' or 'max'": lambda: keras.callbacks.EarlyStopping(mode="less"),
    "needs the input 'one', and is given two": lambda: two_inputs().predict({"two": X}),
}


def _called_with(width, x):
    layer = layers.Dense(3)
    layer(np.ones((1, width), np.float32))
    return layer(x)


def frozen():
    model = classifier()
    model.trainable = False
    assert len(model.evaluate(X, Y, verbose=0)) == 2  # which needs none
    return model


def two_inputs():
    one, two = keras.Input((4,), name="one"), keras.Input((4,), name="two")
    return keras.Model([one, two], layers.Add()([one, two]))


@pytest.mark.parametrize("message", BAD)
def test_bad_input_is_a_sentence(message):
    with pytest.raises((ValueError, TypeError, RuntimeError, FileNotFoundError), match=message) as caught:
        BAD[message]()
    assert "\n" not in str(caught.value)
