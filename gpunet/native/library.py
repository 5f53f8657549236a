"""The library of native kernels: found, or built in the background for the next program, and loaded.

Who computes is decided once in a process, at the first call of an op that has a kernel, so that a program's numbers do
not change while it runs. If the library is in the cache, or prebuilt in the wheel, it serves. If not, a process in the
background builds it (about a minute of one core), which the next program finds, and NumPy serves in this one: a short
program does not wait. `$GPUNET_NATIVE` decides otherwise: 0 no kernels, "wait" the first call waits for the build. The
commands, and `wait`, wait too; `gpunet build` builds ahead.
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

from gpunet._environment import choice
from gpunet.native import blas, threads

if TYPE_CHECKING:
    from pathlib import Path

_SETTINGS = {"0": "NumPy serves", "off": "", "no": "", "false": "", "1": "the default: native kernels serve", "on": "",
             "yes": "", "true": "", "wait": "the first call waits for their build"}

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
    """Whether it is not decided yet who computes."""
    return not _tried


def refrain(why: str) -> None:
    """In this process NumPy serves, if it is not decided yet who does."""
    global _tried, _why
    with _lock:
        if not _tried:
            _tried, _why = True, why


def setting() -> str:
    """$GPUNET_NATIVE."""
    return choice("GPUNET_NATIVE", _SETTINGS, "1")


def switched_off() -> bool:
    """Whether $GPUNET_NATIVE says that no kernel may serve."""
    return setting() in ("0", "off", "no", "false")


def start() -> Any:
    """Decides who computes: loads the library if it is there; if not, has it built. Returns what `loaded` does."""
    global _tried, _why
    with _lock:
        if _calls is not None or _tried:
            return _calls
        for read in (setting, threads.get_num_threads, blas.chosen_threads):  # what is set wrong is told first
            read()
        _tried = True
        if switched_off():
            _why = "$GPUNET_NATIVE is 0"
            return None
        from gpunet.native import toolchain

        try:
            found = toolchain.find()
            if found is None and setting() == "wait":
                found = toolchain.build()
            if found is None:
                toolchain.check()
                _why = "they are being compiled in the background, for the next program"
                _say("gpunet compiles its CPU kernels in the background, once, for about a minute; this program "
                     "computes with NumPy (GPUNET_NATIVE=wait waits, `gpunet build --cpu` compiles ahead)", warn=True)
                threading.Thread(target=_build_behind, name="gpunet-native", daemon=True).start()
                return None
            _load(*found)
        except (OSError, RuntimeError, ImportError) as error:
            _fail(error)
        return _calls


def wait() -> bool:
    """Loads the library, and builds it first if it is not there yet. To be called before anything is computed, since a
    kernel's results can differ from NumPy's in the last digits.

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
                _load(*(toolchain.find() or toolchain.build()))
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


def function(file: str | os.PathLike[str], name: str, described: bool, elementwise: bool) -> Any:
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
        return _calls.Function(_address(library, name), name, described, elementwise)
    except AttributeError:
        raise RuntimeError(f"native kernel {name}: {file} has no entry point of this name; declare it as "
                           f"KERNEL void {name}(const Arg* a)") from None


def _address(library: ctypes.CDLL | None, name: str) -> int:
    return ctypes.cast(getattr(library, name), ctypes.c_void_p).value or 0


def address(name: str) -> int:
    """Of an entry point of the library, which is loaded."""
    return _address(_library, name)


def symbol(name: str) -> Any:
    """A C function of the library, through ctypes; None while the library is not loaded."""
    return None if _library is None else getattr(_library, name)


def _load(path: Path, extension: Path | None) -> None:
    global _calls, _library, _path, _why
    from gpunet.native import threads

    library = ctypes.CDLL(str(path))
    if extension is not None:
        loader = importlib.machinery.ExtensionFileLoader("gpunet_native", str(extension))
        spec = importlib.util.spec_from_file_location("gpunet_native", str(extension), loader=loader)
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


def _say(message: str, *values: Any, warn: bool = False) -> None:
    import logging  # most programs have nothing to say, and `import gpunet` does not wait for it

    logging.getLogger("gpunet.build").log(logging.WARNING if warn else logging.INFO, message, *values)


def _build_behind() -> None:
    """In a thread: waits for the process that builds, which lives on if this one ends, to say why it could not."""
    import subprocess
    from pathlib import Path

    try:
        root = str(Path(__file__).resolve().parents[2])
        paths = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH", ""))))
        built = subprocess.run([sys.executable, "-m", "gpunet.native.toolchain"], stdin=subprocess.DEVNULL,
                               capture_output=True, text=True, start_new_session=True,
                               env={**os.environ, "PYTHONPATH": paths})
        if built.returncode:
            raise RuntimeError(built.stderr.strip().splitlines()[-1] if built.stderr.strip() else
                               f"the process that compiles them ended with status {built.returncode}")
    except (OSError, RuntimeError) as error:
        _fail(error)
