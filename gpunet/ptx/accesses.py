"""The checks in IR: what is usual as vector code, all else lane by lane by way of shadow.py."""

from __future__ import annotations

from collections.abc import Callable

from gpunet.ptx import shadow
from gpunet.ptx.emit import BITS, LANES, Builder, Value, constant, lanes
from gpunet.ptx.shadow import ATOMIC, FLAG, READ, WRITE

PREFIX = "gpunet.check."  # of the names of shadow.py's functions


def _call(b: Builder, name: str, *values: Value) -> Value:
    return b.value(f'call i64 @"{PREFIX}{name}"({", ".join(map(str, values))})', "i64")


def _as_number(b: Builder, pointer: Value) -> Value:
    return b.value(f"ptrtoint {pointer} to i64", "i64")


def _lane_now(b: Builder, now: Value, lane: Value) -> Value:
    return b.load(b.value(f"getelementptr i64, ptr {now.text}, {lane}", "ptr").text, "i64")


def each_lane(b: Builder, name: str, check: Value, now: Value, mask: Value, *values: Value) -> list[Value]:
    """Calls a function of shadow.py for each lane of a mask."""
    b.emit("%left.p = alloca i32")
    b.store(mask, "%left.p")
    b.branch(b.compare("eq", mask, 0), "over", "turn")
    b.label("turn")
    left = b.load("%left.p", "i32")
    lane = b.first(left)
    _call(b, name, _as_number(b, check), _lane_now(b, now, lane), *(b.extract(each, lane) for each in values))
    rest = b.both(left, b.sub(left, 1))
    b.store(rest, "%left.p")
    b.branch(b.compare("ne", rest, 0), "turn", "over")
    b.label("over")
    return []


def one_place(b: Builder, size: int, check: Value, now: Value, at: Value, mask: Value, site: Value) -> list[Value]:
    """All lanes read one place: the first and the last of them stand for all, until something is wrong."""
    b.emit("%bad = alloca i64")
    b.emit("%left.p = alloca i32")
    b.emit("store i64 0, ptr %bad")
    b.branch(b.compare("eq", mask, 0), "over", "some")
    b.label("some")
    first, last = _ends(b, check, now, mask)
    state = _as_number(b, check)
    wide, reads = constant("i64", size), constant("i64", READ)
    b.store(mask, "%left.p")
    for number, lane in enumerate((first, last)):
        if number:
            b.branch(b.compare("eq", first, last), "over", "two")
            b.label("two")
        bad = _call(b, "check_lane", state, _lane_now(b, now, lane), at, wide, reads, site)
        b.store(bad, "%bad")
        b.branch(_wrong(b, check, site), "turn", f"fine.{number}")
        b.label(f"fine.{number}")
    b.jump("over")
    b.label("turn")
    left = b.load("%left.p", "i32")
    _call(b, "check_lane", state, _lane_now(b, now, b.first(left)), at, wide, reads, site)
    rest = b.both(left, b.sub(left, 1))
    b.store(rest, "%left.p")
    b.branch(b.compare("ne", rest, 0), "turn", "over")
    b.label("over")
    return [b.load("%bad", "i64")]


def _astray(b: Builder, check: Value, now: Value, mask: Value) -> Value:
    """The lanes of a mask that have read out of bounds."""
    threads = b.sub(b.sub(_as_number(b, now), _as_number(b, check)), shadow.NOW)
    return b.both(b.load(b.at(check.text, b.add(b.lshr(threads, 6), shadow.ASTRAY)), "i32"), mask)


def _ends(b: Builder, check: Value, now: Value, mask: Value) -> tuple[Value, Value]:
    """The first lane of a mask and the last one, of those that have not gone astray, if there are any."""
    good = b.both(mask, b.invert(_astray(b, check, now, mask)))
    mask = b.select(b.compare("eq", good, 0), mask, good)
    return b.first(mask), b.sub(constant("i32", 31), b.call("ctlz", mask, flags=(True,)))


def _wrong(b: Builder, check: Value, site: Value) -> Value:
    """Whether a race or an access outside has been told of this site, and more are to be: then each thread counts."""
    told = b.load(b.at(b.load(b.at(check.text, shadow.LAUNCH), "ptr").text, shadow.TOLD), "ptr")
    counts = (b.load(b.at(told.text, b.add(b.shl(site, 5), 4 * what)), "i32") for what in (shadow.RACE, shadow.BEYOND))
    races, beyond = (b.compare("ult", b.sub(count, 1), shadow.MOST_TOLD - 1) for count in counts)
    return b.either(races, beyond)


def _inside(b: Builder, size: int, check: Value, at: Value, group: Value) -> Value:
    """Whether an access lies in the array that nothing writes in this launch, the only one that it may reach."""
    place = b.at(b.load(b.at(check.text, shadow.LAUNCH), "ptr").text, group)
    first, length = b.load(b.at(place, shadow.FROM), "i64"), b.load(b.at(place, shadow.SPAN_OF_IT), "i64")
    offset = b.sub(at, first)
    inside = b.compare("ult", offset, b.call("usub.sat", length, size - 1))
    return b.both(inside, b.compare("eq", b.both(offset, size - 1), 0)) if size > 1 else inside


def _in_its_own(b: Builder, check: Value, at: Value, group: Value) -> Value:
    """Whether a write begins in the only array that it may reach; true where there are several, or it is not known."""
    place = b.at(b.load(b.at(check.text, shadow.LAUNCH), "ptr").text, group)
    first, length = b.load(b.at(place, shadow.ONLY), "i64"), b.load(b.at(place, shadow.ONLY_BYTES), "i64")
    return b.compare("ult", b.sub(at, first), b.select(b.compare("eq", length, 0), -1, length))


def only_read(b: Builder, size: int, otherwise: Callable[..., list[Value]], check: Value, now: Value, at: Value,
              mask: Value, site: Value, group: Value) -> list[Value]:
    """A read of what nothing writes in this launch: where it is inside the array, all is said."""
    wrong = b.both(mask, b.invert(b.mask_of(_inside(b, size, check, at, group))))
    kind = "i32" if at.vector else "i64"
    b.emit(f"%bad = alloca {kind}")
    b.emit(f"store {kind} 0, ptr %bad")
    b.branch(b.compare("eq", wrong, 0), "over", "each")
    b.label("each")
    b.store(otherwise(b, check, now, at, mask, site)[0], "%bad")
    b.jump("over")
    b.label("over")
    return [b.load("%bad", kind)]


def warp_access(b: Builder, space: str, cell: int, size: int, kind: int, check: Value, now: Value, at: Value,
                mask: Value, site: Value, group: Value, *values: Value) -> list[Value]:
    """The lanes that must not go on."""
    b.emit("%left.p = alloca i32")
    b.emit("%bad = alloca i32")
    b.emit(f"%at.p = alloca <{LANES} x i64>, align 64")
    b.emit("store i32 0, ptr %bad")
    b.branch(b.compare("eq", mask, 0), "over", "some")
    b.label("some")
    if space and not kind & (ATOMIC | FLAG) and size >= cell:
        _Usual(b, space, cell, size, kind, check, now, at, mask, site, group).write()
    else:
        b.jump("each")
    b.label("each")
    if values:
        place = b.load(b.at(b.load(b.at(check.text, shadow.LAUNCH), "ptr").text, shadow.VALUES), "ptr").text
        b.store(constant("i64", BITS[values[0].type] // 8), place)
        b.store(constant("i64", len(values)), b.at(place, 8))
        for number, value in enumerate(values):
            b.store(value, b.at(place, 64 + 512 * number), 64)
    b.store(at, "%at.p", 64)
    b.store(mask, "%left.p")
    state = _as_number(b, check)
    stray = b.invert(b.mask_of(_in_its_own(b, check, at, group))) if kind & WRITE else constant("i32", 0)
    b.jump("turn")
    b.label("turn")
    left = b.load("%left.p", "i32")
    lane = b.first(left)
    where = b.load(b.value(f"getelementptr i64, ptr %at.p, {lane}", "ptr").text, "i64")
    astray = b.shl(b.both(b.lshr(stray, lane), 1), shadow.STRAY_SHIFT)
    bad = _call(b, "check_lane", state, _lane_now(b, now, lane), where, constant("i64", size),
                b.either(b.resize(astray, "i64"), kind), site)
    b.store(b.either(b.load("%bad", "i32"), b.shl(b.resize(bad, "i32"), lane)), "%bad")
    rest = b.both(left, b.sub(left, 1))
    b.store(rest, "%left.p")
    b.branch(b.compare("ne", rest, 0), "turn", "over")
    b.label("over")
    return [b.load("%bad", "i32")]


class _Usual:
    """What is usual: code that ends in "over" where nothing is wrong, else in "each"."""

    def __init__(self, b: Builder, space: str, cell: int, size: int, kind: int, check: Value, now: Value, at: Value,
                 mask: Value, site: Value, group: Value) -> None:
        self.b, self.kind, self.size, self.at, self.mask = b, kind, size, at, mask
        self.check, self.now, self.site, self.shift = check, now, site, cell.bit_length() - 1
        self.each_lane = size // cell
        launch = b.load(b.at(check.text, shadow.LAUNCH), "ptr").text
        region = (b.at(check.text, shadow.SHARED) if space == "shared" else
                  b.at(launch, shadow.REGIONS + shadow.REGION * self.shift))
        self.base, self.limit, *self.cells = (b.load(b.at(region, place), "i64") for place in (
            shadow.BASE, shadow.LENGTH, shadow.WRITES, shadow.READS, shadow.OTHERS))
        self.began = b.load(b.at(launch, shadow.BEGAN), "i64")
        self.first, self.span = (b.load(b.at(check.text, place), "i64") for place in (shadow.FIRST, shadow.USUAL))
        self.group = group
        self.unread = b.load(b.at(launch, b.add(group, shadow.UNREAD)), "i64") if kind == WRITE else None

    def write(self) -> None:
        b, at, size, mask = self.b, self.at, self.size, self.mask
        lane0, absent = b.first(mask), b.invert(mask)
        given = b.extract(at, lane0)
        if self.kind == READ:
            self._one_place(given, absent)
        b.branch(b.compare("eq", _astray(b, self.check, self.now, mask), 0), "usual", "each")
        b.label("usual")
        first = b.sub(given, b.mul(b.resize(lane0, "i64"), size))
        wanted = b.add(lanes("i64", [size * lane for lane in range(LANES)]), first)
        neighbours = b.compare("eq", b.either(b.mask_of(b.compare("eq", at, wanted)), absent), -1)
        offset = b.sub(first, self.base)
        inside = b.both(b.compare("ult", offset, self.limit),
                        b.compare("ule", b.add(offset, LANES * size), self.limit))
        aligned = b.compare("eq", b.both(offset, size - 1), 0)
        if self.kind == WRITE:  # what is beside an array is longer than what a warp writes
            inside = b.both(inside, _in_its_own(b, self.check, first, self.group))
        stamps = b.either(b.load(self.now.text, "i64", True, 64), b.spread(b.shl(self.site, shadow.SITE_SHIFT)))
        active = b.lanes_of(mask)
        b.branch(b.both(b.both(neighbours, inside), aligned), "wide", "scattered")
        b.label("wide")
        self._neighbours(offset, stamps, active)
        b.jump("over")
        b.label("scattered")
        self._scattered(stamps, active)
        b.jump("over")

    def _one_place(self, given: Value, absent: Value) -> None:
        """Two lanes stand for all, until something is wrong."""
        b, mask = self.b, self.mask
        alike = b.compare("eq", b.either(b.mask_of(b.compare("eq", self.at, given)), absent), -1)
        b.branch(alike, "alike", "apart")
        b.label("alike")
        first, last = _ends(b, self.check, self.now, mask)
        state, wide, reads = _as_number(b, self.check), constant("i64", self.size), constant("i64", READ)
        b.store(_spread_bad(b, _call(b, "check_lane", state, _lane_now(b, self.now, first), given, wide, reads,
                                     self.site), mask), "%bad")
        b.branch(_wrong(b, self.check, self.site), "each", "first")
        b.label("first")
        b.branch(b.compare("eq", first, last), "over", "second")
        b.label("second")
        _call(b, "check_lane", state, _lane_now(b, self.now, last), given, wide, reads, self.site)
        b.branch(_wrong(b, self.check, self.site), "each", "over")
        b.label("apart")

    def _neighbours(self, offset: Value, stamps: Value, active: Value) -> None:
        """The cells are those of 32 lanes one after another, taken in pieces of 32 cells."""
        b, each = self.b, self.each_lane
        place = b.shl(b.lshr(offset, self.shift), 3)
        starts = [b.pointer(b.add(start, place)) for start in self.cells]
        pieces = []
        for piece in range(each):
            owners = [(LANES * piece + k) // each for k in range(LANES)]
            pieces.append((b.permute(stamps, owners), b.permute(active, owners),
                           [b.at(start, 8 * LANES * piece) for start in starts]))
        if self.unread is not None:
            b.branch(b.compare("ne", self.unread, 0), "unread", "read")
            b.label("unread")
            for me, here, (place, *_) in pieces:
                w = b.load(place, "i64", True, 8)
                self._all(here, b.either(b.compare("eq", w, shadow.UNWRITTEN), self._ordered(w, me)))
                b.store(b.select(here, me, w), place, 8)
            b.jump("over")
            b.label("read")
        for me, here, places in pieces:
            self._piece(me, here, places)

    def _piece(self, me: Value, here: Value, places: list[str]) -> None:
        b = self.b
        w, r, o = (b.load(place, "i64", True, 8) for place in places)
        known = b.select(b.compare("eq", w, shadow.UNWRITTEN), 0, w) if self.kind & WRITE else w
        untouched = b.compare("ult", b.call("umax", b.call("umax", known, r), o), self.began)
        new, old, done = b.fresh("new"), b.fresh("old"), b.fresh("done")
        b.branch(b.compare("eq", b.both(b.mask_of(here), b.invert(b.mask_of(untouched))), 0), new, old)
        b.label(new)  # nobody was here in this launch
        if self.kind & WRITE:
            b.store(b.select(here, me, w), places[0], 8)
        else:
            b.store(b.select(here, me, r), places[1], 8)
        b.jump(done)
        b.label(old)
        self._all(here, self._good(me, w, r, o))
        if self.kind & WRITE:
            nothing = b.spread(constant("i64", 0))
            for value, before, place in zip((me, nothing, nothing), (w, r, o), places, strict=True):
                b.store(b.select(here, value, before), place, 8)
        else:
            first_slot, second_slot = self._slots(me, here, w, r, o)
            b.store(b.select(first_slot, me, r), places[1], 8)
            b.store(b.select(second_slot, me, o), places[2], 8)
        b.jump(done)
        b.label(done)

    def _scattered(self, stamps: Value, active: Value) -> None:
        """Each lane elsewhere, within the memory."""
        b = self.b
        offsets = b.sub(self.at, self.base)
        inside = b.both(b.compare("ult", offsets, self.limit), b.compare("ule", b.add(offsets, self.size), self.limit))
        if self.kind == WRITE:
            inside = b.both(inside, _in_its_own(b, self.check, self.at, self.group))
        self._all(active, b.both(inside, b.compare("eq", b.both(offsets, self.size - 1), 0)))
        cells = b.shl(b.lshr(offsets, self.shift), 3)
        for number in range(self.each_lane):
            places = [b.add(b.add(cells, start), 8 * number) for start in self.cells]
            w, r, o = (_gather(b, place, active) for place in places)
            self._all(active, self._good(stamps, w, r, o))
            if self.kind & WRITE:
                _scatter(b, stamps, places[0], active)
                self._all(active, b.compare("eq", _gather(b, places[0], active), stamps))
                for place, old in zip(places[1:], (r, o), strict=True):
                    _scatter(b, b.spread(constant("i64", 0)), place, b.both(active, b.compare("uge", old, self.began)))
            else:  # of several lanes with one cell two are kept
                first_slot, second_slot = self._slots(stamps, active, w, r, o)
                _scatter(b, stamps, places[1], first_slot)
                pushed = b.both(first_slot, b.compare("ne", _gather(b, places[1], first_slot), stamps))
                second = b.both(self._ordered(o, stamps), b.compare("ult", o, shadow.SPECIAL))
                _scatter(b, stamps, places[2], b.either(second_slot, b.both(pushed, second)))

    def _all(self, here: Value, good: Value) -> None:
        """Goes on where this holds of all lanes that are there."""
        b, fine = self.b, self.b.fresh("fine")
        wrong = b.both(b.mask_of(here), b.invert(b.mask_of(good)))
        b.branch(b.compare("eq", wrong, 0), fine, "each")
        b.label(fine)

    def _ordered(self, s: Value, me: Value) -> Value:
        """In an earlier launch or an earlier phase of the block, or by the thread itself."""
        b = self.b
        early = b.compare("ult", b.sub(s, self.first), self.span)
        mine = b.compare("ult", b.xor(s, me), 1 << shadow.THREAD_SHIFT)
        return b.either(b.either(b.compare("ult", s, self.began), early), mine)

    def _good(self, me: Value, w: Value, r: Value, o: Value) -> Value:
        b = self.b
        last = self._ordered(w, me)
        if not self.kind & WRITE:
            return last
        last = b.either(last, b.compare("eq", w, shadow.UNWRITTEN))
        return b.both(last, b.both(self._ordered(r, me), self._ordered(o, me)))

    def _slots(self, me: Value, here: Value, w: Value, r: Value, o: Value) -> tuple[Value, Value]:
        """The lanes whose read is kept as the first one of its cell, and as the second."""
        b = self.b

        def same(s: Value) -> Value:  # but for the site; what an atomic operation leaves is not the same
            return b.compare("eq", b.both(b.xor(s, me), ~(shadow.MOST_SITES - 1 << shadow.SITE_SHIFT | 2)), 0)

        def one_warp(s: Value, other: Value) -> Value:
            return b.compare("ult", b.xor(s, other), 1 << shadow.THREAD_SHIFT + 5)

        todo = b.both(here, b.invert(b.either(b.either(same(r), same(o)), same(w))))
        free = self._ordered(r, me)
        crowd = b.both(one_warp(r, o), b.invert(one_warp(r, me)))
        second = b.both(b.invert(free), b.both(b.either(self._ordered(o, me), crowd),
                                               b.compare("ult", o, shadow.SPECIAL)))
        return b.both(todo, free), b.both(todo, second)


_POINTERS, _NUMBERS, _BITS = (f"<{LANES} x {type}>" for type in ("ptr", "i64", "i1"))


def _gather(b: Builder, at: Value, mask: Value) -> Value:
    b.module.declarations.add(f"declare {_NUMBERS} @llvm.masked.gather.v{LANES}i64.v{LANES}p0({_POINTERS}, i32, "
                              f"{_BITS}, {_NUMBERS})")
    pointers = b.value(f"inttoptr {at} to {_POINTERS}", "ptr", True)
    return b.value(f"call {_NUMBERS} @llvm.masked.gather.v{LANES}i64.v{LANES}p0({pointers}, i32 8, {mask}, "
                   f"{_NUMBERS} zeroinitializer)", "i64", True)


def _scatter(b: Builder, value: Value, at: Value, mask: Value) -> None:
    """From the first lane on, if there are any."""
    b.module.declarations.add(f"declare void @llvm.masked.scatter.v{LANES}i64.v{LANES}p0({_NUMBERS}, {_POINTERS}, i32, "
                              f"{_BITS})")
    some, none = b.fresh("some"), b.fresh("none")
    b.branch(b.compare("ne", b.mask_of(mask), 0), some, none)
    b.label(some)
    pointers = b.value(f"inttoptr {at} to {_POINTERS}", "ptr", True)
    b.emit(f"call void @llvm.masked.scatter.v{LANES}i64.v{LANES}p0({value}, {pointers}, i32 8, {mask})")
    b.jump(none)
    b.label(none)


def _spread_bad(b: Builder, bad: Value, mask: Value) -> Value:
    return b.select(b.compare("ne", bad, 0), mask, 0)


def beyond_local(b: Builder, size: int, kind: int, check: Value, now: Value, at: Value, bad: Value,
                  site: Value) -> list[Value]:
    b.branch(b.compare("eq", bad, 0), "over", "some")
    b.label("some")
    lane = b.first(bad)
    zero = constant("i64", 0)
    _call(b, "told", _as_number(b, check), constant("i64", shadow.BEYOND), _lane_now(b, now, lane), site,
          b.extract(at, lane), zero, constant("i64", size), constant("i64", kind | 512))
    b.jump("over")
    b.label("over")
    return []


def copies_of_lanes(b: Builder, size: int, check: Value, now: Value, to: Value, frm: Value, valid: Value, mask: Value,
                    site: Value, group: Value) -> list[Value]:
    known = b.mask_of(_inside(b, size, check, frm, group))
    for name in ("left.p", "to.bad", "from.bad"):
        b.emit(f"%{name} = alloca i32")
        b.emit(f"store i32 0, ptr %{name}")
    b.store(mask, "%left.p")
    b.branch(b.compare("eq", mask, 0), "over", "turn")
    b.label("turn")
    left = b.load("%left.p", "i32")
    lane = b.first(left)
    bad = b.resize(_call(b, "copy_issued", _as_number(b, check), _lane_now(b, now, lane), b.extract(to, lane),
                         b.extract(frm, lane), constant("i64", size), b.extract(valid, lane), site,
                         b.resize(b.both(b.lshr(known, lane), 1), "i64")), "i32")
    for place, bit in (("%to.bad", b.both(bad, 1)), ("%from.bad", b.lshr(bad, 1))):
        b.store(b.either(b.load(place, "i32"), b.shl(bit, lane)), place)
    rest = b.both(left, b.sub(left, 1))
    b.store(rest, "%left.p")
    b.branch(b.compare("ne", rest, 0), "turn", "over")
    b.label("over")
    return [b.load("%to.bad", "i32"), b.load("%from.bad", "i32")]


def misaligned_rows(b: Builder, check: Value, now: Value, at: Value, bad: Value, site: Value) -> list[Value]:
    b.branch(b.compare("eq", bad, 0), "over", "some")
    b.label("some")
    lane = b.first(bad)
    _call(b, "told", _as_number(b, check), constant("i64", shadow.MISALIGNED), _lane_now(b, now, lane), site,
          b.extract(at, lane), constant("i64", 0), constant("i64", 16), constant("i64", READ))
    b.jump("over")
    b.label("over")
    return []


def tell_of_lanes(b: Builder, check: Value, what: Value, warp: Value, mask: Value, site: Value,
            *given: Value) -> list[Value]:
    b.emit(f"%given.p = alloca [{len(given)} x <{LANES} x i64>], align 64")
    b.branch(b.compare("eq", mask, 0), "over", "some")
    b.label("some")
    for number, each in enumerate(given):
        b.store(each, b.at("%given.p", 8 * LANES * number), 64)
    function = b.load(b.at(b.load(b.at(check.text, shadow.LAUNCH), "ptr").text, shadow.TELL), "ptr").text
    word = b.either(b.either(b.shl(b.resize(mask, "i64"), 5), warp), b.shl(b.both(site, 0xFFFF), 40))
    word = b.either(word, b.shl(b.lshr(site, 16), 37))
    b.emit("%given.at = ptrtoint ptr %given.p to i64")
    b.emit(f"call i64 {function}({what}, {_as_number(b, check)}, {word}, i64 %given.at, i64 0, i64 0)")
    b.jump("over")
    b.label("over")
    return []


def meet(b: Builder, check: Value, now: Value, named: Value, mask: Value, warp: Value) -> list[Value]:
    """Lanes that name the same lanes meet."""
    b.emit("%todo.p = alloca i32")
    b.store(mask, "%todo.p")
    b.branch(b.compare("eq", mask, 0), "over", "turn")
    b.label("turn")
    todo = b.load("%todo.p", "i32")
    members = b.extract(named, b.first(todo))
    same = b.both(b.mask_of(b.compare("eq", named, members)), todo)
    b.through_all("check.join", _join, check, now, same, warp)
    rest = b.both(todo, b.invert(same))
    b.store(rest, "%todo.p")
    b.branch(b.compare("ne", rest, 0), "turn", "over")
    b.label("over")
    return []


def _join(b: Builder, check: Value, now: Value, mask: Value, warp: Value) -> list[Value]:
    """The lanes of the mask have met: each knows what any of them knew. Rows are taken in pieces of a warp's threads,
    the own warp's alone where nobody knows of others."""
    for name in ("left.p", "piece.p"):
        b.emit(f"%{name} = alloca {'i32' if name == 'left.p' else 'i64'}")
    b.emit(f"%joined.p = alloca <{LANES} x i32>, align 64")
    b.branch(b.compare("eq", mask, 0), "over", "some")
    b.label("some")
    rows = b.load(b.at(check.text, shadow.ROWS), "ptr").text
    first_row = b.mul(warp, LANES * shadow.ROW)
    wide = b.compare("ne", b.load(b.at(check.text, shadow.WIDE), "i64"), 0)
    threads = b.load(b.at(check.text, shadow.THREADS), "i64")
    pieces = b.lshr(b.add(threads, LANES - 1), 5)
    b.store(b.select(wide, 0, warp), "%piece.p")
    end = b.select(wide, pieces, b.add(warp, 1))
    clocks = b.resize(b.both(b.lshr(b.load(now.text, "i64", True, 64), shadow.CLOCK_SHIFT), shadow.MOST_CLOCK), "i32")
    b.jump("piece")
    b.label("piece")
    piece = b.load("%piece.p", "i64")
    place = b.at(rows, b.add(first_row, b.mul(piece, 4 * LANES)))

    def row(lane: Value) -> str:
        return b.at(place, b.mul(b.resize(lane, "i64"), shadow.ROW))

    def loop(name: str, do) -> None:
        b.store(mask, "%left.p")
        b.jump(name)
        b.label(name)
        left = b.load("%left.p", "i32")
        do(row(b.first(left)))
        rest = b.both(left, b.sub(left, 1))
        b.store(rest, "%left.p")
        b.branch(b.compare("ne", rest, 0), name, f"{name}.over")
        b.label(f"{name}.over")

    b.emit(f"store <{LANES} x i32> zeroinitializer, ptr %joined.p, align 64")
    loop("merge", lambda at: b.store(b.call("umax", b.load("%joined.p", "i32", True, 64), b.load(at, "i32", True, 4)),
                                     "%joined.p", 64))
    own = b.both(b.mask_of(b.spread(b.compare("eq", piece, warp))), mask)
    known = b.select(b.lanes_of(own), clocks, b.load("%joined.p", "i32", True, 64))
    loop("spread", lambda at: b.store(known, at, 4))
    following = b.add(piece, 1)
    b.store(following, "%piece.p")
    b.branch(b.compare("ult", following, end), "piece", "tick")
    b.label("tick")
    stamps = b.load(now.text, "i64", True, 64)
    ticks = b.both(b.lanes_of(mask), b.compare("ult", clocks, shadow.MOST_CLOCK))
    b.store(b.add(stamps, b.select(ticks, b.spread(constant("i64", 1 << shadow.CLOCK_SHIFT)), 0)), now.text, 64)
    b.store(constant("i64", 1), b.at(check.text, shadow.MET))
    b.jump("over")
    b.label("over")
    return []


def tell_of_mask(b: Builder, check: Value, what: Value, warp: Value, mask: Value, site: Value, more: Value,
          further: Value) -> list[Value]:
    b.branch(b.compare("eq", mask, 0), "over", "some")
    b.label("some")
    function = b.load(b.at(b.load(b.at(check.text, shadow.LAUNCH), "ptr").text, shadow.TELL), "ptr").text
    word = b.either(b.either(b.shl(mask, 5), warp), b.shl(site, 40))
    b.emit(f"call i64 {function}({what}, {_as_number(b, check)}, {word}, {more}, {further}, i64 0)")
    b.jump("over")
    b.label("over")
    return []


def members_of_masks(b: Builder, check: Value, named: Value, mask: Value, live: Value, warp: Value,
                     site: Value) -> list[Value]:
    """Usual: all lanes of the mask name just the lanes of the mask."""
    b.branch(b.compare("eq", mask, 0), "over", "some")
    b.label("some")
    fits = b.compare("eq", b.either(b.mask_of(b.compare("eq", named, mask)), b.invert(mask)), -1)
    b.branch(fits, "over", "differs")
    b.label("differs")
    b.emit(f"%named.p = alloca <{LANES} x i32>, align 64")
    b.store(named, "%named.p", 64)
    function = b.load(b.at(b.load(b.at(check.text, shadow.LAUNCH), "ptr").text, shadow.TELL), "ptr").text
    word = b.either(b.either(b.shl(b.resize(mask, "i64"), 5), warp), b.shl(site, 40))
    b.emit("%named.at = ptrtoint ptr %named.p to i64")
    b.emit(f"call i64 {function}(i64 {shadow.ABSENT}, {_as_number(b, check)}, {word}, i64 %named.at, "
           f"{b.resize(live, 'i64')}, i64 0)")
    b.jump("over")
    b.label("over")
    return []
