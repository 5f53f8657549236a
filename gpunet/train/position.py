"""Position: where in an epoch training is, and every random number generator there."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from gpunet import Generator, default_generator
from gpunet.data.seeds import seed_of_pass
from gpunet.train import batches as feed
from gpunet.train.callbacks.callback import Callback


class Position:
    """Where in an epoch training is.

    The order of an epoch's batches, and what reading them draws, follow from the generators' states at its beginning.
    So these are kept, and the number of batches: to go on, the pass is begun again from these states, its first batches
    are left out without being read, and the generators get the states that they had when training stopped.

    Attributes:
        batches: number of the epoch's batches so far.
        shuffle: the generator of the order, where the Trainer makes the DataLoader; its seed follows from the default
            generator's position.
    """

    def __init__(self) -> None:
        self.batches = 0
        self.shuffle = Generator().manual_seed(seed_of_pass(None, draw=False))
        self._generators: dict[str, Generator] = {}
        self._at_start: dict[str, Any] = {}  # the generators' states at the epoch's beginning
        self._now: dict[str, Any] | None = None  # their states where training is to go on, once it was stopped
        self.callbacks: dict[str, Any] = {}  # states that no callback has taken yet

    def begin_fit(self, of_data: Mapping[str, Generator]) -> None:
        """Takes the generators of the data that is trained on, and gives them the states where training goes on."""
        self._generators = {"default": default_generator, "shuffle": self.shuffle}
        self._generators |= {name: each for name, each in of_data.items() if each is not self.shuffle}
        if self._now is not None:
            restore_generators(self._generators, self._now)
            if self.batches == 0:
                self._now = None

    def batches_from(self, data: Any) -> Iterator[Any]:
        """The epoch's batches, or the rest of them."""
        if self.batches:
            now = self._now
            assert now is not None
            self._now = None
            restore_generators(self._generators, self._at_start)
            rest = feed.iterate(data, self.batches)
            restore_generators(self._generators, now)
            return rest
        self._at_start = states_of_generators(self._generators)
        return feed.iterate(data, 0)

    def pause(self) -> None:
        """Training stops in the middle of an epoch, from where it may go on."""
        self._now = states_of_generators(self._generators)

    def abandon(self) -> None:
        """An error has ended the epoch, which begins anew."""
        self.batches, self._now = 0, None

    def load_callbacks(self, callbacks: Sequence[Callback]) -> None:
        """Gives callbacks the states that were loaded before they were known."""
        for name, each in named(callbacks).items():
            if name in self.callbacks:
                each.load_state_dict(self.callbacks.pop(name))

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        now = self._now or states_of_generators(self._generators or {"default": default_generator,
                                                                      "shuffle": self.shuffle})
        return {"batches": self.batches, "generators": now, "at_start": self._at_start if self.batches else {}}

    def load_state_dict(self, state_dict: dict[str, Any], callbacks: dict[str, Any]) -> None:
        """Goes on from what `state_dict` gave, when `fit` is called next."""
        self.batches, self._now = state_dict["batches"], state_dict["generators"]
        self._at_start, self.callbacks = state_dict["at_start"], dict(callbacks)


def named(callbacks: Sequence[Callback]) -> dict[str, Callback]:
    """Callbacks by the names of their classes; the second of a class is `Name#2`."""
    found: dict[str, Callback] = {}
    for each in callbacks:
        name, number = type(each).__name__, 1
        while name in found:
            number += 1
            name = f"{type(each).__name__}#{number}"
        found[name] = each
    return found


def states_of_generators(generators: Mapping[str, Generator]) -> dict[str, Any]:
    """The states of these generators, and of Python's and NumPy's global ones."""
    version, numbers, gauss = random.getstate()
    kind, keys, place, has_gauss, cached = np.random.get_state(legacy=True)
    return {
        "gpunet": {name: each.get_state() for name, each in generators.items()},
        "python": [version, np.array(numbers, np.uint32), gauss],
        "numpy": [kind, np.array(keys, np.uint32), int(place), int(has_gauss), float(cached)],
    }


def restore_generators(generators: Mapping[str, Generator], states: Mapping[str, Any]) -> None:
    """Sets the generators to what `states_of_generators` gave."""
    for name, each in generators.items():
        if name in states["gpunet"]:
            each.set_state(states["gpunet"][name])
    version, numbers, gauss = states["python"]
    random.setstate((version, tuple(map(int, numbers)), gauss))
    kind, keys, place, has_gauss, cached = states["numpy"]
    np.random.set_state((kind, keys, place, has_gauss, cached))
