"""Code that counts what a warp's access takes of the memory, by the addresses of its lanes.

    sectors     global memory: the sectors of 32 bytes that the access touches, and the least that could hold its bytes
    wavefronts  shared memory: the turns that 32 banks of 4 bytes take, and the least, one for each group of lanes
    turns       atomics: the most lanes that one address has

Sources: CUDA C++ Programming Guide, "Device Memory Accesses" (sectors) and "Shared Memory" of the compute capabilities
5.0 and later (banks; lanes with the same word share it); 8 and 16 bytes a lane are served by halves and quarters of a
warp. An access lies at a multiple of its size, as CUDA demands, so that a lane's bytes lie in one sector.
"""

from __future__ import annotations

from gpunet.ptx.emit import LANES, Builder, Value, constant, lanes
from gpunet.ptx.layout import Launch

SECTOR = 32


def add(b: Builder, pointer: str, number: int, value: Value) -> None:
    """A counter of this host thread."""
    place = b.at(pointer, 8 * number)
    b.store(b.add(b.load(place, "i64"), value), place)


def count_sectors(b: Builder, at: Value, mask: Value, size: Value, written: Value, counters: Value,
                  launch: Value) -> None:
    """`counters`: sectors, and the least. The sectors are also marked in the launch's map, if it has one."""
    b.through_all("count.sectors", _sectors, b.spread(at), mask, size, written, counters, launch)


def count_wavefronts(b: Builder, at: Value, mask: Value, size: Value, counters: Value) -> None:
    """`counters`: wavefronts, and the least. `at` are offsets in shared memory."""
    b.through_all("count.wavefronts", _wavefronts, b.spread(at), mask, size, counters)


def count_turns(b: Builder, at: Value, mask: Value, counters: Value) -> None:
    """`counters`: turns, and the executions, each of which takes one at least."""
    b.through_all("count.turns", _turns, b.spread(at), mask, counters)


def _each_distinct(b: Builder, values: Value, mask: Value, name: str, do) -> None:
    """A loop over the distinct values of the lanes of a mask: `do(value, its lanes)`. It ends in a block of that name;
    memory for its state is taken at the function's beginning."""
    left_at = f"%{name}.left"
    b.store(mask, left_at)
    b.jump(f"{name}.test")
    b.label(f"{name}.test")
    left = b.load(left_at, "i32")
    b.branch(b.compare("ne", left, 0), f"{name}.turn", f"{name}.over")
    b.label(f"{name}.turn")
    value = b.extract(values, b.first(left))
    same = b.both(b.mask_of(b.compare("eq", values, value)), left)
    do(value, same)
    b.store(b.both(left, b.invert(same)), left_at)
    b.jump(f"{name}.test")
    b.label(f"{name}.over")


def _bump(b: Builder, place: str, amount: int = 1) -> Value:
    more = b.add(b.load(place, "i64"), amount)
    b.store(more, place)
    return more


def _sectors(b: Builder, at: Value, mask: Value, size: Value, written: Value, counters: Value,
             launch: Value) -> list[Value]:
    for name in ("count", "distinct"):
        b.emit(f"%{name} = alloca i64")
        b.emit(f"store i64 0, ptr %{name}")
    for name in ("sector", "place"):
        b.emit(f"%{name}.left = alloca i32")
    b.branch(b.compare("eq", mask, 0), "done", "some")
    b.label("some")
    marks = b.load(b.at(launch.text, Launch.MAP), "ptr").text
    first = b.load(b.at(launch.text, Launch.MAP_FIRST), "i64")
    total = b.load(b.at(launch.text, Launch.MAP_COUNT), "i64")
    half = b.select(b.compare("ne", written, 0), total, 0)

    def visit(sector: Value, lanes_of_it: Value) -> None:
        _bump(b, "%count")
        offset = b.sub(sector, first)
        mark, on = b.fresh("mark"), b.fresh("on")
        b.branch(b.compare("ult", offset, total), mark, on)
        b.label(mark)
        b.emit(f"store i8 1, ptr {b.at(marks, b.add(offset, half))}")
        b.jump(on)
        b.label(on)

    _each_distinct(b, b.lshr(at, 5), mask, "sector", visit)
    # How many places: where each lane is behind the one before it, no two are alike.
    before = b.permute(at, [0, *range(LANES - 1)])
    rising = b.either(b.mask_of(b.compare("ugt", at, before)), 1)
    b.branch(b.both(b.compare("eq", mask, -1), b.compare("eq", rising, -1)), "all", "look")
    b.label("all")
    b.emit(f"store i64 {LANES}, ptr %distinct")
    b.jump("counted")
    b.label("look")
    _each_distinct(b, at, mask, "place", lambda *_: _bump(b, "%distinct"))
    b.jump("counted")
    b.label("counted")
    add(b, counters.text, 0, b.load("%count", "i64"))
    add(b, counters.text, 1, b.lshr(b.add(b.mul(b.load("%distinct", "i64"), size), SECTOR - 1), 5))
    b.jump("done")
    b.label("done")
    return []


def _wavefronts(b: Builder, at: Value, mask: Value, size: Value, counters: Value) -> list[Value]:
    """Lanes come in groups that together have 128 bytes. Units of a lane's size, at least a word, lie in columns of
    banks; a group takes as many turns as the most distinct units that lie in one column."""
    b.emit("%unit.left = alloca i32")
    b.emit("%column = alloca [32 x i64]")
    for name in ("most", "total", "groups"):
        b.emit(f"%{name} = alloca i64")
        b.emit(f"store i64 0, ptr %{name}")
    b.emit("%group = alloca i32")
    b.branch(b.compare("eq", mask, 0), "done", "some")
    b.label("some")
    wide = b.call("umax", size, 4)
    words = b.lshr(wide, 2)
    consecutive = b.add(b.mul(b.spread(wide), lanes("i64", range(LANES))), b.extract(at, 0))
    straight = b.both(b.compare("eq", b.mask_of(b.compare("eq", at, consecutive)), -1), b.compare("eq", mask, -1))
    b.branch(straight, "free", "groups.begin")
    b.label("free")
    add(b, counters.text, 0, words)
    add(b, counters.text, 1, words)
    b.jump("done")
    b.label("groups.begin")
    shift = b.call("cttz", wide, flags=(True,))
    units = b.lshr(at, b.spread(shift))
    columns = b.lshr(constant("i64", 32), b.sub(shift, 2))  # as many as a group has lanes
    per_group = b.resize(columns, "i32")
    lanes_of_group = b.resize(b.sub(b.shl(constant("i64", 1), columns), 1), "i32")
    b.emit("store i32 0, ptr %group")
    b.jump("each.group")
    b.label("each.group")
    number = b.load("%group", "i32")
    mine = b.both(mask, b.shl(lanes_of_group, number))
    b.branch(b.compare("eq", mine, 0), "next", "count")
    b.label("count")
    b.emit("store i64 0, ptr %most")
    b.emit("store [32 x i64] zeroinitializer, ptr %column")

    def visit(unit: Value, lanes_of_it: Value) -> None:
        column = b.both(unit, b.sub(columns, 1))
        count = _bump(b, b.at("%column", b.shl(column, 3)))
        b.store(b.call("umax", count, b.load("%most", "i64")), "%most")

    _each_distinct(b, units, mine, "unit", visit)
    b.store(b.add(b.load("%total", "i64"), b.load("%most", "i64")), "%total")
    _bump(b, "%groups")
    b.jump("next")
    b.label("next")
    following = b.add(number, per_group)
    b.store(following, "%group")
    b.branch(b.compare("ult", following, LANES), "each.group", "add")
    b.label("add")
    add(b, counters.text, 0, b.load("%total", "i64"))
    add(b, counters.text, 1, b.load("%groups", "i64"))
    b.jump("done")
    b.label("done")
    return []


def _turns(b: Builder, at: Value, mask: Value, counters: Value) -> list[Value]:
    b.emit("%place.left = alloca i32")
    b.emit("%most = alloca i64")
    b.emit("store i64 0, ptr %most")
    b.jump("start")
    b.label("start")

    def visit(place: Value, lanes_of_it: Value) -> None:
        count = b.resize(b.call("ctpop", lanes_of_it), "i64")
        b.store(b.call("umax", count, b.load("%most", "i64")), "%most")

    _each_distinct(b, at, mask, "place", visit)
    add(b, counters.text, 0, b.load("%most", "i64"))
    add(b, counters.text, 1, b.resize(b.compare("ne", mask, 0), "i64"))
    return []
