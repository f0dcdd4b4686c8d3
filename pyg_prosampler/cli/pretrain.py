r"""``prosampler pretrain``"""

from dataclasses import replace
from typing import Any

from pyg_prosampler.build import load_for
from pyg_prosampler.cli.options import (
    Out,
    Seeds,
    Verbose,
    default_folder,
    parse_seeds,
    takes_config,
)
from pyg_prosampler.cli.progress import Bars
from pyg_prosampler.cli.report import announced, console, describe, reported_errors
from pyg_prosampler.config import PretrainConfig
from pyg_prosampler.experiment import run
from pyg_prosampler.records import RunFolder


@takes_config("seed")
def pretrain(
    values: dict[str, Any],
    seeds: Seeds = "0",
    out: Out = None,
    verbose: Verbose = False,
) -> None:
    """Pre-train an encoder and evaluate its frozen embeddings.

    Leaves one run folder for each seed: config.json, records.jsonl (a line for
    every epoch and evaluation), checkpoint.pt and embeddings.pt.
    """
    with reported_errors(verbose):
        config = PretrainConfig(**values)
        all_seeds = parse_seeds(seeds)
        dataset = announced(load_for(config))
        folder = out or default_folder("pretrain", config.dataset)
        for seed in all_seeds:
            one = replace(config, seed=seed)
            path = folder / f"seed{seed}"
            with Bars(dataset) as bars:
                run(one, dataset, path, on_step=bars.begin(one)["on_step"])
            for record in RunFolder(path).read_records():
                if record["type"] == "evaluation":
                    console.print(
                        f"seed {seed}, {record['stage']}: {describe(record)}",
                        highlight=False,
                    )
        console.print(f"Run folder: {folder}", highlight=False)
