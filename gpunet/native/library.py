"""The library of native kernels: found in the cache, or built in the background, and loaded.

At the first call of an op that has a kernel, the library is looked for. If it is in the cache, it is loaded and serves
at once. If not, a process in the background builds it (about a minute of one core), and NumPy bodies serve until it is
done: a short program does not wait. `$GPUNET_NATIVE` decides: 0 no kernels, "wait" the first call waits for the build.
`gpunet build` builds it ahead.
"""

from __future__ import annotations

import ctypes
import importlib.machinery
import importlib.util
import os
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

_lock = threading.RLock()
_calls: Any = None  # the C extension, or plain.py: Function, Guard, capture, Program
_library: ctypes.CDLL | None = None
_path: Path | None = None
_why = ""  # why no kernel serves
_tried = False
when_loaded: list[Callable[[], None]] = []  # functions to call when it is


def _renew_lock() -> None:
    """In a forked process, where the thread that may have held the lock is not."""
    global _lock
    _lock = threading.RLock()


os.register_at_fork(after_in_child=_renew_lock)


def loaded() -> Any:
    """What calls kernels (the C extension, or plain.py); None while the library is not loaded."""
    return _calls


def possible() -> bool:
    """Whether kernels may still come to serve."""
    return not _tried


def setting() -> str:
    """$GPUNET_NATIVE in small letters."""
    return os.environ.get("GPUNET_NATIVE", "").strip().lower()


def switched_off() -> bool:
    """Whether $GPUNET_NATIVE says that no kernel may serve."""
    return setting() in ("0", "off", "no", "false")


def start() -> Any:
    """Loads the library if it is there; if not, has it built. Returns what `loaded` does."""
    global _tried, _why
    with _lock:
        if _calls is not None or _tried:
            return _calls
        _tried = True
        if switched_off():
            _why = "$GPUNET_NATIVE is 0"
            return None
        from gpunet.native import toolchain

        try:
            path = toolchain.find()
            if path is None and setting() == "wait":
                path = toolchain.build()
            if path is None:
                toolchain.check()
                _why = "they are being built in the background"
                threading.Thread(target=_build_behind, name="gpunet-native", daemon=True).start()
                return None
            _load(path)
        except (OSError, RuntimeError, ImportError) as error:
            _fail(error)
        return _calls


def wait() -> bool:
    """Loads the library, and builds it first if it is not there yet.

    Returns:
        Whether native kernels serve from now on.

    Examples:
        >>> import gpunet.native
        >>> gpunet.native.wait() == (gpunet.native.status() == "")
        True
    """
    global _tried
    from gpunet.native import toolchain

    with _lock:
        if _calls is None and not switched_off():
            _tried = True
            try:
                _load(toolchain.build())
            except (OSError, RuntimeError, ImportError) as error:
                _fail(error)
        return _calls is not None


def status() -> str:
    """Why native kernels do not serve, in words; the empty string if they do, or will as soon as they are asked for.

    Returns:
        The reason.

    Examples:
        >>> import gpunet.native
        >>> isinstance(gpunet.native.status(), str)
        True
    """
    if _calls is not None:
        return ""
    return _why or ("$GPUNET_NATIVE is 0" if switched_off() else "")


def function(file: str | os.PathLike[str], name: str, described: bool) -> Any:
    """The kernel `name`: of the library, or of a file of the user's own."""
    if os.path.isabs(file):
        wait()
    if _calls is None:
        raise RuntimeError(f"native kernel {name}: no native kernels here: {status() or 'nothing is loaded yet'}")
    library = _library
    if os.path.isabs(file):
        from pathlib import Path

        from gpunet.native import toolchain

        library = ctypes.CDLL(str(toolchain.build_own(Path(file), _path)))
    try:
        address = ctypes.cast(getattr(library, name), ctypes.c_void_p).value
    except AttributeError:
        raise RuntimeError(f"native kernel {name}: {file} has no entry point of this name; declare it as "
                           f"KERNEL void {name}(const Arg* a)") from None
    return _calls.Function(address, name, described)


def symbol(name: str) -> Any:
    """A C function of the library, through ctypes; None while the library is not loaded."""
    return None if _library is None else getattr(_library, name)


def _load(path: Path) -> None:
    global _calls, _library, _path, _why
    from gpunet.native import threads

    library = ctypes.CDLL(str(path))
    if hasattr(library, "PyInit_gpunet_native"):
        loader = importlib.machinery.ExtensionFileLoader("gpunet_native", str(path))
        spec = importlib.util.spec_from_file_location("gpunet_native", str(path), loader=loader)
        assert spec is not None
        calls = importlib.util.module_from_spec(spec)
        loader.exec_module(calls)
    else:
        from gpunet.native import plain as calls
    _library, _path = library, path
    threads.tell(library)
    _calls, _why = calls, ""
    for each in when_loaded:
        each()


def _fail(error: Exception) -> None:
    global _why
    _why = " ".join(str(error).split()) or type(error).__name__
    _say("Native CPU kernels do not serve: %s", _why)


def _say(message: str, *values: Any) -> None:
    import logging  # most programs have nothing to say, and `import gpunet` does not wait for it

    logging.getLogger("gpunet.build").info(message, *values)


def _build_behind() -> None:
    """In a thread: waits for the process that builds, and loads what it built. The process lives on if this one ends,
    so that the next program finds the library."""
    import subprocess
    from pathlib import Path

    from gpunet.native import toolchain

    _say("Compiling native CPU kernels in the background; NumPy serves until they are there")
    try:
        root = str(Path(__file__).resolve().parents[2])
        paths = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH", ""))))
        built = subprocess.run([sys.executable, "-m", "gpunet.native.toolchain"], stdin=subprocess.DEVNULL,
                               capture_output=True, text=True, start_new_session=True,
                               env={**os.environ, "PYTHONPATH": paths})
        if built.returncode:
            raise RuntimeError(built.stderr.strip().splitlines()[-1] if built.stderr.strip() else
                               f"the process that compiles them ended with status {built.returncode}")
        with _lock:
            path = toolchain.find()
            if path is None:
                raise OSError("what was built is not in the cache")
            if _calls is None:
                _load(path)
    except (OSError, RuntimeError, ImportError) as error:
        _fail(error)
