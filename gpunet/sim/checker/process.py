"""The parent's side of the checker's process: start it, give it orders, bear its death."""

import atexit
import os
import pickle
import select
import subprocess
import sys
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from gpunet.sim import toolchain
from gpunet.sim.checker.worker import Build, Launch, Reply, Started
from gpunet.sim.errors import KernelError

_NEEDS = "the checker of CUDA C++ needs"

# A kernel that has not ended is stopped in its process, which says where it was; when even that fails, from outside.
_GRACE = 10.0
# It needs gpunet.sim alone: without the rest of gpunet it starts in a quarter of the time.
_PROGRAM = """
import sys, types
package = types.ModuleType("gpunet")
package.__path__ = [sys.argv[1]]
sys.modules["gpunet"] = package
from gpunet.sim import toolchain
from gpunet.sim.checker.worker import main
main()
"""


class CheckerProcess:
    """A process that carries out orders. It is started when it is first needed, and after each death."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._process: subprocess.Popen | None = None
        self._owner = 0
        self._built: dict[Build, Started] = {}  # what the process has built

    def run(self, build: Build, make: Callable[[Started], Launch | Reply]) -> tuple[Started, Reply | str]:
        """What a kernel is like, and the reply to the launch that `make` makes for it, or the records that the process
        left when the launch killed it ("" when it left none). Where `make` gives a reply, nothing is launched.

        Raises CompileError and the like when there is nothing to run, KernelError when the process does not come to it.
        """
        with self._lock:
            self.prepare()
            started = self._built.get(build)
            if started is None:
                started = self._built[build] = self._build(build)
            launch = make(started)
            if isinstance(launch, Reply):
                return started, launch
            try:
                return started, self._answer(launch, launch.timeout + _GRACE)
            except (EOFError, ConnectionError, TimeoutError):
                return started, self._bury()[0]

    def _build(self, build: Build) -> Started:
        try:
            return self._answer(build, None)
        except (EOFError, ConnectionError):
            raise KernelError(f"the checker's process ended with status {self._bury()[1]} before it ran {build.kernel}"
                              ) from None

    def _answer(self, order: Build | Launch, timeout: float | None) -> Any:
        """The process's answer to an order; it is raised where it is an exception."""
        try:
            self._orders.send_bytes(pickle.dumps(order, pickle.HIGHEST_PROTOCOL))
            if timeout is not None and not self._ready.poll(timeout * 1000):
                raise TimeoutError
            reply = pickle.loads(self._replies.recv_bytes())
        except (EOFError, ConnectionError, TimeoutError):
            raise
        except BaseException:  # Ctrl-C: the launch must not go on, nor its reply be taken for the next one's
            self._bury()
            raise
        if isinstance(reply, Exception):
            raise reply
        return reply

    def prepare(self) -> None:
        """Start the process, which is ready the sooner the earlier this is. Raises CompilerMissingError where it could
        build no kernel."""
        with self._lock:
            if self._process is None or self._owner != os.getpid():  # a fork's child leaves its parent's alone
                self._start()

    def _start(self) -> None:
        toolchain.compiler(_NEEDS)
        self._built.clear()
        order_read, order_write = os.pipe()
        reply_read, reply_write = os.pipe()
        words_read, words_write = os.pipe()
        theirs = (order_read, reply_write, words_write)
        package = str(Path(__file__).resolve().parents[2])
        self._process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, package, *map(str, theirs)], pass_fds=theirs,
            stdin=subprocess.DEVNULL, env={**os.environ, "OPENBLAS_NUM_THREADS": "1"})
        for descriptor in theirs:
            os.close(descriptor)
        self._orders, self._replies = Connection(order_write, readable=False), Connection(reply_read, writable=False)
        self._ready = select.poll()  # cheaper than Connection.poll, which registers anew each time
        self._ready.register(reply_read, select.POLLIN)
        self._last_words = os.fdopen(words_read, "rb")
        self._owner = os.getpid()
        atexit.register(self.close)

    def _bury(self) -> tuple[str, int]:
        """Make sure that the process is dead; its last words, and its status."""
        process = self._process
        assert process is not None
        process.kill()
        status = process.wait()
        words = self._last_words.read().decode(errors="replace")
        self.close()
        return words, status

    def close(self) -> None:
        """End the process; a later job starts a new one."""
        atexit.unregister(self.close)
        process, self._process = self._process, None
        if process is None or self._owner != os.getpid():
            return
        for stream in (self._orders, self._replies, self._last_words):
            try:
                stream.close()
            except BrokenPipeError:
                pass
        try:
            process.wait(5)  # it ends when no more orders can come
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


process = CheckerProcess()
