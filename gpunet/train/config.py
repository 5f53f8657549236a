"""The settings of a run: read from TOML and from `section.name=value`, checked by name, written as TOML.

A recipe says which settings it has, in sections. `Config.resolve` gives each of them a value. What is wrong is told in
one sentence that names the setting, and the nearest one that there is.
"""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from os import PathLike
from pathlib import Path
from typing import Any


class ConfigError(ValueError):
    """A setting is wrong. The message is one sentence that names it and the remedy."""


@dataclass(frozen=True)
class Setting:
    """A setting: its default, which values it takes, and what it is for.

    default: a value, or a function of what is resolved so far: `section.name` to value. REQUIRED: none.
    kinds: the types of its values. allowed: which of these. wanted: both in words, as `it must be ...`.
    """

    default: Any
    kinds: tuple[type, ...]
    wanted: str
    about: str
    allowed: Callable[[Any], bool] = lambda value: True

    def takes(self, value: Any) -> bool:
        """Whether it may have this value."""
        right = isinstance(value, self.kinds) and (not isinstance(value, bool) or bool in self.kinds)
        return right and self.allowed(value)


REQUIRED = object()
Schema = Mapping[str, Mapping[str, Setting]]


def count(default: Any, about: str, least: int = 1) -> Setting:
    """A whole number."""
    return Setting(default, (int,), f"a whole number of at least {least}", about, lambda n: least <= n < 2**31)


def share(default: Any, about: str, zero: bool = True) -> Setting:
    """A number below 1, and at least or above 0."""
    return Setting(default, (int, float), "from 0 to below 1" if zero else "between 0 and 1", about,
                   lambda n: (0 <= n < 1) and (zero or n > 0))


def number(default: Any, about: str, zero: bool = False) -> Setting:
    """A finite number above 0, or at least 0."""
    return Setting(default, (int, float), "a number of at least 0" if zero else "a positive number", about,
                   lambda n: 0 <= n < math.inf if zero else 0 < n < math.inf)


def choice(default: Any, options: tuple[str, ...], about: str) -> Setting:
    """One of some words."""
    return Setting(default, (str,), f"one of {', '.join(options)}", about, lambda word: word in options)


def text(default: Any, about: str) -> Setting:
    """A text."""
    return Setting(default, (str,), "a text", about, lambda value: "\0" not in value)


def flag(default: bool, about: str) -> Setting:
    """True or false."""
    return Setting(default, (bool,), "true or false", about)


def texts(about: str) -> Setting:
    """A list of texts."""
    return Setting([], (list,), "a list of texts", about, lambda value: all(isinstance(each, str) for each in value))


def counts(default: list[int], about: str) -> Setting:
    """A list of whole numbers."""
    return Setting(default, (list,), "a list of positive whole numbers", about,
                   lambda value: all(type(each) is int and 0 < each < 2**31 for each in value))


class Config(Mapping[str, Any]):
    """All settings of a run, by names such as "optimizer.lr".

    recipe: the recipe's name.
    """

    def __init__(self, recipe: str, values: Mapping[str, Any]) -> None:
        self.recipe, self._values = recipe, dict(values)

    @classmethod
    def resolve(cls, recipe: str, schema: Schema, given: Mapping[str, Any]) -> Config:
        """The settings of a recipe, those that are `given` (by `section.name`) and the defaults of the others.
        None stands for the default. Raises ConfigError."""
        known = {f"{section}.{name}": setting for section, names in schema.items() for name, setting in names.items()}
        for name, value in given.items():
            if name not in known:
                raise ConfigError(f"{name} is no setting of the recipe {recipe}; {_nearest(name, known, recipe)}")
            if value is not None and not known[name].takes(value):
                raise ConfigError(f"{name} is {value!r}; it must be {known[name].wanted}.")
        values: dict[str, Any] = {}
        for name, setting in known.items():
            value = given.get(name)
            if value is None:
                if setting.default is REQUIRED:
                    raise ConfigError(f"{name} is missing: {setting.about}; give it in the file or by --set {name}=...")
                values[name] = setting.default(values) if callable(setting.default) else setting.default
                continue
            values[name] = value
        return cls(recipe, values)

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def changed(self, **values: Any) -> Config:
        """The same settings but for some: `changed(**{"train.epochs": 3})`. None leaves one as it is."""
        return Config(self.recipe, self._values | {name: each for name, each in values.items() if each is not None})

    def nested(self) -> dict[str, Any]:
        """The recipe's name, and the settings by section and name."""
        result: dict[str, Any] = {"recipe": self.recipe}
        for name, value in self._values.items():
            section, _, rest = name.partition(".")
            result.setdefault(section, {})[rest] = value
        return result

    def toml(self, notes: Mapping[str, str] | None = None) -> str:
        """The settings as a file that `gpunet train` takes. notes: what to write behind a setting, by its name."""
        lines = [f"recipe = {_written(self.recipe)}"]
        before = None
        for name, value in self._values.items():
            section, _, rest = name.partition(".")
            if section != before:
                lines += ["", f"[{section}]"]
                before = section
            line = f"{rest} = {_written(value)}" if value is not None else f"# {rest} ="
            note = (notes or {}).get(name)
            lines.append(f"{line:<34} # {note}" if note else line)
        return "\n".join([*lines, ""])


def read_toml(path: str | PathLike[str]) -> dict[str, Any]:
    """The content of a TOML file. Raises ConfigError."""
    try:
        return tomllib.loads(Path(path).read_bytes().decode())
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror or error}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"{path} is no TOML file: {str(error).rstrip('.') or 'it is nested too deeply'}.") from error


def flat(content: Mapping[str, Any], where: str) -> dict[str, Any]:
    """A file's settings by `section.name`, without the recipe's name. Raises ConfigError for one outside a section.

    where: how errors call the file.
    """
    found: dict[str, Any] = {}
    for section, values in content.items():
        if section == "recipe":
            continue
        if not isinstance(values, dict):
            raise ConfigError(f"{where}: {section} stands outside a section; write it below its section, such as "
                              "[train].")
        found |= {f"{section}.{name}": value for name, value in values.items()}
    return found


def parse_assignment(text: str) -> tuple[str, Any]:
    """`optimizer.lr=0.01` as a name and a value: a TOML value, or else a text. Raises ConfigError."""
    name, equals, value = text.partition("=")
    name, value = name.strip(), value.strip()
    if not equals or not name:
        raise ConfigError(f"--set {text!r} is no setting; write it as section.name=value, such as optimizer.lr=0.01.")
    if "\n" not in value:
        try:
            return name, tomllib.loads(f"value = {value}")["value"]
        except (tomllib.TOMLDecodeError, RecursionError):
            pass
    return name, value


def suggestion(name: str, names: Any, what: str) -> str:
    """`did you mean 'x'?`, or all the names: the end of a sentence."""
    near = get_close_matches(name, list(names), 1)
    return f"did you mean {near[0]!r}?" if near else f"{what} {', '.join(map(str, names))}."


def _nearest(name: str, known: Mapping[str, Setting], recipe: str) -> str:
    same = [each for each in known if each.partition(".")[2] == name.rpartition(".")[2]]
    near = same or get_close_matches(name, known, 1) or [
        each for each in known if each.partition(".")[2] in get_close_matches(
            name.rpartition(".")[2], [each.partition(".")[2] for each in known], 1)]
    if near:
        return f"did you mean {near[0]}?"
    return f"`gpunet train {recipe} --settings` lists them."


def _written(value: Any) -> str:
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ConfigError(f"{value!r} has characters that no text file can hold; rename it.") from None
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, list):
        return f"[{', '.join(map(_written, value))}]"
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return json.dumps(value)
