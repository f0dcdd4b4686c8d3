r"""Runs with a change that no option of a configuration makes."""

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from unittest import mock

from torch_geometric.data import InMemoryDataset
from tqdm import tqdm

from benchmarks.graph.grids.grid import Grid
from benchmarks.graph.records import Record, put_record, read_records
from benchmarks.graph.sweep import key_of, run_once
from pyg_prosampler import experiment
from pyg_prosampler.config import PretrainConfig
from pyg_prosampler.records import environment
from pyg_prosampler.training import Framework


def run_variant(
    grid: Grid,
    path: Path,
    build: Callable[[PretrainConfig, InMemoryDataset], Framework],
    mark: Record,
    description: str | None,
) -> None:
    r"""The command line of such a study. What has a record is not run again.

    Args:
        grid (Grid): Its runs, but for the change.
        path (Path): The file of its records.
        build (Callable): Builds the framework with the change made.
        mark (dict): What tells its records from those without the change.
        description (str, optional): Of the study.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("datasets", nargs="*", default=grid.datasets)
    parser.add_argument("--root", default="data")
    parser.add_argument("--mirror")
    args = parser.parse_args()
    unknown = sorted(set(args.datasets) - set(grid.datasets))
    if unknown:
        parser.error(f"`datasets` should be among {grid.datasets} (got {unknown})")
    done = {key_of(record["config"]) for record in read_records(path)}
    left = [
        replace(config, root=args.root, mirror=args.mirror)
        for config in grid
        if config.dataset in args.datasets and key_of(config.identity()) not in done
    ]
    command = environment()["command"]
    with mock.patch.object(experiment, "build_framework", build):
        for config in tqdm(left):
            put_record(path, run_once(config) | mark | {"command": command}, ["config"])
