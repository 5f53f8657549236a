"""Blocks that wait for each other, under the checker: they run by turns, and what nobody can end is a deadlock.

A block runs until all its warps have only gone round in loops. What it may wait for comes then, one at a time: the
oldest bulk copy under way; a block that has not begun; the turn of one that has. Each block has a host thread, of which
one runs at a time. When all memory that the loops can see is as it was at an earlier moment, with the same block's
turn, what follows is the same again, for ever.
"""

from __future__ import annotations

import ctypes
import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING, Any

from gpunet.ptx import bulk, shadow
from gpunet.ptx.layout import Launch

if TYPE_CHECKING:
    from gpunet.ptx.state import State
    from gpunet.ptx.watch import Watch

_PATIENCE = 200  # rounds of loops alone, before another block begins
_MOST_BLOCKS = 64  # at once
_MOST_BYTES = 1 << 28  # that are looked at for a deadlock
_STACK = 16 << 20


@dataclass
class Player:
    """A host thread that runs blocks, one after another."""

    space: Any
    turn: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    ended: bool = False
    spins: int = 0


class Turns:
    def __init__(self, watch: Watch, first: Any, more: Callable[[], Any], work: Callable[[Any], None]) -> None:
        self.watch, self._more, self._work = watch, more, work
        self.players = [Player(first)]
        self.current = self.players[0]
        self.hopeless = False
        self._seen: set[bytes] = set()
        self._next_look = 0.0
        self.error: BaseException | None = None

    # ---- a block goes round in loops ---------------------------------------------------------------------------------
    def spins(self, state: State) -> None:
        player = self.current
        player.spins += 1
        if self._word("STOP") or any(
                bulk.come(self.watch, self.watch.current(each)) for each in state.together):
            return
        if player.spins >= _PATIENCE and self._left() and len(self.players) < _MOST_BLOCKS:
            return self._begin_another(player)
        others = [each for each in self.players if not each.ended and each is not player]
        if (not self._left() or len(self.players) >= _MOST_BLOCKS) and self._same_again(player):
            self.hopeless = True
            return self.stop()
        if others:
            self._pass_on(player)

    def _begin_another(self, player: Player) -> None:
        self.watch.mix()
        another = Player(self._more())
        self.players.append(another)
        self._seen.clear()
        threading.stack_size(_STACK)
        thread = threading.Thread(target=self._run, args=(another,), daemon=True)
        threading.stack_size(0)
        self.current = another
        thread.start()
        self._wait(player)

    def _run(self, player: Player) -> None:
        try:
            self._work(player.space)
        except BaseException as error:
            self.error = self.error or error
            self.stop()
        player.ended = True
        self._pass_on(player)

    def _pass_on(self, player: Player) -> None:
        at = self.players.index(player)
        following = next((each for each in (*self.players[at + 1:], *self.players[:at]) if not each.ended), None)
        if following is None:
            return
        self.current = following
        following.turn.release()
        if not player.ended:
            self._wait(player)

    def _wait(self, player: Player) -> None:
        player.turn.acquire()
        self.current = player

    def drain(self) -> None:
        """The first player is done: until all are."""
        first = self.players[0]
        first.ended = True
        self._pass_on(first)
        while not all(each.ended for each in self.players):
            threading.Event().wait(0.001)
        if self.error is not None:
            raise self.error

    def stop(self) -> None:
        ctypes.c_int32.from_buffer(self.watch.head, Launch.STOP).value = 1

    def _word(self, name: str) -> int:
        return ctypes.c_int32.from_buffer(self.watch.head, getattr(Launch, name)).value

    def _left(self) -> int:
        """Blocks that have not begun."""
        return ctypes.c_int64.from_buffer(self.watch.head, Launch.BLOCKS).value - ctypes.c_int64.from_buffer(
            self.watch.head, Launch.NEXT).value

    def _same_again(self, player: Player) -> bool:
        """Whether all is as it was before."""
        watch, begin = self.watch, perf_counter()
        if watch.checked["clock"] or watch.arena[1] > _MOST_BYTES or begin < self._next_look:
            return False
        digest = hashlib.blake2b(str(self.players.index(player)).encode(), digest_size=16)
        digest.update(ctypes.string_at(*watch.arena))
        for state in watch.states.values():
            first, size = watch.frames[state.address]
            digest.update((ctypes.c_char * size).from_address(first))
            digest.update((ctypes.c_char * max(watch.shared_bytes, 1)).from_address(state.word(shadow.SHARED)))
        self._next_look = perf_counter() + 4 * (perf_counter() - begin)
        if digest.digest() in self._seen:
            return True
        if len(self._seen) > 1 << 16:
            self._seen.clear()
        self._seen.add(digest.digest())
        return False
