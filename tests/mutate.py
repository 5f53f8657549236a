"""Files damaged at random, for fuzzing what reads them: the same seed gives the same files."""

from collections.abc import Iterator, Sequence
from random import Random

_EDGES = (0, 1, 0x7F, 0x80, 0xFE, 0xFF)


def mutations(files: Sequence[bytes], count: int, seed: int, header: int = 32) -> Iterator[bytes]:
    """`count` variants of the files: bytes changed, half of them among the first `header`, cut, doubled, exchanged."""
    random = Random(seed)
    for _ in range(count):
        content = bytearray(random.choice(files))
        for _ in range(random.choice((1, 1, 1, 2, 4))):
            _mutate(content, files, random, header)
        yield bytes(content)


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
