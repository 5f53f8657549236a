"""Moments at which a launch under the checker is to end."""

import multiprocessing
import threading

from gpunet.ptx import deadlines


def test_an_earlier_moment_comes_first_and_what_is_called_off_never():
    later, soon, off = (threading.Event() for _ in range(3))
    keys = [deadlines.begin(3600, later.set), deadlines.begin(0.05, off.set)]
    deadlines.call_off(keys[1])
    deadlines.begin(0.1, soon.set)
    assert soon.wait(60) and not later.is_set() and not off.is_set()
    deadlines.call_off(keys[0])
    assert not deadlines._due


def test_a_forked_process_has_its_own():
    def inside(pipe):
        soon = threading.Event()
        deadlines.begin(0.01, soon.set)
        pipe.send((soon.wait(60), len(deadlines._due)))

    context = multiprocessing.get_context("fork")
    key = deadlines.begin(3600, lambda: None)
    mine, theirs = context.Pipe()
    process = context.Process(target=inside, args=(theirs,))
    process.start()
    assert mine.poll(60) and mine.recv() == (True, 0)
    process.join()
    deadlines.call_off(key)
