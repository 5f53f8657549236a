"""The table of launches, library calls, copies and waits of a training step (steps.txt) holds."""

from tests.cuda_host.inside import steps


def test_a_training_step_asks_the_driver_for_what_the_table_says():
    found = steps.table([steps.row(name) for name in steps.ROWS])
    assert found == steps.FILE.read_text(), (
        f"{steps.FILE.name} does not say what a training step does now:\n{found}\nIf the change is meant (fewer is "
        "better), write it with: python -m tests.cuda_host -m tests.cuda_host.inside.steps --write")
