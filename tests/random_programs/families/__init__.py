"""The families of programs: importing this registers them all."""

from tests.random_programs.families import (
    elementwise,
    indexing,
    layers,
    losses,
    normalizations,
    products,
    reductions,
    shapes,
    windows,
)
