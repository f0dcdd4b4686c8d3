r"""MVGRL whose encoders stay as they were drawn, as in its public code, where they are
no registered modules; only the MLPs behind them are trained.

Goal: whether that explains what was published where it is above ours. Same
configurations and seeds as MVGRL in the study ``mvgrl``, and the same records; what has
one is not run again. From the root of the repository:

    python -m benchmarks.graph.frozen
"""

import argparse
from dataclasses import replace
from pathlib import Path
from unittest import mock

from torch_geometric.data import InMemoryDataset
from tqdm import tqdm

from benchmarks.graph.grids import reported
from benchmarks.graph.grids.grid import Grid
from benchmarks.graph.records import put_record, read_records
from benchmarks.graph.sweep import key_of, run_once
from pyg_prosampler import MVGRL, experiment
from pyg_prosampler.build import build_framework
from pyg_prosampler.config import PretrainConfig
from pyg_prosampler.records import environment
from pyg_prosampler.training import Framework

PATH = Path(__file__).parent / "results" / "frozen.jsonl"
FROZEN = Grid(
    {"MVGRL, encoders frozen": reported.MVGRL.rows["MVGRL"]},
    reported.MVGRL_WIDE.datasets,
    reported.MVGRL.seeds,
)


def frozen_framework(config: PretrainConfig, dataset: InMemoryDataset) -> Framework:
    r"""Builds MVGRL, with the same initial weights as ever."""
    framework = build_framework(config, dataset)
    assert isinstance(framework, MVGRL)
    framework.encoder1.requires_grad_(False)
    framework.encoder2.requires_grad_(False)
    return framework


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("datasets", nargs="*", default=FROZEN.datasets)
    parser.add_argument("--root", default="data")
    parser.add_argument("--mirror")
    args = parser.parse_args()
    unknown = sorted(set(args.datasets) - set(FROZEN.datasets))
    if unknown:
        parser.error(f"`datasets` should be among {FROZEN.datasets} (got {unknown})")
    done = {key_of(record["config"]) for record in read_records(PATH)}
    left = [
        replace(config, root=args.root, mirror=args.mirror)
        for config in FROZEN
        if config.dataset in args.datasets and key_of(config.identity()) not in done
    ]
    command = environment()["command"]
    with mock.patch.object(experiment, "build_framework", frozen_framework):
        for config in tqdm(left):
            record = run_once(config) | {"frozen_encoders": True, "command": command}
            put_record(PATH, record, ["config"])


if __name__ == "__main__":
    main()
