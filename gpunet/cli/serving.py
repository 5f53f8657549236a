"""`--serve`: the running curves on a web page of this machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from gpunet.cli.common import UserError

if TYPE_CHECKING:
    from gpunet.train import LiveView


class _Port(click.IntRange):
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if not str(value).isdecimal():
            self.fail(f"{value!r} is no port; write a number behind --serve, or --serve behind all other arguments.",
                      param, ctx)
        return super().convert(value, param, ctx)


serve_option = click.option("--serve", type=_Port(0, 65535), is_flag=False, flag_value="0", metavar="[PORT]",
                            show_default="no page", help="Show the running curves on a web page, for this machine "
                            "alone; on any free port, or on this one.")


@contextmanager
def serving(port: int | None) -> Iterator[LiveView | None]:
    """The page, if there is to be one; opened before training begins, so that a port in use stops nothing halfway."""
    if port is None:
        yield None
        return
    from gpunet.train import LiveView

    try:
        live = LiveView(port, announce=False)
    except OSError as error:
        raise UserError(f"{str(error.strerror).removeprefix('LiveView: ').rstrip('.')}.") from error
    try:
        click.echo(f"Live view: {live.url}")
        yield live
    finally:
        live.close()
