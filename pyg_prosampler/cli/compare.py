r"""``prosampler compare``"""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from torch_geometric.data import InMemoryDataset

from pyg_prosampler.build import build_loader, load_for
from pyg_prosampler.cli.options import (
    Out,
    Seeds,
    Verbose,
    default_folder,
    parse_seeds,
    takes_config,
)
from pyg_prosampler.cli.progress import Bars
from pyg_prosampler.cli.report import announced, console, reported_errors
from pyg_prosampler.compare import compare as compare_samplers
from pyg_prosampler.compare import describe_comparison, run_path, to_table
from pyg_prosampler.config import PretrainConfig
from pyg_prosampler.figures import draw_batches
from pyg_prosampler.records import RunFolder

_NAMES = {"graphcl": "GraphCL", "mvgrl": "MVGRL"}


@takes_config("seed", "sampler")
def compare(
    values: dict[str, Any],
    samplers: Annotated[
        str, typer.Option(help="Samplers, separated by commas.")
    ] = "uniform,prosampler",
    seeds: Seeds = "0,1,2",
    out: Out = None,
    verbose: Verbose = False,
) -> None:
    """Pre-train with several samplers side by side and print a table.

    All samplers have the same seeds, the same initial weights and the same number
    of steps. With the same --out again, finished runs are kept and the rest is run.
    """
    with reported_errors(verbose):
        names = [name.strip() for name in samplers.split(",")]
        config = PretrainConfig(**values, sampler=names[0])
        for name in names:
            replace(config, sampler=name)
        all_seeds = parse_seeds(seeds)
        dataset = announced(load_for(config))
        folder = out or default_folder("compare", config.dataset)
        console.print(f"Run folder: {folder}", highlight=False)
        with Bars(dataset) as bars:
            summary = compare_samplers(
                config, dataset, names, all_seeds, folder, on_run=bars.begin
            )
        console.print()
        floor = summary["false_negative_floor"]
        console.print(to_table(summary["rows"], describe_comparison(summary), floor))
        if "prosampler" in names:
            picture = folder / "embeddings.png"
            draw(config, dataset, folder, all_seeds[0], picture)
            console.print(f"Picture of two batches: {picture}", highlight=False)


def draw(
    config: PretrainConfig,
    dataset: InMemoryDataset,
    folder: Path,
    seed: int,
    picture: Path,
) -> None:
    r"""Draws the embeddings of a comparison's ProSampler run."""
    config = replace(config, sampler="prosampler", seed=seed)
    framework = _NAMES[config.framework]
    saved = RunFolder(run_path(folder, "prosampler", seed)).load("embeddings.pt")
    sampler = build_loader(config, dataset, lambda batch: batch.y).batch_sampler
    draw_batches(
        saved["embeddings"],
        saved["labels"],
        sampler.policy,
        config.num_epochs - 1,
        config.batch_size,
        seed,
        picture,
        f"{config.dataset} after {config.num_epochs} epochs of {framework}",
    )
