"""The recipe `table`: a CSV file with a target column, of classes or of numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import gpunet
from gpunet import Tensor, nn
from gpunet.data import Dataset, TensorDataset
from gpunet.data.datasets import DatasetError
from gpunet.files import digest
from gpunet.models import MLP
from gpunet.nn import functional as F
from gpunet.train.config import REQUIRED, Config, Setting, choice, count, counts, share, suggestion, text, texts
from gpunet.train.recipes.csv_file import Rows, encoded, fitted, is_missing, number_in, read_csv, width_of
from gpunet.train.recipes.recipe import SPLITS, Data, Recipe, optimizer_settings, split, train_settings

_MOST_CLASSES = 20  # of whole numbers, if nothing is said about the task


class TableRecipe(Recipe):
    """A network on the columns of a CSV file. All that is learned of the columns is learned from the training rows."""

    name, inputs = "table", "table"
    settings = {
        "data": {
            "path": Setting(REQUIRED, (str,), "a file's name", "the CSV file; its first line names the columns"),
            "target": Setting(REQUIRED, (str,), "a column's name", "the column to predict"),
            "task": choice("auto", ("auto", "classification", "regression"),
                           "auto: regression if the target is numbers, but for a few different whole ones"),
            "ignore": texts("columns that are not used, such as numbers of customers"),
            "delimiter": text("auto", "between the values of a row; auto: comma, semicolon or tab"),
            **SPLITS,
        },
        "model": {
            "hidden": counts([128, 64], "units of each hidden layer"),
            "members": count(4, "networks whose outputs are averaged"),
            "dropout": share(0.1, "share of the hidden values that is dropped in training"),
        },
        "optimizer": optimizer_settings({"sgd": 0.02, "adam": 2e-3, "adamw": 2e-3}, 0.1, warmup=0.05),
        "train": train_settings(100, 32, 0.0, patience=25),
    }

    def read(self, config: Config) -> Data:
        path, target = config["data.path"], config["data.target"]
        rows = read_csv(path, _delimiter(config["data.delimiter"]))
        answers = rows.column(target)
        if unknown := [name for name in config["data.ignore"] if name not in rows.names]:
            raise DatasetError(f"{path} has no column {unknown[0]!r} to ignore; "
                               f"{suggestion(unknown[0], rows.names, 'it has')}")
        for line, answer in zip(rows.lines, answers, strict=True):
            if is_missing(answer):
                raise DatasetError(f"{path}, line {line}: {target} is missing, and it is what is to be predicted; "
                                   "remove the row.")
        task = _task(config["data.task"], rows, target, answers)
        classes = _ordered(set(answers)) if task == "classification" else []
        if task == "classification" and len(classes) < 2:
            raise DatasetError(f"{path}: {target} has one class, {classes[0]!r}, and there must be at least two; "
                               "choose another target.")
        labels = np.array([classes.index(answer) for answer in answers]) if classes else None
        shares = {part: config[f"data.{part}"] for part in ("validation", "test")}
        chosen = split(f"{path}, column {target}", labels, len(answers), shares, config["train.seed"], classes, "row")
        fit = rows.at(chosen["train"].tolist())
        columns = fitted(fit, [name for name in rows.names if name != target and name not in config["data.ignore"]])
        if not columns:
            raise DatasetError(f"{path} has no column beside {target} whose values differ; there is nothing to predict "
                               "it from.")
        values = self._targets(rows, answers, classes, target)
        features = encoded(rows, columns)
        parts: dict[str, Dataset] = {part: TensorDataset(gpunet.tensor(features[each]), gpunet.tensor(values[each]))
                                     for part, each in chosen.items()}
        known = values[chosen["train"]]
        about = {"recipe": self.name, "task": task, "classes": classes, "target": target, "columns": columns,
                 "model": {"features": width_of(columns), "outputs": len(classes) or 1,
                           "hidden": config["model.hidden"], "members": config["model.members"],
                           "dropout": config["model.dropout"],
                           "mean": 0.0 if classes else float(known.mean()),
                           "std": 1.0 if classes else float(known.std()) or 1.0}}
        kinds = [each["kind"] for each in columns]
        what = f"{len(classes)} classes" if classes else "a number"
        note = (f"{len(known):,} rows to train on, {len(chosen['validation']):,} for validation and "
                f"{len(chosen['test']):,} for the test; {kinds.count('number')} columns of numbers and "
                f"{kinds.count('category')} of categories, from which {target} is predicted, {what}")
        content = "\n".join("\t".join(row) for row in [rows.names, *rows.values])
        return Data(parts, about, digest([content.encode()]), note)

    def read_other(self, config: Config, about: dict[str, Any], place: str) -> Dataset:
        rows = read_csv(place, _delimiter(config["data.delimiter"]))
        answers = rows.column(about["target"])
        targets = self._targets(rows, answers, about["classes"], about["target"])
        return TensorDataset(gpunet.tensor(encoded(rows, about["columns"])), gpunet.tensor(targets))

    def rows(self, path: str, about: dict[str, Any]) -> tuple[Tensor, list[int]]:
        """The rows of a file as the model takes them, without a target, and their lines. Raises DatasetError."""
        rows = read_csv(path)
        return gpunet.tensor(encoded(rows, about["columns"])), rows.lines

    def _targets(self, rows: Rows, answers: list[str], classes: list[str], target: str) -> np.ndarray:
        if classes:
            numbers = {name: number for number, name in enumerate(classes)}
            for line, answer in zip(rows.lines, answers, strict=True):
                if answer not in numbers:
                    names = f"{', '.join(classes[:8])}{' and others' * (len(classes) > 8)}"
                    raise DatasetError(f"{rows.path}, line {line}: {target} is {answer!r}, which is none of the "
                                       f"classes {names}; mend or remove the row.")
            return np.array([numbers[answer] for answer in answers], np.int64)
        values = []
        for line, answer in zip(rows.lines, answers, strict=True):
            if (value := number_in(answer)) is None:
                raise DatasetError(f"{rows.path}, line {line}: {target} is {answer!r}, which is no number; mend or "
                                   "remove the row.")
            values.append(value)
        return np.array(values, np.float32)

    def check(self, about: dict[str, Any], weights: int) -> None:
        model, outputs = about["model"], len(about["classes"]) or 1
        sizes = [model["features"], *model["hidden"], model["outputs"]]
        if not all(type(each) is int and 0 < each < 2**31 for each in (*sizes, model["members"])):
            raise ValueError(f"its metadata has layers of the sizes {sizes}")
        if width_of(about["columns"]) != sizes[0] or outputs != sizes[-1]:
            raise ValueError(f"its metadata has layers of the sizes {sizes}, columns that make "
                             f"{width_of(about['columns'])} numbers, and {outputs} outputs, which do not fit together")
        each = sum((before + 1) * after for before, after in zip(sizes[:-1], sizes[1:], strict=True))
        if weights != model["members"] * each + 2:
            raise ValueError(f"it has {weights} weights, which do not make {model['members']} networks of the sizes "
                             f"{sizes}")

    def model(self, about: dict[str, Any]) -> nn.Module:
        model = about["model"]
        return TableNet([model["features"], *model["hidden"], model["outputs"]], model["members"], model["dropout"],
                        model["mean"], model["std"], squeeze=about["task"] == "regression")

    def loss(self, about: dict[str, Any], config: Config | None = None) -> Callable[..., Tensor]:
        if about["task"] == "classification":
            return super().loss(about, config)
        return RelativeError(about["model"]["std"])

    def metrics(self, about: dict[str, Any]) -> list[Any]:
        return ["accuracy"] if about["task"] == "classification" else ["r2", "mae"]

    def described(self, about: dict[str, Any]) -> str:
        model = about["model"]
        sizes = [model["features"], *model["hidden"], model["outputs"]]
        return f"{model['members']} MLPs {'-'.join(map(str, sizes))}"

    def input_form(self, about: dict[str, Any]) -> tuple[tuple[int, ...], Any]:
        return (about["model"]["features"],), gpunet.float32


class TableNet(nn.Module):
    """MLPs side by side, computed together, whose outputs are averaged.

    Outputs that are numbers are scaled to the targets' mean and deviation.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, sizes: list[int], members: int, dropout: float, mean: float, std: float, squeeze: bool) -> None:
        super().__init__()
        networks = [MLP(sizes) for _ in range(members)]  # for their first weights
        layers = zip(*([each for each in network if isinstance(each, nn.Linear)] for network in networks), strict=True)
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        for each in layers:
            self.weights.append(nn.Parameter(gpunet.stack([layer.weight.detach().t() for layer in each])))
            self.biases.append(nn.Parameter(gpunet.stack([layer.bias.detach()[None] for layer in each])))
        self.dropout, self.squeeze = dropout, squeeze
        self.register_buffer("mean", gpunet.tensor(mean))
        self.register_buffer("std", gpunet.tensor(std))

    def forward(self, x: Tensor) -> Tensor:
        x = x.expand(len(self.weights[0]), *x.shape)
        for number, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            if number:
                x = F.dropout(F.relu(x), self.dropout, self.training)
            x = gpunet.baddbmm(bias, x, weight)
        output = x.mean(0)
        return (output * self.std + self.mean).squeeze(1) if self.squeeze else output


class RelativeError:
    """The mean squared error, in units of the training targets' variance: 1 is that of their mean."""

    def __init__(self, std: float) -> None:
        self.std = std

    def __call__(self, output: Tensor, target: Tensor) -> Tensor:
        return F.mse_loss(output / self.std, target / self.std)


def _task(task: str, rows: Rows, target: str, answers: list[str]) -> str:
    numbers = [number_in(answer) for answer in answers]
    if task == "regression" and None in numbers:
        place = numbers.index(None)
        raise DatasetError(f"{rows.path}, line {rows.lines[place]}: {target} is {answers[place]!r}, which is no "
                           "number; mend it, or set data.task to classification.")
    if task == "auto":
        whole = all(number is not None and number == int(number) for number in numbers)
        few = len(set(answers)) <= _MOST_CLASSES
        task = "classification" if None in numbers or (whole and few) else "regression"
    if task == "classification" and len(set(answers)) > max(_MOST_CLASSES, len(answers) // 2):
        raise DatasetError(f"{rows.path}: {target} has {len(set(answers))} different values in {len(answers)} rows, "
                           "too many for classes; choose another target, or set data.task to regression.")
    return task


def _ordered(names: set[str]) -> list[str]:
    """Classes by number where all are numbers, else by name."""
    numbers = {name: number_in(name) for name in names}
    if None in numbers.values():
        return sorted(names)
    return sorted(names, key=lambda name: (numbers[name], name))


def _delimiter(given: str) -> str:
    if given != "auto" and len(given) != 1:
        raise DatasetError(f"data.delimiter is {given!r}; it must be one character, or auto.")
    return given


TABLE = TableRecipe()
