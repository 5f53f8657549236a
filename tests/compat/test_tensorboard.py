"""SummaryWriter: tensorboardX's, given our tensors; without that package one sentence."""

import subprocess
import sys

import pytest

import gpunet
from tests.compat.names import ROOT


def test_without_the_package():
    program = ("import sys; sys.modules['tensorboardX'] = None\nimport gpunet.utils.tensorboard\n"
               "try:\n    from gpunet.utils.tensorboard import SummaryWriter\n"
               "except ImportError as error:\n    print(error)")
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == ("utils.tensorboard: SummaryWriter needs the package tensorboardX: "
                                   "pip install tensorboardX"), done.stderr


def test_what_is_written_is_read(tmp_path):
    pytest.importorskip("tensorboardX")
    from gpunet.utils.tensorboard.writer import SummaryWriter as Same
    from tensorboardX.proto.event_pb2 import Event

    from gpunet.utils.tensorboard import SummaryWriter

    assert SummaryWriter is Same
    with SummaryWriter(log_dir=str(tmp_path)) as writer:
        writer.add_scalar("loss", gpunet.tensor(0.25, requires_grad=True), 3)
        writer.add_histogram("weights", gpunet.arange(10.0), 3)
        writer.add_image("image", gpunet.rand(3, 4, 5), 3)
        with pytest.raises(NotImplementedError, match="does not trace models"):
            writer.add_graph(gpunet.nn.Linear(1, 1))
    (file,) = tmp_path.glob("events*")
    content, values = file.read_bytes(), {}
    while content:  # records: length, its checksum, an event, its checksum
        length = int.from_bytes(content[:8], "little")
        values |= {value.tag: value for value in Event.FromString(content[12:12 + length]).summary.value}
        content = content[16 + length:]
    assert values["loss"].simple_value == 0.25 and values["weights"].histo.num == 10
    assert (values["image"].image.height, values["image"].image.width) == (4, 5)
