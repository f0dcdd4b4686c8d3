r"""``prosampler inspect``"""

from pathlib import Path
from typing import Annotated

import typer

from pyg_prosampler.cli.options import Verbose
from pyg_prosampler.cli.report import console, reported_errors
from pyg_prosampler.figures import FIGURES, draw_runs


def inspect(
    path: Annotated[
        Path, typer.Argument(help="Folder that compare or pretrain has left.")
    ],
    out: Annotated[
        Path | None, typer.Option(help="Folder of the figures (default: PATH/figures).")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of what is drawn at random.")] = 0,
    only: Annotated[
        str | None,
        typer.Option(help=f"Some of {','.join(FIGURES)} (default: all of them)."),
    ] = None,
    verbose: Verbose = False,
) -> None:
    """Draw what the batches of finished runs are made of.

    Saves each figure as PNG and SVG: false negatives by epoch; similarity of pairs in
    a batch; hardness and false negatives over the plane of candidates and restart
    probability; hardness by position in the epoch; a walk on the map of embeddings.
    """
    with reported_errors(verbose):
        names = None if only is None else [name.strip() for name in only.split(",")]
        for saved in draw_runs(path, out or path / "figures", seed, names):
            console.print(f"Saved {saved}", highlight=False, soft_wrap=True)
