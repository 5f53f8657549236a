"""The parent's side of the checker's process: start it, give it a job, bear its death."""

import atexit
import os
import select
import subprocess
import sys
import threading
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from gpunet.sim.checker.worker import Job, Reply, Started
from gpunet.sim.errors import KernelError

# A kernel that has not ended is stopped in its process, which says where it was; when even that fails, from outside.
_GRACE = 10.0
# It needs gpunet.sim alone: without the rest of gpunet it starts in a quarter of the time.
_PROGRAM = """
import sys, types
package = types.ModuleType("gpunet")
package.__path__ = [sys.argv[1]]
sys.modules["gpunet"] = package
from gpunet.sim.checker.worker import main
main()
"""


class CheckerProcess:
    """A process that runs jobs one after another. It is started when it is first needed, and after each death."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._process: subprocess.Popen | None = None
        self._owner = 0
        self._built: dict[tuple, Started] = {}  # by module and kernel: what the process has built

    def run(self, job: Job) -> tuple[Started, Reply | str]:
        """What the kernel is like, and the reply, or the records that the process left when the job killed it ("" when
        it left none).

        Raises CompileError and the like when there is nothing to run, KernelError when the process does not come to it.
        """
        with self._lock:
            self.prepare()
            key = job.module, job.kernel
            started = self._built.get(key)
            try:
                self._jobs.send(replace(job, built=True) if started else job)
                reply = self._next(job.timeout + _GRACE if started else None)
                if isinstance(reply, Started):
                    started = self._built[key] = reply
                    reply = self._next(job.timeout + _GRACE)
            except (EOFError, ConnectionError, TimeoutError):
                words, status = self._bury()
                if started is None:
                    raise KernelError(f"the checker's process ended with status {status} before it ran {job.kernel}"
                                       ) from None
                return started, words
            except BaseException:  # Ctrl-C: the job must not go on, nor its reply be taken for the next job's
                self._bury()
                raise
        if isinstance(reply, Exception):
            raise reply
        assert started is not None
        return started, reply

    def prepare(self) -> None:
        """Start the process, which is ready the sooner the earlier this is."""
        with self._lock:
            if self._process is None or self._owner != os.getpid():  # a fork's child leaves its parent's alone
                self._start()

    def _next(self, timeout: float | None) -> Any:
        if timeout is not None and not self._ready.poll(timeout * 1000):
            raise TimeoutError
        return self._replies.recv()

    def _start(self) -> None:
        self._built.clear()
        job_read, job_write = os.pipe()
        reply_read, reply_write = os.pipe()
        words_read, words_write = os.pipe()
        theirs = (job_read, reply_write, words_write)
        package = str(Path(__file__).resolve().parents[2])
        self._process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, package, *map(str, theirs)], pass_fds=theirs,
            stdin=subprocess.DEVNULL, env={**os.environ, "OPENBLAS_NUM_THREADS": "1"})
        for descriptor in theirs:
            os.close(descriptor)
        self._jobs, self._replies = Connection(job_write, readable=False), Connection(reply_read, writable=False)
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
        for stream in (self._jobs, self._replies, self._last_words):
            try:
                stream.close()
            except BrokenPipeError:
                pass
        try:
            process.wait(5)  # it ends when there are no more jobs
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


process = CheckerProcess()
