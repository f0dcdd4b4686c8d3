r"""The ``prosampler`` command."""

import typer

from pyg_prosampler.cli.compare import compare
from pyg_prosampler.cli.evaluate import evaluate
from pyg_prosampler.cli.inspect import inspect
from pyg_prosampler.cli.pretrain import pretrain

app = typer.Typer(
    help="Hard batches for contrastive pre-training on graphs.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for command in (pretrain, compare, evaluate, inspect):
    app.command()(command)


def main() -> None:
    r"""Runs the command line."""
    app()
