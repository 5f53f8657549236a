"""PyTorch's files made by hand, without PyTorch: also such as PyTorch would not write."""

from __future__ import annotations

import io
import pickle
import struct
import tarfile
import zipfile

import numpy as np

FOUR = np.arange(4, dtype="<f4").tobytes()


def value(x) -> bytes:
    """The instructions that push a plain value."""
    return pickle.dumps(x, 2)[2:-1]


def name(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()


def storage(key="0", count=4, kind="FloatStorage", location="cpu", more=b"") -> bytes:
    about = value("storage") + name("torch", kind) + value(key) + value(location) + value(count) + more
    return b"(" + about + b"tQ"


def tensor(offset=0, size=(4,), stride=(1,), of=None, function="_rebuild_tensor_v2") -> bytes:
    arguments = (of or storage()) + value(offset) + value(size) + value(stride) + b"\x89"
    return name("torch._utils", function) + b"(" + arguments + name("collections", "OrderedDict") + b")R" + b"tR"


def whole(body: bytes, protocol: int = 2) -> bytes:
    return b"\x80" + bytes([protocol]) + body + b"."


def zipped(body: bytes, members: dict | None = None, root: str = "archive", compress=zipfile.ZIP_STORED) -> bytes:
    """The zip format. members: beside data.pkl; by default one storage of four floats."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compress) as archive:
        archive.writestr(f"{root}/data.pkl", whole(body))
        for key, content in ({"data/0": FOUR} if members is None else members).items():
            archive.writestr(f"{root}/{key}" if not key.startswith("=") else key[1:], content)
        archive.writestr(f"{root}/version", b"3\n")
    return file.getvalue()


def legacy(body: bytes, keys=("0",), contents=(FOUR,), itemsize: int = 4) -> bytes:
    """The format before 1.6."""
    head = [0x1950A86A20F9469CFC6C, 1001, {"protocol_version": 1001, "little_endian": True, "type_sizes": {}}]
    parts = [*(pickle.dumps(each, 2) for each in head), whole(body), pickle.dumps(list(keys), 2)]
    for content in contents:
        parts += [struct.pack("<q", len(content) // itemsize), content]
    return b"".join(parts)


def tarred(storages: bytes, tensors: bytes, state: bytes, names=("storages", "tensors", "pickle")) -> bytes:
    """The format of the first months."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for member, content in zip(names, (storages, tensors, state), strict=True):
            info = tarfile.TarInfo(member)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return file.getvalue()


def old_state(size=(2, 2), stride=(1, 2), offset=0, view=(3, 1, 2, 4)) -> bytes:
    """{"w": four of six floats, "n": 7} in a tar archive."""
    floats = whole(b"(" + value(1) + value("cpu") + name("torch", "FloatStorage") + b"t") + struct.pack("<q", 6)
    numbers = whole(b"(" + value(2) + value("cpu") + name("torch", "LongStorage") + b"t") + struct.pack("<qq", 1, 7)
    storages = [pickle.dumps(2, 2), floats, np.arange(6, dtype="<f4").tobytes(), numbers, pickle.dumps([view], 2)]
    tensors = [pickle.dumps(2, 2)]
    for number, place, kind, sizes in ((10, view[0], "Float", (*size, *stride, offset)), (11, 2, "Long", (1, 1, 0))):
        tensors.append(whole(b"(" + value(number) + value(place) + name("torch", f"{kind}Tensor") + b"t"))
        tensors.append(struct.pack(f"<i4x{len(sizes)}q", len(sizes) // 2, *sizes))
    state = b"}(" + value("w") + value(10) + b"Q" + value("n") + value(11) + b"Q" + b"u"
    return tarred(b"".join(storages), b"".join(tensors), whole(state))
