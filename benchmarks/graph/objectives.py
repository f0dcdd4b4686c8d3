r"""What each objective does with uniform batches and with those of ProSampler.

UnReMix and HCL choose among the negatives of a batch; ProSampler chooses the batch.
This study shows each alone and both together, at the defaults:

    python -m benchmarks.graph.objectives --mirror file:///path/to/archives

Runs that have finished are kept, so that it goes on where it was interrupted. The
summaries are appended to ``results/objectives.jsonl``; ``python -m
benchmarks.graph.tables`` puts them into the docs.
"""

import json
from pathlib import Path
from typing import Annotated

import typer
from tqdm import tqdm

from pyg_prosampler.build import load_for
from pyg_prosampler.compare import compare
from pyg_prosampler.config import PretrainConfig

RESULTS = Path(__file__).parent / "results" / "objectives.jsonl"
OBJECTIVES = ("infonce", "dcl", "hcl", "unremix")
SAMPLERS = ("uniform", "prosampler")
SEEDS = range(5)
# MUTAG has 188 graphs: batches of 32 leave something to choose.
BATCH_SIZES = {"MUTAG": 32, "IMDB-BINARY": 128}


def main(
    root: Annotated[str, typer.Option(help="Folder of all data sets.")] = "data",
    mirror: Annotated[str | None, typer.Option(help="Mirror of data sets.")] = None,
    out: Annotated[Path, typer.Option(help="Folder of the runs.")] = Path(
        "runs/objectives"
    ),
) -> None:
    """Run the study and append its summaries to the results."""
    summaries = []
    pairs = [(name, objective) for name in BATCH_SIZES for objective in OBJECTIVES]
    bar = tqdm(pairs, unit="pair")
    for name, objective in bar:
        bar.set_postfix_str(f"{name}, {objective}")
        config = PretrainConfig(
            name,
            root=root,
            mirror=mirror,
            objective=objective,
            batch_size=BATCH_SIZES[name],
        )
        dataset = load_for(config)
        summaries.append(
            compare(config, dataset, SAMPLERS, SEEDS, out / name / objective)
        )
    # All at once, so that the file never holds a part of a study.
    RESULTS.write_text("".join(json.dumps(summary) + "\n" for summary in summaries))


if __name__ == "__main__":
    typer.run(main)
