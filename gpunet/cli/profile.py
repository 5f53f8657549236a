"""`gpunet profile`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from gpunet.cli.common import COUNT, UserError, counted, device_option, open_device, waiting
from gpunet.cli.model_or_run import Form, input_option, is_run, named_model, shapes_in_words, zeros

_WARM_UP = 2  # steps that are not measured: they compile kernels and make the optimizer's state


@click.command()
@click.argument("target", metavar="MODEL-OR-RUN")
@input_option
@click.option("--steps", type=COUNT, metavar="N", default=5, help="Training steps to measure, after two that are not.")
@click.option("--batch-size", type=COUNT, metavar="N", show_default="the run's, or 8", help="Examples in a step.")
@click.option("--trace", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Write a trace for chrome://tracing or ui.perfetto.dev; compressed if the name ends in .gz.")
@click.option("--rows", type=COUNT, metavar="N", default=20, help="Rows of each table.")
@device_option
def profile(target: str, inputs: tuple[Form, ...], steps: int, batch_size: int | None, trace: Path | None, rows: int,
            device: str) -> None:
    """Measure training steps: the time of each operation and of each module, forward and backward.

    MODEL-OR-RUN is the folder of a run that `gpunet train` has written, which is measured on its own training data and
    stays as it is; or the name of a model, such as resnet18, which is measured on zeros of the shape --input. On a GPU
    the time is that of the GPU, and the same names appear as ranges in NVIDIA's Nsight Systems.
    """
    from gpunet import profiler

    if is_run(target):
        if inputs:
            raise click.UsageError("--input cannot be given for a run, whose inputs are known.")
        train = _steps_of_run(Path(target), batch_size, device)
    else:
        if not inputs:
            named_model_or_error(target)
            raise click.UsageError("Missing option '--input': the shape of an input without the batch, such as "
                                   "3,224,224.")
        train = _steps_of_model(target, inputs, batch_size or 8, device)
    with waiting("Measuring"):
        train(_WARM_UP)
        with profiler.profile() as found:
            train(steps)
    if trace is not None:
        found.export_chrome_trace(trace)
    events = found.events()
    first, last = min(each.start for each in events), max(each.end for each in events)
    milliseconds = (last - first) / 1e6
    click.echo(f"{counted(steps, 'training step')} in {milliseconds:.1f} ms: {milliseconds / steps:.2f} ms each, with "
               "the measuring\n")
    click.echo(found.by_op().table(row_limit=rows))
    click.echo(found.by_module().table(row_limit=rows), nl=trace is not None)
    if trace is not None:
        click.echo(f"Trace: {trace} (open it in chrome://tracing or ui.perfetto.dev)")


def named_model_or_error(name: str) -> None:
    """A UserError if there is no such model."""
    import gpunet

    with gpunet.device("meta"):
        named_model(name)


def _steps_of_run(folder: Path, batch_size: int | None, device: str) -> Callable[[int], None]:
    """A function that trains for a number of steps, on the run's data."""
    from gpunet import optim
    from gpunet.data import DataLoader
    from gpunet.train import Callback, load_run

    class Stop(Callback):
        """Ends training after a number of batches."""

        def __init__(self, batches: int) -> None:
            self.left = batches

        def on_batch_end(self, trainer: Any, progress: Any) -> None:
            self.left -= 1
            if not self.left:
                trainer.stop(pause=True)

    run = load_run(folder, open_device(device))
    settings = {name: value for part in run.config.values() if isinstance(part, dict) for name, value in part.items()}
    loader = DataLoader(run.data("train"), batch_size or settings["batch_size"], shuffle=True)
    trainer = run.trainer
    trainer.optimizer = optim.Adam(trainer.model.parameters())

    def train(steps: int) -> None:
        trainer.fit(loader, epochs=10**9, callbacks=[Stop(steps)])

    return train


def _steps_of_model(name: str, inputs: tuple[Form, ...], batch_size: int, device: str) -> Callable[[int], None]:
    """A function that trains for a number of steps, on zeros towards outputs of 0."""
    from gpunet import optim
    from gpunet.models._summary import tensors_in

    device = open_device(device)
    model = named_model(name).to(device)
    arguments = zeros(inputs, batch_size, device)
    optimizer = optim.Adam(model.parameters())

    def train(steps: int) -> None:
        for _ in range(steps):
            try:
                outputs = model(*arguments)
            except (RuntimeError, ValueError, TypeError, IndexError) as error:
                raise UserError(f"{name} cannot take inputs of shape {shapes_in_words(arguments)}: "
                                f"{str(error).rstrip('.')}; give other ones by --input.") from error
            optimizer.zero_grad()
            next(tensors_in(outputs)).float().square().mean().backward()
            optimizer.step()

    return train
