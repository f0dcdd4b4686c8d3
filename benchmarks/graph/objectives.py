r"""What each objective does with uniform batches and with those of ProSampler.

UnReMix and HCL choose among the negatives of a batch; ProSampler chooses the batch.
This study shows each alone and both together, at the defaults:

    python -m benchmarks.graph.objectives --mirror file:///path/to/archives

It goes on where it was interrupted. ``python -m benchmarks.graph.tables`` puts its
table into the docs.
"""

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.graph.study import study
from pyg_prosampler.config import PretrainConfig

OBJECTIVES = ("infonce", "dcl", "hcl", "unremix")
# MUTAG has 188 graphs: batches of 32 leave something to choose.
BATCH_SIZES = {"MUTAG": 32, "IMDB-BINARY": 128}


def main(
    root: Annotated[str, typer.Option(help="Folder of all data sets.")] = "data",
    mirror: Annotated[str | None, typer.Option(help="Mirror of data sets.")] = None,
    out: Annotated[Path, typer.Option(help="Folder of the runs.")] = Path(
        "runs/objectives"
    ),
) -> None:
    """Run the study and write its summaries."""
    configs = [
        PretrainConfig(
            name, root=root, mirror=mirror, objective=objective, batch_size=batch_size
        )
        for name, batch_size in BATCH_SIZES.items()
        for objective in OBJECTIVES
    ]
    study("objectives", configs, ("uniform", "prosampler"), range(5), out)


if __name__ == "__main__":
    typer.run(main)
