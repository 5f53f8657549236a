"""The recipe `text`: a GPT that reads and writes a text character by character."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import gpunet
from gpunet import Tensor, nn
from gpunet.data import Dataset, TensorDataset
from gpunet.data.datasets import DatasetError
from gpunet.files import digest
from gpunet.models import GPT2
from gpunet.nn import functional as F
from gpunet.train.config import REQUIRED, Config, Setting, count, share
from gpunet.train.recipes.recipe import Data, Recipe, optimizer_settings, train_settings

_MOST = 2**28  # characters, which take 2 GiB as numbers
_PARTS = ("train", "validation", "test")


class TextRecipe(Recipe):
    """A GPT over the characters of a text file.

    The text's beginning is trained on, the next part is for validation, and its end for the test. An example is a piece
    of it; an epoch has each piece once.
    """

    name, inputs, evaluation_batch = "text", "text", 64
    settings = {
        "data": {
            "path": Setting(REQUIRED, (str,), "a file's name", "the text file, in UTF-8"),
            "validation": share(0.05, "share of the text that decides which epoch is best", zero=False),
            "test": share(0.05, "share of the text, its end, for the test", zero=False),
        },
        "model": {
            "context": count(64, "characters that the model sees"),
            "width": count(128, "features"),
            "layers": count(3, "blocks"),
            "heads": count(4, "heads of the attention; they divide the features"),
            "dropout": share(0.0, "share of the values that is dropped in training"),
        },
        "optimizer": optimizer_settings({"sgd": 0.1, "adam": 2e-3, "adamw": 2e-3}, 0.1, warmup=0.05),
        "train": train_settings(2, 32, None, clip_norm=1.0),
    }

    def config(self, given: Any) -> Config:
        config = super().config(given)
        if config["model.width"] % config["model.heads"]:
            raise DatasetError(f"model.heads is {config['model.heads']}, which does not divide model.width, "
                               f"{config['model.width']}; choose a divisor.")
        return config

    def read(self, config: Config) -> Data:
        path, context = config["data.path"], config["model.context"]
        text = read_text(path)
        vocabulary = "".join(sorted(set(text)))
        tokens = encoded(text, vocabulary, path)
        sizes = [round(len(tokens) * config[f"data.{part}"]) for part in ("validation", "test")]
        pieces = np.split(tokens, [len(tokens) - sum(sizes), len(tokens) - sizes[1]])
        for part, piece in zip(_PARTS, pieces, strict=True):
            if len(piece) <= context:
                raise DatasetError(f"{path} has {len(text):,} characters, of which {part} gets {len(piece):,}, and the "
                                   f"model sees {context} at once; take a longer text, or a smaller model.context.")
        parts: dict[str, Dataset] = {part: _pieces(piece, context) for part, piece in zip(_PARTS, pieces, strict=True)}
        about = {"recipe": self.name, "task": "language", "classes": [], "vocabulary": vocabulary,
                 "model": {"vocab_size": len(vocabulary), "n_positions": context, "n_embd": config["model.width"],
                           "n_layer": config["model.layers"], "n_head": config["model.heads"],
                           "dropout": config["model.dropout"]}}
        sizes = [f"{len(piece):,}" for piece in pieces]
        note = (f"{sizes[0]} characters to train on, {sizes[1]} for validation and {sizes[2]} for the test, "
                f"{len(vocabulary)} different ones, in pieces of {context}")
        return Data(parts, about, digest([text.encode()]), note,
                    {"loss of a bigram model": bigram_loss(pieces[0], pieces[1], len(vocabulary))})

    def read_other(self, config: Config, about: dict[str, Any], place: str) -> Dataset:
        tokens, context = encoded(read_text(place), about["vocabulary"], place), about["model"]["n_positions"]
        if len(tokens) <= context:
            raise DatasetError(f"{place} has {len(tokens):,} characters, and the model sees {context} at once; take a "
                               "longer text.")
        return _pieces(tokens, context)

    def check(self, about: dict[str, Any], weights: int) -> None:
        model, vocabulary = about["model"], about["vocabulary"]
        sizes = [model[name] for name in ("vocab_size", "n_positions", "n_embd", "n_layer", "n_head")]
        if not all(type(size) is int and 0 < size < 2**31 for size in sizes):
            raise ValueError(f"its metadata has a model of the sizes {sizes}")
        tokens, positions, width, layers, _ = sizes
        if not isinstance(vocabulary, str) or len(set(vocabulary)) != tokens or len(vocabulary) != tokens:
            raise ValueError(f"its metadata has {tokens} tokens and a vocabulary that does not fit")
        if weights != width * (tokens + positions + 2) + layers * (12 * width * width + 13 * width):
            raise ValueError(f"it has {weights} weights, which do not make a GPT of the sizes {sizes}")

    def model(self, about: dict[str, Any]) -> GPT2:
        return GPT2(**about["model"])

    def loss(self, about: dict[str, Any], config: Config | None = None) -> Callable[..., Tensor]:
        return next_token_loss

    def metrics(self, about: dict[str, Any]) -> list[Any]:
        return []

    def described(self, about: dict[str, Any]) -> str:
        model = about["model"]
        return f"GPT of {model['n_layer']} blocks, width {model['n_embd']}, {model['n_head']} heads"

    def input_form(self, about: dict[str, Any]) -> tuple[tuple[int, ...], Any]:
        return (about["model"]["n_positions"],), gpunet.int64


def next_token_loss(output: Tensor, target: Tensor) -> Tensor:
    """The mean cross-entropy of the next characters, in nats. Output [N, T, characters], target [N, T]."""
    return F.cross_entropy(output.reshape(-1, output.shape[-1]), target.reshape(-1))


def read_text(path: str | Path) -> str:
    """The content of a text file. Raises DatasetError."""
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror or error}.") from error
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path} is no text in UTF-8: byte {error.start} does not fit; save it in UTF-8.") from error
    if len(text) > _MOST:
        raise DatasetError(f"{path} has {len(text):,} characters, and at most {_MOST:,} are read; take a part of it.")
    return text


def encoded(text: str, vocabulary: str, name: str | Path) -> np.ndarray:
    """The numbers of characters, int64. Raises DatasetError for one that is not in the vocabulary."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    known = np.array([ord(each) for each in vocabulary], np.uint32)
    places = np.minimum(np.searchsorted(known, codes), len(known) - 1) if len(known) else np.zeros(len(codes), int)
    if len(codes) and (not len(known) or (known[places] != codes).any()):
        strange = chr(int(codes[0] if not len(known) else codes[known[places] != codes][0]))
        raise DatasetError(f"{name} has the character {strange!r}, which the text that was trained on does not have; "
                           "leave it out.")
    return places.astype(np.int64)


def bigram_loss(train: np.ndarray, validation: np.ndarray, size: int) -> float:
    """The mean loss of a model that knows how often each character follows each other one, one added to each count."""
    counts = np.ones((size, size))
    np.add.at(counts, (train[:-1], train[1:]), 1)
    chances = counts / counts.sum(1, keepdims=True)
    return float(-np.log(chances[validation[:-1], validation[1:]]).mean())


def continued(model: nn.Module, about: dict[str, Any], prompt: str, length: int, temperature: float, seed: int,
              device: str) -> Iterator[str]:
    """The text after a prompt, character by character. Raises DatasetError."""
    assert isinstance(model, GPT2)
    if not prompt:
        raise DatasetError("The beginning of the text is empty; give at least one character.")
    vocabulary: str = about["vocabulary"]
    tokens = gpunet.tensor(encoded(prompt, vocabulary, "The beginning of the text")[None], device=device)
    draws = gpunet.Generator(device).manual_seed(seed)
    for _ in range(length):
        tokens = model.generate(tokens[:, -model.n_positions:], 1, temperature, generator=draws)
        yield vocabulary[int(tokens[0, -1])]


def _pieces(tokens: np.ndarray, length: int) -> TensorDataset:
    """Pieces of a row of tokens, each with the row moved on by one."""
    number = (len(tokens) - 1) // length
    before, after = (tokens[start : start + number * length].reshape(number, length) for start in (0, 1))
    return TensorDataset(gpunet.tensor(before), gpunet.tensor(after))


TEXT = TextRecipe()
