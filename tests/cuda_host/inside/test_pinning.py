"""The DataLoader's pinned memory, as CuPy gives it."""

import cupy

import gpunet
from gpunet.data import DataLoader, TensorDataset


def owners(array):
    while array is not None:
        yield type(array)
        array = array.obj if isinstance(array, memoryview) else getattr(array, "base", None)


def test_batches_lie_in_pinned_memory():
    dataset = TensorDataset(gpunet.arange(6), gpunet.ones(6, 2, dtype=gpunet.bfloat16), gpunet.ones(6, 0))
    for number, batch in enumerate(DataLoader(dataset, 2, pin_memory=True)):
        assert batch[0].tolist() == [2 * number, 2 * number + 1] and batch[1].dtype == gpunet.bfloat16
        assert all(cupy.cuda.PinnedMemoryPointer in owners(each._array) for each in batch[:2])
        assert batch[0].to("cuda").device.type == "cuda"
