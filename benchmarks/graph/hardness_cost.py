r"""What measuring batches adds to pre-training.

Goal: the share of training time that :class:`HardnessMonitor` takes, at defaults.
Non-goal: what the similarity of uniform batches costs, which are not drawn by
embeddings: an encoding pass in every such epoch, which is not training time.

Runs alternate with and without the monitor; the first pair warms up. Times of whole
runs are noisy on a shared machine, so the record holds the seconds that the monitor
has clocked itself, too. From the root of the repository:

    python -m benchmarks.graph.hardness_cost IMDB-BINARY MUTAG
"""

import argparse
import time
from pathlib import Path
from statistics import median
from typing import Any
from unittest import mock

import torch
from torch import Tensor

from benchmarks.graph.records import put_record
from pyg_prosampler import training
from pyg_prosampler.build import (
    build_framework,
    build_loader,
    build_objective,
    load_for,
)
from pyg_prosampler.config import PretrainConfig
from pyg_prosampler.records import environment

RESULTS = Path(__file__).parent / "results"


class NoMonitor:
    r"""Measures nothing."""

    def __init__(self, num_graphs: int, **kwargs: Any) -> None: ...

    def measure_on(self, embeddings: Tensor) -> None: ...

    def step(self, graph_id: Tensor, labels: Tensor | None = None) -> None: ...

    def end_epoch(self, epoch: int, is_warmup: bool = False) -> dict[str, Any]:
        return {"hardness_seconds": 0.0}


def train(config: PretrainConfig, dataset: Any, with_monitor: bool) -> tuple[Any, ...]:
    r"""Returns the seconds of a run and those that its monitor has clocked."""
    framework = build_framework(config, dataset)
    loader = build_loader(config, dataset, framework.embed)
    optimizer = torch.optim.Adam(framework.parameters(), lr=config.learning_rate)
    monitor = training.HardnessMonitor if with_monitor else NoMonitor
    with mock.patch.object(training, "HardnessMonitor", monitor):
        began = time.perf_counter()
        epochs = list(
            training.pretrain(
                framework,
                loader,
                build_objective(config),
                optimizer,
                config.num_epochs,
                device=config.device,
            )
        )
        seconds = time.perf_counter() - began
    return seconds, sum(epoch["hardness_seconds"] for epoch in epochs)


def measure(config: PretrainConfig, num_pairs: int) -> dict[str, Any]:
    r"""Alternates runs with and without the monitor."""
    dataset = load_for(config)
    pairs, shares, epoch_ms = [], [], []
    for index in range(num_pairs + 1):
        order = (True, False) if index % 2 else (False, True)
        seconds = {on: train(config, dataset, on) for on in order}
        if index == 0:
            continue
        pairs.append((seconds[True][0], seconds[False][0]))
        shares.append(seconds[True][1] / seconds[False][0])
        epoch_ms.append(1e3 * seconds[True][1] / config.num_epochs)
    return {
        "dataset": config.dataset,
        "sampler": config.sampler,
        "batch_size": config.batch_size,
        "num_epochs": config.num_epochs,
        "num_pairs": num_pairs,
        "median_seconds_with": median(on for on, _ in pairs),
        "median_seconds_without": median(off for _, off in pairs),
        "median_ratio": median(on / off for on, off in pairs),
        "median_monitor_share": median(shares),
        "monitor_ms_per_epoch": median(epoch_ms),
        "pairs": pairs,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("datasets", nargs="*", default=["IMDB-BINARY", "MUTAG"])
    parser.add_argument("--root", default="data")
    parser.add_argument("--mirror")
    parser.add_argument("--sampler", default="prosampler")
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--num-epochs", type=int, default=20)
    parser.add_argument("--num-pairs", type=int, default=9)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--out", type=Path, default=RESULTS / "hardness_cost.jsonl")
    args = parser.parse_args()
    torch.set_num_threads(1)
    for name in args.datasets:
        config = PretrainConfig(
            dataset=name,
            root=args.root,
            mirror=args.mirror,
            sampler=args.sampler,
            batch_size=args.batch_size,
            num_epochs=args.num_epochs,
            # Training is quicker so, and the share of the monitor the larger.
            recompute_norms=False,
            device=args.device,
        )
        record = measure(config, args.num_pairs)
        print(
            f"{name}, {config.sampler}: {record['median_seconds_with']:.3f} s with, "
            f"{record['median_seconds_without']:.3f} s without the monitor "
            f"(median of ratios {record['median_ratio']:.4f}); the monitor's own "
            f"clock: {record['median_monitor_share']:.2%} of training, "
            f"{record['monitor_ms_per_epoch']:.2f} ms per epoch"
        )
        which = ("dataset", "sampler", "batch_size", "num_epochs")
        put_record(args.out, record | environment(args.device), which)


if __name__ == "__main__":
    main()
