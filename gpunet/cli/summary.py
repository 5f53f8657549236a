"""`gpunet summary`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from gpunet.cli.common import COUNT, UserError
from gpunet.cli.model_or_run import Form, input_option, is_run, named_model, shapes_in_words, zeros


@click.command()
@click.argument("target", metavar="MODEL-OR-RUN")
@input_option
@click.option("--batch-size", type=COUNT, metavar="N", default=1, help="Examples in the batch whose shapes are shown.")
@click.option("--depth", type=COUNT, metavar="N", show_default="all", help="How deep the table goes; 1: the parts of "
              "the model.")
@click.option("--json", "as_json", is_flag=True, help="Print an object.")
def summary(target: str, inputs: tuple[Form, ...], batch_size: int, depth: int | None, as_json: bool) -> None:
    """Show the layers, output shapes, parameters and bytes of a model.

    MODEL-OR-RUN is the name of a model, such as resnet18, whose shapes --input makes known; or the folder of a run that
    `gpunet train` has written. Nothing is computed, so the largest models take no time.
    """
    import gpunet
    from gpunet import models

    if is_run(target):
        if inputs:
            raise click.UsageError("--input cannot be given for a run, whose inputs are known.")
        from gpunet.train import load_run

        run = load_run(Path(target))
        found = models.summary(run.model, input_data=run.example_input(batch_size), depth=depth)
    else:
        with gpunet.device("meta"):
            model = named_model(target)
            arguments = zeros(inputs, batch_size, "meta")
            try:
                found = models.summary(model, input_data=tuple(arguments) if arguments else None, depth=depth)
            except (RuntimeError, ValueError, TypeError, IndexError, NotImplementedError) as error:
                raise UserError(f"{target} cannot take inputs of shape {shapes_in_words(arguments)}: "
                                f"{str(error).rstrip('.')}; give other ones by --input.") from error
    if as_json:
        totals = {"parameters": found.parameters, "trainable": found.trainable, "bytes": found.bytes,
                  "output_bytes": found.output_bytes}
        click.echo(json.dumps({**totals, "layers": [asdict(layer) for layer in found.rows()]}, indent=2))
        return
    click.echo(str(found))
