"""What the checker remembers of memory and of the order of threads: layout, and the rules for an access.

Memory is taken in cells of the size of the kernel's smallest access. Of a cell there are three stamps: of the last
write, and of two reads after it; two readers are enough to find a race with nearly every later writer, as they are of
different warps where possible. A stamp says when and who:

    phase 26 bits | thread 10 | clock 12 | site 14 | 2 bits: atomic; for the block only (of an atomic)

A phase begins with each block and with each barrier that a whole block passes: what the block did in an earlier phase
is ordered before the next. Within a phase a thread has a clock, and a row of what it knows of the others' clocks.
Of its cluster's blocks a thread also knows what they did before the last barrier of the cluster that it has waited for:
of each of their threads a moment, phase and clock.
Stamps from SPECIAL on are states of a cell that has no such access.

The functions are compiled by subset.py. The usual accesses, of whole warps to neighbours, do not get here: checking.py.
"""

from __future__ import annotations

from gpunet.ptx.layout import SHARED_SHIFT as APART
from gpunet.ptx.subset import put8, put32, put64, tell, u8, u32, u64

# A region: memory whose cells have one size.
BASE, LENGTH, WRITES, READS, OTHERS = 0, 8, 16, 24, 32  # its place, its bytes, and addresses of the cells' stamps
SHIFT, REGION = 40, 48  # of an offset to its cell's number; bytes of a region's own

# Of a launch, in bytes.
ARENA, SIZE = 0, 8  # the arrays
BEGAN = 16  # stamps below are of earlier launches
PHASES, OWNERS, MIXED = 56, 64, 72  # the last phase, the block of each, and whether blocks run by turns
TELL, TOLD, RELEASED = 80, 88, 96  # Python's function; how often each site was told of; something is published
DUMP, VALUES, BLOCKS = 104, 112, 120  # memory for accesses outside; values to be stored; how many blocks have begun
GUESSES = 128  # a byte of each site: the read there begins a loop of compare-and-swaps
REGIONS = 256  # of the arrays, by their cells' sizes: 1, 2, 4, 8 and 16 bytes
END_OF_REGIONS = REGIONS + 5 * REGION
# By groups of accesses: the only array that they may reach, or none, and whether nothing writes it or nobody reads it.
REACHED, REACHED_BYTES, MOST_REACHED = END_OF_REGIONS, 40, 256  # the first: what is not known
FROM, SPAN_OF_IT, UNREAD = 0, 8, 16  # where it is only read, its place and its bytes; where nobody reads it, 1
ONLY, ONLY_BYTES = 24, 32  # its place and its bytes, whatever is done to it
LAUNCH_BYTES = REACHED + MOST_REACHED * REACHED_BYTES

# Of a block that runs.
LAUNCH, PHASE, FIRST, SPAN, USUAL = 0, 8, 16, 24, 32  # USUAL: the span, but 0 where blocks run by turns
MET, WIDE, FENCED = 40, 48, 56  # threads know of others in this phase; of other warps' too; a fence was passed
SHARED = 64  # its shared memory, a region
ROWS, QUEUES, THREADS, NUMBER, TEMPLATE, CELLS, FRAMES = 272, 112, 120, 128, 136, 144, 152
PUBLISHED_AT, PUBLISHED, SEEN_AT, SEEN_BY, SEEN_THEN = 160, 168, 176, 184, 192  # what Python was told of last
STACK = 200  # where the host's stack was when a warp began
CLUSTER, RANK, PEERS = 208, 216, 224  # blocks of its cluster, its number among them, addresses of the states of all
FIRST_SHARED = 232  # memory of the cluster's first block
MOMENTS = 240  # of the last two barriers of the cluster, or 0
WAITED_FOR, ARRIVED_AT = 248, 256  # the last barrier of the cluster that each thread has waited for, has arrived at
VISITS = 264  # to its shared memory by other blocks: the last of each thread of the cluster
ASTRAY = 320  # the threads that have read out of bounds: 32 bits of each warp
NOW = 512  # the stamps of each thread's next access
BLOCK_BYTES = 512 + 8 * 1024

MOST_THREADS = 1024
ROW = 4 * MOST_THREADS  # bytes
VISIT = 32  # a stamp, an address, bytes with the kind as in `told`, and the last barrier that the thread had arrived at
PHASE_SHIFT, THREAD_SHIFT, CLOCK_SHIFT, SITE_SHIFT = 38, 28, 16, 2
MOST_PHASES, MOST_CLOCK, MOST_SITES = (1 << 26) - 2, (1 << 12) - 1, 1 << 14
SPECIAL = ((1 << 26) - 1) << PHASE_SHIFT
OUTSIDE = (1 << 64) - 1
UNWRITTEN = SPECIAL
IS_COPY = SPECIAL | 1 << CLOCK_SHIFT  # with thread and site: a copy will write here,
IS_SOURCE = SPECIAL | 2 << CLOCK_SHIFT  # or reads here, among the reads

READ, WRITE, ATOMIC, OF_BLOCK, FLAG = 1, 2, 4, 8, 16  # kinds of accesses; FLAG: volatile in shared memory
OF_STRUCTURE = 32  # a read for a copy of a whole structure, with its padding
STRAY_SHIFT, STRAY = 6, 64  # a write that is not in the only array that it may reach

# What Python is told.
RACE, BEYOND, UNINITIALISED, MISALIGNED, PENDING, FROM_COPY, NEVER_WAITED, ABSENT = range(8)
FENCES, FENCE, PUBLISH, SEEN, TOO_LONG, ARRIVE, LEAVE, BARRIER, SPIN = range(8, 17)
COUNTS, WAITED, BULK, BULK_WAIT, MISUSE, SHUFFLE, GUESS = range(17, 24)
CLUSTER_ARRIVE, CLUSTER_COMPLETE, CLUSTER_WAITED, TOO_LATE = range(24, 28)
STUCK = 28  # lanes of a collective wait for others, which wait for the block; found in Python
DIVIDED = 29  # an integer by zero
TOO_EARLY = 31  # `told` counts it in the place of ABSENT, which is not told so
OF_BLOCK_ALONE, OF_DEVICE, OF_ARRIVALS = range(3)  # fences: the last counts for relaxed arrivals at a cluster's barrier
MOST_TOLD = 2048  # of a site and a kind

# A thread's queue of asynchronous copies: how many it has issued, how many are done, how many groups it has closed.
ISSUED, DONE, GROUPS, ENTRIES = 0, 8, 16, 32
TO, FROM_WHERE, BYTES, GROUP, ENTRY = 0, 8, 16, 24, 32
MOST_COPIES = 64
ANYWHERE = 1  # instead of the place that a copy reads, where nothing writes that
QUEUE = ENTRIES + MOST_COPIES * ENTRY


# ---- telling -----------------------------------------------------------------------------------------------------
def told(b, what, now, site, at, other, size, kind):
    g = u64(b + LAUNCH)
    if what == BEYOND and kind & READ:
        warp = b + ASTRAY + (now >> THREAD_SHIFT + 5 & 31) * 4
        put32(warp, u32(warp) | 1 << (now >> THREAD_SHIFT & 31))
    count = u64(g + TOLD) + (site << 5) + ((what & 7) << 2)
    n = u32(count)
    if n < MOST_TOLD:
        put32(count, n + 1)
        tell(u64(g + TELL), what, b, at, now | site << SITE_SHIFT, other, size | kind << 16)
    return 0


# ---- order -------------------------------------------------------------------------------------------------------
def ordered(b, now, s):
    g = u64(b + LAUNCH)
    if (s ^ now) >> THREAD_SHIFT == 0 or s < u64(g + BEGAN):
        return 1
    if s - u64(b + FIRST) < u64(b + SPAN):
        if u64(g + MIXED) == 0 or u32(u64(g + OWNERS) + (s >> PHASE_SHIFT << 2)) == u64(b + NUMBER):
            return 1
    elif (s ^ now) >> PHASE_SHIFT == 0 and u64(b + MET) != 0:
        row = u64(b + ROWS) + (now >> THREAD_SHIFT & 1023) * ROW
        if u32(row + ((s >> THREAD_SHIFT & 1023) << 2)) >= (s >> CLOCK_SHIFT & MOST_CLOCK):
            return 1
    if u64(b + MOMENTS):
        return before_barrier(b, u64(u64(b + WAITED_FOR) + ((now >> THREAD_SHIFT & 1023) << 3)), s)
    return 0


def before_barrier(b, number, s):
    """Whether an access comes before a barrier of the cluster, of which the number is given (0: none)."""
    rank = u32(u64(u64(b + LAUNCH) + OWNERS) + (s >> PHASE_SHIFT << 2)) + u64(b + RANK) - u64(b + NUMBER)
    if number == 0 or rank >= u64(b + CLUSTER):
        return 0
    which = ((number & 1) * u64(b + CLUSTER) + rank) * MOST_THREADS + (s >> THREAD_SHIFT & 1023)
    return u64(u64(b + MOMENTS) + (which << 3)) >= (s >> PHASE_SHIFT << 12 | s >> CLOCK_SHIFT & MOST_CLOCK)


def conflict(b, now, s, kind, writes):
    if ordered(b, now, s):
        return 0
    g = u64(b + LAUNCH)
    if s & 1 and kind & ATOMIC:
        if kind & FLAG and ((s ^ now) >> (THREAD_SHIFT + 5) == 0 or (kind & WRITE and writes)):
            return 1
        if s & 2 == 0 and kind & OF_BLOCK == 0:
            return 0
        return u32(u64(g + OWNERS) + (s >> PHASE_SHIFT << 2)) != u64(b + NUMBER)
    if u64(g + RELEASED):
        return tell(u64(g + TELL), FENCES, b, now, s) == 0
    return 1


# ---- accesses ----------------------------------------------------------------------------------------------------
def is_astray(b, now):
    """Whether the thread has read out of bounds: from then on no races of it are told, and it leaves no stamps."""
    return u32(b + ASTRAY + (now >> THREAD_SHIFT + 5 & 31) * 4) >> (now >> THREAD_SHIFT & 31) & 1


def check_cell(b, now, site, p, q, r, kind, at, size):
    """1 where the access must not be, 2 where all is said of it."""
    began = u64(u64(b + LAUNCH) + BEGAN)
    w = u64(p)
    if w >= SPECIAL:
        if w == OUTSIDE:
            told(b, BEYOND, now, site, at, 0, size, kind)
            return 1
        if w != UNWRITTEN:
            told(b, PENDING, now, site, at, w, size, kind)
            return 2
        if kind & READ and kind & OF_STRUCTURE == 0:
            told(b, UNINITIALISED, now, site, at, 0, size, kind)
            put64(p, 0)
        w = 0
    if is_astray(b, now):
        if kind & WRITE and u64(p) == UNWRITTEN:
            put64(p, 0)
        return 0
    me = now | site << SITE_SHIFT
    if kind & ATOMIC:
        me = me | 1 | (2 if kind & OF_BLOCK else 0)
    r0 = u64(q)
    r1 = u64(r)
    if kind & WRITE == 0:
        if (r0 ^ me) >> CLOCK_SHIFT == 0 or (r1 ^ me) >> CLOCK_SHIFT == 0:
            return 0
        if (w ^ me) >> CLOCK_SHIFT == 0 and w & 1 == 0:
            return 0
        if w >= began and conflict(b, now, w, kind, 1):
            told(b, RACE, now, site, at, w, size, kind | 256)
        if r0 < began or ordered(b, now, r0):
            put64(q, me)
        elif r1 < SPECIAL and (ordered(b, now, r1) or ((r0 ^ r1) >> (THREAD_SHIFT + 5) == 0 and
                                                       (r0 ^ me) >> (THREAD_SHIFT + 5) != 0)):
            put64(r, me)
        return 0
    if w >= began and conflict(b, now, w, kind, 1):
        told(b, RACE, now, site, at, w, size, kind | 256)
    elif r0 >= began and conflict(b, now, r0, kind, 0):
        told(b, RACE, now, site, at, r0, size, kind)
    elif r1 >= SPECIAL:
        told(b, FROM_COPY, now, site, at, r1, size, kind)
    elif r1 >= began and conflict(b, now, r1, kind, 0):
        told(b, RACE, now, site, at, r1, size, kind)
    # A thread's plain write before its atomic operation is still to be ordered with the atomics of others.
    kept = 0
    if kind & ATOMIC:
        if w != 0 and w & 1 == 0 and (w ^ me) >> THREAD_SHIFT == 0:
            kept = w | 2
        elif r0 & 3 == 2 and (r0 ^ me) >> THREAD_SHIFT == 0:
            kept = r0
    put64(p, me)
    put64(q, kept)
    put64(r, 0)
    return 0


def region_of(b, at):
    """The region in which an address lies; where it lies in none, the own shared memory."""
    g = u64(b + LAUNCH)
    if at - u64(g + ARENA) < u64(g + SIZE):
        region = g + REGIONS
        while region < g + END_OF_REGIONS:
            if at - u64(region + BASE) < u64(region + LENGTH):
                return region
            region += REGION
    return owner_of(b, at) + SHARED


def check_lane(b, now, at, size, kind, site):
    """An access of a thread, whose stamp is `now`; 1 where it must not be."""
    if kind & STRAY:
        told(b, BEYOND, now, site, at, 0, size, kind)
        return 1
    g = u64(b + LAUNCH)
    region = region_of(b, at)
    off = at - u64(region + BASE)
    if off >= u64(region + LENGTH) or off + size > u64(region + LENGTH):
        told(b, BEYOND, now, site, at, 0, size, kind)
        return 1
    if off & (size - 1):
        told(b, MISALIGNED, now, site, at, 0, size, kind)
        return 1
    if region - g >= END_OF_REGIONS and region - SHARED != b:
        visited(b, region - SHARED, now, at, size, kind, site)
    shift = u64(region + SHIFT)
    p = u64(region + WRITES)
    q = u64(region + READS)
    r = u64(region + OTHERS)
    cell = off >> shift
    end = (off + size - 1 >> shift) + 1
    while cell < end:
        found = check_cell(b, now, site, p + (cell << 3), q + (cell << 3), r + (cell << 3), kind, at, size)
        if found:
            return found & 1
        cell += 1
    if kind & ATOMIC:
        if kind & WRITE and u64(b + FENCED) and (u64(b + PUBLISHED_AT) != at or u64(b + PUBLISHED) != now):
            put64(b + PUBLISHED_AT, at)
            put64(b + PUBLISHED, now)
            tell(u64(g + TELL), PUBLISH, b, now, at)
        then = u64(g + RELEASED)
        if then and (u64(b + SEEN_AT) != at or u64(b + SEEN_BY) != now or u64(b + SEEN_THEN) != then):
            put64(b + SEEN_AT, at)
            put64(b + SEEN_BY, now)
            put64(b + SEEN_THEN, then)
            tell(u64(g + TELL), SEEN, b, now, at)
    return 0


def owner_of(b, at):
    """The block of the cluster in whose shared memory an address lies; the own one where it lies in none."""
    rank = at - u64(b + FIRST_SHARED) >> APART
    return u64(u64(b + PEERS) + (rank << 3)) if rank < u64(b + CLUSTER) else b


def visited(b, owner, now, at, size, kind, site):
    """An access of another block's shared memory, which has to lie between that one's beginning and its end."""
    thread = now >> THREAD_SHIFT & 1023
    if u64(u64(b + WAITED_FOR) + (thread << 3)) == 0:
        told(b, TOO_EARLY, now, site, at, 0, size, kind)
    visit = u64(owner + VISITS) + (u64(b + RANK) * MOST_THREADS + thread) * VISIT
    put64(visit, now | site << SITE_SHIFT)
    put64(visit + 8, at)
    put64(visit + 16, size | kind << 16)
    put64(visit + 24, u64(u64(b + ARRIVED_AT) + (thread << 3)))
    return 0


# ---- the course of a block ---------------------------------------------------------------------------------------
def new_phase(b):
    g = u64(b + LAUNCH)
    phase = u64(g + PHASES) + 1
    if phase > MOST_PHASES:
        tell(u64(g + TELL), TOO_LONG, b)
        phase = MOST_PHASES
    put64(g + PHASES, phase)
    put32(u64(g + OWNERS) + (phase << 2), u64(b + NUMBER))
    put64(b + PHASE, phase << PHASE_SHIFT)
    put64(b + MET, 0)
    return phase << PHASE_SHIFT


def stamp_anew(b, phase):
    """All threads' clocks go on, or begin again where they have come far."""
    threads = u64(b + THREADS)
    most = 0
    t = 0
    while t < threads:
        clock = u64(b + NOW + (t << 3)) >> CLOCK_SHIFT & MOST_CLOCK
        most = clock if clock > most else most
        t += 1
    if most > 2048:  # where they have not begun, the rows are zeros
        forget_rows(b)
    waited = u64(b + WAITED_FOR)
    if waited:  # what one thread has waited for, all have
        last = last_waited(b)
        t = 0
        while t < threads:
            put64(waited + (t << 3), last)
            t += 1
    t = 0
    while t < threads:
        clock = 1 if most > 2048 or most == 0 else u64(b + NOW + (t << 3)) >> CLOCK_SHIFT & MOST_CLOCK
        put64(b + NOW + (t << 3), phase | t << THREAD_SHIFT | clock << CLOCK_SHIFT)
        t += 1
    return 0


def last_waited(b):
    """The last barrier of the cluster that any thread of the block has waited for."""
    last = 0
    t = 0
    while t < u64(b + THREADS):
        number = u64(u64(b + WAITED_FOR) + (t << 3))
        last = number if number > last else last
        t += 1
    return last


def forget_rows(b):
    threads = u64(b + THREADS)
    t = 0
    while t < threads:
        row = u64(b + ROWS) + t * ROW
        end = row + (threads << 2)
        while row < end:
            put64(row, 0)
            row += 8
        t += 1
    return 0


def block_begins(b):
    g = u64(b + LAUNCH)
    number = u64(g + BLOCKS) + 1
    put64(g + BLOCKS, number)
    put64(b + NUMBER, number)
    put64(b + WIDE, 0)
    put64(b + FENCED, 0)
    put64(b + PUBLISHED_AT, 0)
    put64(b + SEEN_AT, 0)
    warp = b + ASTRAY
    while warp < b + ASTRAY + MOST_THREADS // 8:
        put64(warp, 0)
        warp += 8
    phase = new_phase(b)
    put64(b + FIRST, phase)
    put64(b + SPAN, 0)
    put64(b + USUAL, 0)
    if u64(b + MOMENTS):
        forget_cluster(b)
    stamp_anew(b, phase)
    queue = u64(b + QUEUES)
    if queue:
        end = queue + u64(b + THREADS) * QUEUE
        while queue < end:
            put64(queue + ISSUED, 0)
            put64(queue + DONE, 0)
            put64(queue + GROUPS, 0)
            queue += QUEUE
    return 0


def forget_cluster(b):
    t = 0
    while t < u64(b + THREADS):
        put64(u64(b + WAITED_FOR) + (t << 3), 0)
        put64(u64(b + ARRIVED_AT) + (t << 3), 0)
        t += 1
    t = 0
    while t < u64(b + CLUSTER) * MOST_THREADS:
        put64(u64(b + VISITS) + t * VISIT, 0)
        t += 1
    return 0


def block_is_over(b):
    """All blocks of the cluster have ended. After what others did in this one's shared memory they have to arrive, even
    .relaxed, at a barrier of the cluster that this one waits for."""
    if u64(b + MOMENTS) == 0:
        return 0
    last = last_waited(b)
    rank = 0
    while rank < u64(b + CLUSTER):
        peer = u64(u64(b + PEERS) + (rank << 3))
        t = 0
        while t < u64(b + THREADS):
            visit = u64(b + VISITS) + (rank * MOST_THREADS + t) * VISIT
            if u64(visit) and u64(visit + 24) >= last:
                tell(u64(u64(b + LAUNCH) + TELL), TOO_LATE, peer, u64(visit + 8), u64(visit), 0, u64(visit + 16))
            t += 1
        rank += 1
    return 0


def block_passes(b):
    """All threads of the block have met at a barrier."""
    phase = new_phase(b)
    put64(b + SPAN, phase - u64(b + FIRST))
    put64(b + USUAL, 0 if u64(u64(b + LAUNCH) + MIXED) else phase - u64(b + FIRST))
    stamp_anew(b, phase)
    return 0


# ---- compare-and-swap --------------------------------------------------------------------------------------------
def compared(b, now, at, size, value):
    """Comes before a compare-and-swap. Where it finds what it compares with, a plain read of this place by the thread
    was a guess, and this finds out whether it still stands: that other threads' atomic operations were not ordered with
    the read harms nothing."""
    region = region_of(b, at)
    off = at - u64(region + BASE)
    if off >= u64(region + LENGTH) or off + size > u64(region + LENGTH) or off & (size - 1):
        return 0
    q = u64(region + READS)
    r = u64(region + OTHERS)
    shift = u64(region + SHIFT)
    found = u64(at) if size == 8 else u32(at - (at & 3)) >> ((at & 3) << 3)
    if (found ^ value) << (64 - (size << 3)) == 0:
        guessed(b, now, u64(q + (off >> shift << 3)))
        guessed(b, now, u64(r + (off >> shift << 3)))
    return 0


def guessed(b, now, s):
    g = u64(b + LAUNCH)
    place = u64(g + GUESSES) + (s >> SITE_SHIFT & MOST_SITES - 1)
    if s & 3 == 0 and (s ^ now) >> THREAD_SHIFT == 0 and u8(place) == 0:
        put8(place, 1)
        tell(u64(g + TELL), GUESS, b, s)
    return 0


# ---- asynchronous copies -----------------------------------------------------------------------------------------
def mark_copy(b, now, site, at, size, source):
    """The cells wait for the copy; of its source those that no other copy reads."""
    region = region_of(b, at)
    cells = u64(region + (OTHERS if source else WRITES))
    off = at - u64(region + BASE)
    shift = u64(region + SHIFT)
    value = IS_SOURCE if source else IS_COPY
    value |= now & 1023 << THREAD_SHIFT | site << SITE_SHIFT
    cell = off >> shift
    end = (off + size - 1 >> shift) + 1
    while cell < end:
        if source == 0 or u64(cells + (cell << 3)) < SPECIAL:
            put64(cells + (cell << 3), value)
        cell += 1
    return 0


def copy_issued(b, now, to, at, size, valid, site, known):
    """cp.async of a lane: 1 where it must not write, 2 where it must not read. `known`: it may read, and nothing writes
    there in this launch."""
    bad = 0
    if valid and known == 0 and check_lane(b, now, at, size, READ, site):
        bad |= 2
    if check_lane(b, now, to, size, WRITE, site):
        return bad | 1
    queue = u64(b + QUEUES) + (now >> THREAD_SHIFT & 1023) * QUEUE
    n = u64(queue + ISSUED)
    if n - u64(queue + DONE) >= MOST_COPIES:
        copy_done(b, now, queue)
    entry = queue + ENTRIES + n % MOST_COPIES * ENTRY
    put64(entry + TO, to)
    put64(entry + FROM_WHERE, (ANYWHERE if known else at) if valid and bad == 0 else 0)
    put64(entry + BYTES, size | site << 32)
    put64(entry + GROUP, u64(queue + GROUPS))
    put64(queue + ISSUED, n + 1)
    mark_copy(b, now, site, to, size, 0)
    if valid and bad == 0 and known == 0:
        mark_copy(b, now, site, at, size, 1)
    return bad


def copy_done(b, now, queue):
    """The oldest copy of a thread has come: it writes now."""
    n = u64(queue + DONE)
    entry = queue + ENTRIES + n % MOST_COPIES * ENTRY
    put64(queue + DONE, n + 1)
    size = u64(entry + BYTES) & 4294967295
    site = u64(entry + BYTES) >> 32
    mine = IS_COPY | now & 1023 << THREAD_SHIFT | site << SITE_SHIFT
    then = 0 if is_astray(b, now) else now | site << SITE_SHIFT
    region = b + SHARED
    off = u64(entry + TO) - u64(region + BASE)
    cell = off >> u64(region + SHIFT)
    end = (off + size - 1 >> u64(region + SHIFT)) + 1
    while cell < end:
        if u64(u64(region + WRITES) + (cell << 3)) == mine:
            put64(u64(region + WRITES) + (cell << 3), then)
            put64(u64(region + READS) + (cell << 3), 0)
            put64(u64(region + OTHERS) + (cell << 3), 0)
        cell += 1
    if u64(entry + FROM_WHERE) > ANYWHERE:
        mine = IS_SOURCE | now & 1023 << THREAD_SHIFT | site << SITE_SHIFT
        region = region_of(b, u64(entry + FROM_WHERE))
        off = u64(entry + FROM_WHERE) - u64(region + BASE)
        cell = off >> u64(region + SHIFT)
        end = (off + size - 1 >> u64(region + SHIFT)) + 1
        while cell < end:
            if u64(u64(region + OTHERS) + (cell << 3)) == mine:
                put64(u64(region + OTHERS) + (cell << 3), then)
            cell += 1
    return 0


def group_closed(b, now):
    queue = u64(b + QUEUES) + (now >> THREAD_SHIFT & 1023) * QUEUE
    put64(queue + GROUPS, u64(queue + GROUPS) + 1)
    return 0


def copies_waited(b, now, but):
    """The thread waits for its copies but those of the latest groups; with `but` all bits set for all."""
    queue = u64(b + QUEUES) + (now >> THREAD_SHIFT & 1023) * QUEUE
    while u64(queue + DONE) < u64(queue + ISSUED):
        group = u64(queue + ENTRIES + u64(queue + DONE) % MOST_COPIES * ENTRY + GROUP)
        if but != OUTSIDE and group + but >= u64(queue + GROUPS):
            break
        copy_done(b, now, queue)
    return 0


def thread_ends(b, now):
    """What it never waited for; zeros that nobody asks for do no harm."""
    queue = u64(b + QUEUES) + (now >> THREAD_SHIFT & 1023) * QUEUE
    while u64(queue + DONE) < u64(queue + ISSUED):
        entry = queue + ENTRIES + u64(queue + DONE) % MOST_COPIES * ENTRY
        if u64(entry + FROM_WHERE):
            told(b, NEVER_WAITED, now, u64(entry + BYTES) >> 32, u64(entry + TO), 0, u64(entry + BYTES) & 4294967295, 0)
        put64(queue + DONE, u64(queue + DONE) + 1)
    return 0


FUNCTIONS = (told, ordered, before_barrier, conflict, is_astray, check_cell, region_of, check_lane, owner_of, visited,
             new_phase, stamp_anew, last_waited, forget_rows, block_begins, forget_cluster, block_is_over, block_passes,
             compared, guessed, mark_copy, copy_issued, copy_done, group_closed, copies_waited, thread_ends)
