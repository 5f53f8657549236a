"""A first Keras program of which only the imports were changed: a network of three layers reads handwritten digits.

    python examples/keras_digits.py                 (the digits that come with gpunet)
    python examples/keras_digits.py --mnist data    (MNIST; its files are in this folder)
"""

import argparse

from gpunet import keras
from gpunet.keras import layers

parser = argparse.ArgumentParser()
parser.add_argument("--mnist", metavar="FOLDER", help="read MNIST from this folder")
parser.add_argument("--quick", action="store_true", help="one epoch, on few examples")
args = parser.parse_args()

keras.utils.set_random_seed(0)
data = keras.datasets.mnist.load_data(args.mnist) if args.mnist else keras.datasets.digits.load_data()
(x_train, y_train), (x_test, y_test) = data
if args.quick:
    x_train, y_train = x_train[:640], y_train[:640]
x_train = x_train.astype("float32") / x_train.max()
x_test = x_test.astype("float32") / x_test.max()

model = keras.Sequential([
    keras.Input(shape=x_train.shape[1:]),
    layers.Flatten(),
    layers.Dense(256, activation="relu"),
    layers.Dense(128, activation="relu"),
    layers.Dense(10, activation="softmax"),
])
model.summary()
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x_train, y_train, epochs=1 if args.quick else 5, batch_size=32, validation_split=0.1)

loss, accuracy = model.evaluate(x_test, y_test, verbose=0)
print(f"test loss {loss:.4f}  test accuracy {accuracy:.4f}")
