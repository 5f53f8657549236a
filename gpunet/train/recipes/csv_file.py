"""CSV files: their rows as texts, and columns as numbers by what the training rows have."""

from __future__ import annotations

import csv
import io
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gpunet.data.datasets import DatasetError
from gpunet.train.config import suggestion

MISSING = frozenset(("", "na", "n/a", "nan", "null", "none", "?", "-"))
_MOST_CATEGORIES = 32  # of a column; the rarer ones count as one


@dataclass(frozen=True)
class Rows:
    """The rows of a CSV file.

    names: of the columns. values: the texts of each row, without blanks at their ends. lines: the line of each row in
    the file, from 1.
    """

    path: str
    names: list[str]
    values: list[list[str]]
    lines: list[int]

    def column(self, name: str) -> list[str]:
        """The texts of a column. Raises DatasetError where there is none of this name."""
        if name not in self.names:
            raise DatasetError(f"{self.path} has no column {name!r}; {suggestion(name, self.names, 'it has')}")
        place = self.names.index(name)
        return [row[place] for row in self.values]

    def at(self, numbers: Sequence[int]) -> Rows:
        """Some of the rows."""
        values, lines = zip(*((self.values[each], self.lines[each]) for each in numbers), strict=True)
        return Rows(self.path, self.names, list(values), list(lines))


def read_csv(path: str | Path, delimiter: str = "auto") -> Rows:
    """The rows of a CSV file whose first line names the columns. Raises DatasetError."""
    try:
        text = Path(path).read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path} is no text in UTF-8: byte {error.start} does not fit; save it in UTF-8.") from error
    if delimiter == "auto":
        first = text.partition("\n")[0]
        delimiter = max(",;\t", key=first.count)  # the comma where there is none
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    values, lines, names = [], [], None
    try:
        for row in reader:
            if not row or row == [""]:
                continue
            cells = [cell.strip() for cell in row]
            if names is None:
                names = cells
                continue
            if len(cells) != len(names):
                raise DatasetError(f"{path}, line {reader.line_num}: the row has {len(cells)} values, and there are "
                                   f"{len(names)} columns; mend or remove it.")
            values.append(cells)
            lines.append(reader.line_num)
    except csv.Error as error:
        raise DatasetError(f"{path}, line {reader.line_num}: {error}; mend or remove the row.") from error
    if names is None:
        raise DatasetError(f"{path} is empty; its first line must name the columns.")
    if double := [name for name, number in Counter(names).items() if number > 1]:
        raise DatasetError(f"{path} has two columns called {double[0]!r}; rename one.")
    if not values:
        raise DatasetError(f"{path} has no rows below the names of its columns.")
    return Rows(str(path), names, values, lines)


def number_in(text: str) -> float | None:
    """The finite number that a text is; None if it is none."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def is_missing(text: str) -> bool:
    """Whether a text stands for no value."""
    return text.lower() in MISSING


def fitted(rows: Rows, names: Sequence[str]) -> list[dict[str, Any]]:
    """How to make numbers of these columns, by what these rows have, as JSON.

    A column of numbers has its mean and deviation, the median for missing ones, and whether there are such. Another one
    has its most frequent values. A column with one value alone tells nothing, and is left out.
    """
    found: list[dict[str, Any]] = []
    for name in names:
        texts = rows.column(name)
        given = [text for text in texts if not is_missing(text)]
        numbers = [number_in(text) for text in given]
        gaps = len(given) < len(texts)
        if given and None not in numbers:
            array = np.array(numbers, np.float64)
            filled = np.concatenate([array, np.full(len(texts) - len(given), np.median(array))])
            if np.ptp(filled) > 0 or gaps:
                found.append({"name": name, "kind": "number", "median": float(np.median(array)),
                              "mean": float(filled.mean()), "std": float(filled.std()) or 1.0, "gaps": gaps})
        else:
            values = [value for value, _ in Counter(given).most_common(_MOST_CATEGORIES)]
            if len(values) > 1 or (values and gaps):
                found.append({"name": name, "kind": "category", "values": sorted(values)})
    return found


def encoded(rows: Rows, columns: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """Rows as numbers, float32 [N, features]. Raises DatasetError for a column that is missing, or a value that is no
    number in a column of numbers."""
    parts = []
    for column in columns:
        texts = rows.column(column["name"])
        if column["kind"] == "category":
            place = {value: number for number, value in enumerate(column["values"])}
            hot = np.zeros((len(texts), len(place)), np.float32)
            for number, text in enumerate(texts):
                if text in place:  # others, and missing ones, are none of them
                    hot[number, place[text]] = 1
            parts.append(hot)
            continue
        gone = np.array([is_missing(text) for text in texts])
        numbers = np.empty(len(texts))
        for number, text in enumerate(texts):
            value = column["median"] if gone[number] else number_in(text)
            if value is None:
                raise DatasetError(f"{rows.path}, line {rows.lines[number]}: {column['name']} is {text!r}, and the "
                                   "column has numbers; mend the value, or leave it empty.")
            numbers[number] = value
        # So far out is no measurement, and would be all that the network sees.
        parts.append(np.clip((numbers - column["mean"]) / column["std"], -10, 10)[:, None].astype(np.float32))
        if column["gaps"]:
            parts.append(gone[:, None].astype(np.float32))
    return np.concatenate(parts, axis=1)


def width_of(columns: Sequence[Mapping[str, Any]]) -> int:
    """How many numbers `encoded` makes of a row."""
    return sum(len(each["values"]) if each["kind"] == "category" else 1 + bool(each["gaps"]) for each in columns)


def decoded(features: np.ndarray, columns: Sequence[Mapping[str, Any]]) -> list[str]:
    """The values of a row, as texts, from what `encoded` made of it: rounded, missing ones as "", rare categories as
    "other"."""
    found, at = [], 0
    for column in columns:
        width = width_of([column])
        part, at = features[at : at + width], at + width
        if column["kind"] == "category":
            found.append(column["values"][int(part.argmax())] if part.any() else "other")
        elif column["gaps"] and part[1]:
            found.append("")
        else:
            found.append(f"{float(part[0]) * column['std'] + column['mean']:.6g}")
    return found
