"""The MLP's training step against PyTorch's."""

from bench import training
from bench.measure import told_clock


def pytest_generate_tests(metafunc):
    metafunc.parametrize("batch", training.BATCHES[:1] if metafunc.config.getoption("--quick") else training.BATCHES)


def test_step(batch, request, race, quick):
    option = request.config.getoption
    small = {"sizes": (64, 32, 10), "seconds": 0.01} if quick else {}
    with training.contest(option("--device"), batch, threads=option("--threads"), compiled=option("--compiled"),
                          **small) as ready:
        race("training step", ready.name, ready.works, told_clock, ours="gpunet compiled", amounts=ready.amounts,
             errors=ready.errors, notes=ready.notes)
