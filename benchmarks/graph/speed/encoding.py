r"""The embeddings of a data set, against an epoch of training.

Goal: what a single fresh pass over the data set takes, collated anew or with batches
that are kept, and what the bank takes, as shares of a training epoch of GraphCL with
uniform batches. A refresh with recomputed batch norms makes two such passes.
Non-goals: the proximity graph, which is another part; how well a bank that lags
describes the encoder.
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch_geometric.data import Batch

from benchmarks.graph.speed.timing import side_by_side
from pyg_prosampler.bank import EmbeddingBank
from pyg_prosampler.build import (
    PretrainConfig,
    build_framework,
    build_loader,
    build_objective,
    load_for,
)
from pyg_prosampler.encode import DatasetEncoder
from pyg_prosampler.modes import evaluating
from pyg_prosampler.training import pretrain

NAMES = ("MUTAG", "IMDB-BINARY", "NCI1", "REDDIT-BINARY", "COLLAB")
LARGE_BATCH_SIZE = 512


def measure(root: str, mirror: str | None) -> Iterator[dict[str, Any]]:
    for name in NAMES:
        config = PretrainConfig(name, root=root, mirror=mirror, sampler="uniform")
        yield {"case": name, **passes(config)}


def passes(config: PretrainConfig) -> dict[str, Any]:
    dataset = load_for(config)
    framework = build_framework(config, dataset)
    objective = build_objective(config)
    optimizer = torch.optim.Adam(framework.parameters(), lr=config.learning_rate)
    loader = build_loader(config, dataset, framework.embed)
    kept = DatasetEncoder(framework.embed, dataset, batch_size=config.batch_size)
    large = DatasetEncoder(framework.embed, dataset, batch_size=LARGE_BATCH_SIZE)
    anew = DatasetEncoder(
        framework.embed, dataset, batch_size=config.batch_size, max_kept_bytes=0
    )
    bank = EmbeddingBank(len(dataset))
    chosen = list(loader.batch_sampler)
    embeddings = kept()

    def plain() -> torch.Tensor:
        outputs = []
        with torch.no_grad(), evaluating(framework, torch.device("cpu")):
            for first in range(0, len(dataset), config.batch_size):
                last = min(first + config.batch_size, len(dataset))
                graphs = [dataset[i] for i in range(first, last)]
                outputs.append(framework.embed(Batch.from_data_list(graphs)))
        return torch.cat(outputs)

    def fed_bank() -> torch.Tensor:
        for batch in chosen:
            bank.update(torch.tensor(batch), embeddings[: len(batch)])
        return bank()

    def state() -> None:
        with evaluating(framework, torch.device("cpu")):
            pass

    def epoch() -> None:
        list(pretrain(framework, loader, objective, optimizer, num_epochs=1))

    ways: dict[str, Callable[[], Any]] = {
        "plain": plain,
        "anew": anew,
        "kept": kept,
        f"kept, {LARGE_BATCH_SIZE} at a time": large,
        "bank": fed_bank,
        "state": state,
        "epoch": epoch,
    }
    times = side_by_side(ways, max_seconds=40.0)
    seconds = {name: times["seconds"][name]["median"] for name in ways}
    return {
        "share_of_epoch": {name: seconds[name] / seconds["epoch"] for name in ways},
        "sampler": config.sampler,
        "num_graphs": len(dataset),
        **times,
    }
