r"""All batch policies side by side, with GraphCL and InfoNCE at the defaults:

    python -m benchmarks.graph.policies --mirror file:///path/to/archives

It goes on where it was interrupted. ``python -m benchmarks.graph.tables`` puts its
table into the docs.
"""

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.graph.study import study
from pyg_prosampler.config import SAMPLERS, PretrainConfig

# MUTAG has 188 graphs: batches of 32 leave something to choose.
BATCH_SIZES = {"MUTAG": 32, "IMDB-BINARY": 128, "PROTEINS": 128}


def main(
    root: Annotated[str, typer.Option(help="Folder of all data sets.")] = "data",
    mirror: Annotated[str | None, typer.Option(help="Mirror of data sets.")] = None,
    out: Annotated[Path, typer.Option(help="Folder of the runs.")] = Path(
        "runs/policies"
    ),
) -> None:
    """Run the study and write its summaries."""
    configs = [
        PretrainConfig(name, root=root, mirror=mirror, batch_size=batch_size)
        for name, batch_size in BATCH_SIZES.items()
    ]
    study("policies", configs, SAMPLERS, range(5), out)


if __name__ == "__main__":
    typer.run(main)
