"""PyTorch's settings that concern every tensor: what they turn on there is the rule here, or does not exist."""

from __future__ import annotations

__all__ = ["are_deterministic_algorithms_enabled", "get_deterministic_debug_mode", "get_num_interop_threads",
           "is_deterministic_algorithms_warn_only_enabled", "is_warn_always_enabled", "set_deterministic_debug_mode",
           "set_flush_denormal", "set_num_interop_threads", "set_warn_always", "use_deterministic_algorithms"]

_MODES = ("default", "warn", "error")
_mode = 0  # of deterministic algorithms, by its place in _MODES
_warn_always = False


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Asks for results that repeat bit for bit. They do so in any case (docs/reproducibility.md): only the answer of
    `are_deterministic_algorithms_enabled` changes.

    Args:
        mode: the answer.
        warn_only: accepted as in PyTorch.

    Examples:
        >>> gpunet.use_deterministic_algorithms(True)
        >>> gpunet.are_deterministic_algorithms_enabled()
        True
        >>> gpunet.use_deterministic_algorithms(False)
    """
    set_deterministic_debug_mode(0 if not mode else 1 if warn_only else 2)


def are_deterministic_algorithms_enabled() -> bool:
    """What `use_deterministic_algorithms` was told. Results repeat bit for bit in any case.

    Examples:
        >>> gpunet.are_deterministic_algorithms_enabled()
        False
    """
    return _mode > 0


def is_deterministic_algorithms_warn_only_enabled() -> bool:
    """Whether `use_deterministic_algorithms` was told `warn_only`.

    Examples:
        >>> gpunet.is_deterministic_algorithms_warn_only_enabled()
        False
    """
    return _mode == 1


def set_deterministic_debug_mode(debug_mode: int | str) -> None:
    """`use_deterministic_algorithms` by a number or a word.

    Args:
        debug_mode: 0 or "default", 1 or "warn", 2 or "error".

    Raises:
        RuntimeError: it is none of these.

    Examples:
        >>> gpunet.set_deterministic_debug_mode("warn")
        >>> gpunet.get_deterministic_debug_mode()
        1
        >>> gpunet.set_deterministic_debug_mode("default")
    """
    global _mode
    found = _MODES.index(debug_mode) if debug_mode in _MODES else debug_mode
    if not isinstance(found, int) or not 0 <= found < len(_MODES):
        raise RuntimeError(f"set_deterministic_debug_mode: expected 0, 1, 2 or one of {', '.join(_MODES)}, got "
                           f"{debug_mode!r}")
    _mode = found


def get_deterministic_debug_mode() -> int:
    """The number of what `set_deterministic_debug_mode` was told.

    Examples:
        >>> gpunet.get_deterministic_debug_mode()
        0
    """
    return _mode


def set_warn_always(b: bool, /) -> None:
    """Accepted as in PyTorch; Python's `warnings` filters decide how often a warning is shown.

    Args:
        b: the answer of `is_warn_always_enabled`.

    Examples:
        >>> gpunet.set_warn_always(False)
    """
    global _warn_always
    _warn_always = bool(b)


def is_warn_always_enabled() -> bool:
    """What `set_warn_always` was told.

    Examples:
        >>> gpunet.is_warn_always_enabled()
        False
    """
    return _warn_always


def set_flush_denormal(mode: bool) -> bool:
    """Asks for numbers next to 0 to be taken as 0.

    Args:
        mode: whether to.

    Returns:
        Whether it was done: False, since NumPy keeps them.

    Examples:
        >>> done = gpunet.set_flush_denormal(True)
    """
    return False


def set_num_interop_threads(num: int, /) -> None:
    """Accepted as in PyTorch: operations run one after the other.

    Args:
        num: at least 1.

    Raises:
        RuntimeError: it is less.

    Examples:
        >>> gpunet.set_num_interop_threads(1)
    """
    if num < 1:
        raise RuntimeError(f"set_num_interop_threads: expected a positive number, got {num}")


def get_num_interop_threads() -> int:
    """The number of operations that run at once: 1.

    Examples:
        >>> gpunet.get_num_interop_threads() >= 1
        True
    """
    return 1
