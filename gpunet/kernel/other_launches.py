"""A checked launch, and others with other data and other sizes: what both checkers do where they are asked to."""

from collections.abc import Callable, Sequence

from gpunet.kernel import other_data, other_sizes
from gpunet.kernel.finding import Finding


def found_in(launch: Callable[[tuple[int, ...], tuple], list[Finding]], names: Sequence[str], grid: tuple[int, ...],
             block: tuple[int, ...], args: tuple, shared_mem: int, with_data: bool, with_sizes: bool) -> list[Finding]:
    """The findings of a launch; where there is no mistake, with those of others as warnings.

    Args:
        launch: checks a launch with a grid and arguments, in which results stand afterwards.
        names: of the kernel's parameters, as far as they are known.
        grid: blocks.
        block: threads of a block.
        args: of the launch.
        shared_mem: bytes of dynamic shared memory.
        with_data: launch once more with even inputs (other_data.py).
        with_sizes: launch also with other lengths (other_sizes.py).
    """
    before = other_data.copied(args) if with_data or with_sizes else ()
    found = launch(grid, args)
    if any(each.severity == "error" for each in found):
        return found
    if with_data and (even := other_data.evened(before, args)):
        found += other_data.updates(launch(grid, even))
    if with_sizes:
        for variant in other_sizes.variants(names, grid, block, before, shared_mem):
            found += other_sizes.told(launch(variant.grid, variant.args), variant.words, found)
    return found
