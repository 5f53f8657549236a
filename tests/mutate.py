"""Files damaged at random, for fuzzing what reads them: the same seed gives the same files."""

import re
from collections.abc import Callable, Iterator, Sequence
from random import Random

_EDGES = (0, 1, 0x7F, 0x80, 0xFE, 0xFF)


def mutations(files: Sequence[bytes], count: int, seed: int, header: int = 32,
              times: Sequence[int] = (1, 1, 1, 2, 4), fault: Callable[[bytes, Random], bytes] | None = None,
              ) -> Iterator[bytes]:
    """`count` variants of the files: bytes changed, half of them among the first `header`, cut, doubled, exchanged.

    times: how many faults one file may have. fault: one more way to damage the header, which keeps the
    form that it must have to be read.
    """
    random = Random(seed)
    for _ in range(count):
        content = bytearray(random.choice(files))
        for _ in range(random.choice(times)):
            if fault is not None and random.random() < 0.1:
                content[:header] = fault(bytes(content[:header]), random)
            else:
                _mutate(content, files, random, header)
        yield bytes(content)


def safetensors_header(content: bytes) -> int:
    """How many of a safetensors file's first bytes are its header."""
    return 8 + int.from_bytes(content[:8], "little")


def safetensors_fault(header: bytes, random: Random) -> bytes:
    """A number or a word of the header exchanged for another of the same length, so that it is still read."""
    size, text = header[:8], header[8:]
    found = [match.span() for match in re.finditer(rb"\d+|[A-Z]+\d*|[a-z_]+", text)]
    if not found:
        return header
    start, end = random.choice(found)
    same = [text[slice(*other)] for other in found if other[1] - other[0] == end - start]
    new = random.choice(same) if random.random() < 0.5 else bytes(random.choices(b"0123456789", k=end - start))
    return size + text[:start] + new + text[end:]


def _mutate(content: bytearray, files: Sequence[bytes], random: Random, header: int) -> None:
    size = len(content)
    place = random.randrange(min(header, size) if random.random() < 0.5 else size) if size else 0
    length = random.choice((1, 2, 4, 16))
    match random.randrange(8):
        case 0:
            content[place : place + 1] = bytes([random.randrange(256)])
        case 1:
            content[place : place + 1] = bytes([random.choice(_EDGES)])
        case 2:  # a number of four bytes, of either order
            value = random.choice((0, 1, 2**16, 2**31 - 1, 2**31, 2**32 - 1, random.randrange(2**32)))
            content[place : place + 4] = value.to_bytes(4, random.choice(("big", "little")))
        case 3:
            del content[place:]
        case 4:
            del content[place : place + length]
        case 5:
            content[place:place] = content[place : place + length]
        case 6:
            content[place:place] = random.randbytes(length)
        case 7:
            other = random.choice(files)
            content[place:] = other[place:]
