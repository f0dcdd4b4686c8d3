r"""What run folders say about batches: the data behind ``prosampler inspect``."""

from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from itertools import chain, count, islice, pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy.spatial.distance import pdist
from sklearn.decomposition import PCA
from torch import Generator, Tensor
from torch_geometric.data import Data

from pyg_prosampler.build import build_loader
from pyg_prosampler.config import SAMPLERS, PretrainConfig
from pyg_prosampler.hardness import (
    false_negative_rate,
    mean_similarity,
    uniform_floor,
)
from pyg_prosampler.hardness.measures import pair_similarities
from pyg_prosampler.policies import RandomWalkPolicy
from pyg_prosampler.policies.base import unit_rows
from pyg_prosampler.proximity import proximity_graph
from pyg_prosampler.records import RunFolder
from pyg_prosampler.sampler import ProSampler
from pyg_prosampler.walk import random_walk_with_restart


class Run(NamedTuple):
    r"""A run as its folder has it."""

    folder: RunFolder
    config: PretrainConfig
    epochs: list[dict[str, Any]]


def find_runs(path: Path | str) -> list[Run]:
    r"""Reads the runs in a folder: that of one run, or one that
    ``prosampler compare`` or ``prosampler pretrain`` has left, by sampler and seed.

    Raises:
        FileNotFoundError: If there is no run with a finished epoch.
        ValueError: If the runs are on several data sets.
    """
    path = Path(path)
    if not path.is_dir():
        raise FileNotFoundError(
            f"'{path}' is not a folder; name one that `prosampler compare` or "
            f"`prosampler pretrain` has left"
        )
    runs = []
    for records in sorted(path.rglob("records.jsonl")):
        folder = RunFolder(records.parent)
        epochs = [r for r in folder.read_records() if r["type"] == "epoch"]
        if epochs:
            runs.append(Run(folder, _read_config(folder), epochs))
    if not runs:
        raise FileNotFoundError(
            f"'{path}' holds no run with a finished epoch; name a folder that "
            f"`prosampler compare` or `prosampler pretrain` has left"
        )
    names = sorted({run.config.dataset for run in runs})
    if len(names) > 1:
        raise ValueError(
            f"'{path}' holds runs on several data sets ({', '.join(names)}); name the "
            f"folder of one of them"
        )
    return sorted(
        runs, key=lambda run: (SAMPLERS.index(run.config.sampler), run.config.seed)
    )


def load_embeddings(runs: Sequence[Run]) -> tuple[Run, Tensor, Tensor | None]:
    r"""Returns a run that has left embeddings, if possible of ProSampler, its
    embeddings :math:`[N, d]` and its labels :math:`[N]`.

    Raises:
        FileNotFoundError: If no run has.
    """
    finished = [run for run in runs if (run.folder.path / "embeddings.pt").exists()]
    # If no run has finished, the first one will tell.
    ranked = sorted(finished or runs, key=lambda r: r.config.sampler != "prosampler")
    saved = ranked[0].folder.load("embeddings.pt")
    return ranked[0], saved["embeddings"], saved.get("labels")


def false_negatives(runs: Sequence[Run]) -> dict[str, Any]:
    r"""Gathers the false-negative rate by epoch.

    Returns:
        dict: :obj:`rates`, for every sampler the rates
        :math:`[\mathrm{seeds}, \mathrm{epochs}]` of as many epochs as all of its
        seeds have finished, :obj:`floor`, that of uniform batches or :obj:`None`,
        and :obj:`num_warmup`, the number of warm-up epochs.

    Raises:
        ValueError: If graphs have no labels.
    """
    rates: dict[str, list[list[float]]] = {}
    floor = None
    for run in runs:
        values = [epoch["false_negative_rate"] for epoch in run.epochs]
        if None in values:
            raise ValueError(
                f"'{run.folder.path}' has no false-negative rates, since its graphs "
                f"have no labels; leave out this figure by `--only`"
            )
        rates.setdefault(run.config.sampler, []).append(values)
        if (run.folder.path / "embeddings.pt").exists():
            floor = uniform_floor(run.folder.load("embeddings.pt")["labels"])
    return {
        "floor": floor,
        "num_warmup": max(sum(epoch["warmup"] for epoch in run.epochs) for run in runs),
        "rates": {
            sampler: np.array([row[: min(map(len, rows))] for row in rows])
            for sampler, rows in rates.items()
        },
    }


def batches_of_policies(
    runs: Sequence[Run], embeddings: Tensor, seed: int, num_epochs: int | None = None
) -> dict[str, Any]:
    r"""Draws epochs by the policy of every sampler, as in the last epoch of its run,
    and by uniform batches, all on the same embeddings :math:`[N, d]`: by default, as
    many epochs as make 600 batches, but 100 at most.

    Returns:
        dict: :obj:`pairs`, for every sampler the similarities of all pairs that
        share a batch, of the first batches drawn if there are millions of them;
        :obj:`by_position`, the mean similarity of the batches
        :math:`[\mathrm{num\_epochs}, \mathrm{batches}]` (:obj:`nan` for a
        batch of one); and :obj:`floor`, that of all pairs.
    """
    configs = {run.config.sampler: run.config for run in reversed(runs)}
    uniform = replace(runs[0].config, sampler="uniform")
    samplers = {"uniform": uniform} | dict(reversed(configs.items()))
    vectors = unit_rows(embeddings)
    if num_epochs is None:
        num_batches = -(-embeddings.size(0) // uniform.batch_size)
        num_epochs = min(100, -(-600 // num_batches))
    pairs, by_position = {}, {}
    for name, config in samplers.items():
        epochs = [
            [torch.tensor(batch) for batch in _sampler_of(config, vectors, seed + draw)]
            for draw in range(num_epochs)
        ]
        pairs[name] = np.concatenate(
            list(_enough(pair_similarities(vectors[b]) for b in chain(*epochs)))
        )
        by_position[name] = np.array(
            [
                [
                    mean_similarity(vectors[batch]) if batch.numel() > 1 else np.nan
                    for batch in epoch
                ]
                for epoch in epochs
            ]
        )
    return {
        "pairs": pairs,
        "by_position": by_position,
        "floor": mean_similarity(vectors),
    }


def _enough(arrays: Iterator[np.ndarray], most: int = 1_000_000) -> Iterator[Any]:
    total = 0
    for array in arrays:
        yield array
        total += array.size
        if total >= most:
            return


def plane(
    run: Run,
    embeddings: Tensor,
    labels: Tensor | None,
    seed: int,
    *,
    num_batches: int = 100,
    max_graphs: int = 3000,
) -> dict[str, Any]:
    r"""Draws batches on a grid of the number of candidates :math:`M`, from 1 to all
    others, and the restart probability :math:`\alpha`, from 0 to 1, independently of
    each other, with the number of neighbours of the run where there are as many
    candidates. Of a large data set, a random part is taken.

    Returns:
        dict: The :obj:`num_candidates` :math:`[m]` and :obj:`restart_prob`
        :math:`[a]` of the grid, the means :obj:`similarity` and
        :obj:`false_negative_rate` (or :obj:`None`) :math:`[a, m]` over batches,
        each beside that of uniform batches (:obj:`*_floor`), :obj:`num_graphs` and
        :obj:`num_neighbors`.
    """
    generator = Generator().manual_seed(seed)
    kept = torch.randperm(embeddings.size(0), generator=generator)[:max_graphs]
    vectors = unit_rows(embeddings[kept])
    classes = None if labels is None else labels[kept]
    num_graphs = len(kept)
    most = _walk_policy(run.config, vectors).num_neighbors
    # Up to as many candidates as neighbours, the graph is random.
    grid = np.geomspace(min(most, num_graphs - 1), num_graphs - 1, 7).round()
    candidates = np.unique([1, *grid.astype(int)])
    restart_probs = [0.0, 0.05, 0.1, 0.2, 0.4, 0.7, 1.0]
    shape = len(restart_probs), len(candidates)
    similarity, rates = np.empty(shape), np.empty(shape)
    for column, num_candidates in enumerate(candidates.tolist()):
        k = min(most, num_candidates)
        graph = proximity_graph(vectors, num_candidates, k, generator=generator)
        for row, restart_prob in enumerate(restart_probs):
            sampler = ProSampler(
                lambda: vectors,
                num_graphs,
                min(run.config.batch_size, num_graphs),
                num_warmup_epochs=0,
                coverage="independent",
                seed=seed,
                policy=_OnGraph(num_candidates, k, restart_prob, graph=graph),
            )
            endless = chain.from_iterable(iter(sampler) for _ in count())
            batches = list(map(torch.tensor, islice(endless, num_batches)))
            similarity[row, column] = np.mean(
                [mean_similarity(vectors[batch]) for batch in batches]
            )
            if classes is not None:
                rates[row, column] = np.mean(
                    [false_negative_rate(classes[batch]) for batch in batches]
                )
    return {
        "num_graphs": num_graphs,
        "num_neighbors": most,
        "num_candidates": candidates,
        "restart_prob": restart_probs,
        "similarity": similarity,
        "similarity_floor": mean_similarity(vectors),
        "false_negative_rate": None if classes is None else rates,
        "false_negative_rate_floor": (
            None if classes is None else uniform_floor(classes)
        ),
    }


def walk(
    run: Run,
    embeddings: Tensor,
    labels: Tensor | None,
    seed: int,
    num_visited: int = 10,
) -> dict[str, Any]:
    r"""Walks on the proximity graph with the dials of the first epoch of a run,
    until some graphs have been visited. Of 100 walks, that one is taken whose
    graphs are the furthest apart on the map, so that it can be seen, with a visible
    restart if there is one.

    Returns:
        dict: The :obj:`points` :math:`[N, 2]` of the graphs on a map and the
        :obj:`shares` of the variance that its two components have, the
        :obj:`labels`, the :obj:`trace` of the walk, for each of its steps
        whether it :obj:`is_restart`, and the :obj:`restart_prob`.
    """
    generator = Generator().manual_seed(seed)
    policy = _walk_policy(run.config, embeddings)
    graph = proximity_graph(
        embeddings, policy.num_candidates, policy.num_neighbors, generator=generator
    )
    starts = torch.randint(embeddings.size(0), (100,), generator=generator)
    restart_prob = policy.restart_prob_at(0)
    traces = random_walk_with_restart(
        graph, starts, 20 * num_visited, restart_prob,
        generator=generator, backend="torch",
    ).tolist()  # fmt: skip
    edges = set(zip(*graph.edge_index.tolist(), strict=True))
    points, shares = principal_components(embeddings)
    walks = []
    for trace in traces:
        kept = _until_visited(trace, num_visited)
        # A jump along an edge might as well be a move.
        is_restart = [False] + [
            after == kept[0] != before and (before, after) not in edges
            for before, after in pairwise(kept)
        ]
        apart = float(pdist(points[list(dict.fromkeys(kept))]).min(initial=np.inf))
        walks.append((any(is_restart), apart, kept, is_restart))
    _, _, kept, is_restart = max(walks, key=lambda walk: walk[:2])
    return {
        "points": points,
        "shares": shares,
        "labels": labels,
        "trace": kept,
        "is_restart": is_restart,
        "restart_prob": restart_prob,
    }


def _until_visited(trace: list[int], num_visited: int) -> list[int]:
    r"""Cuts a trace at the first visit of the last node that counts."""
    visited: dict[int, int] = {}
    for at, node in enumerate(trace):
        visited.setdefault(node, at)
        if len(visited) == num_visited:
            break
    return trace[: max(visited.values()) + 1]


def principal_components(embeddings: Tensor) -> tuple[np.ndarray, np.ndarray]:
    r"""Returns the first two principal components :math:`[N, 2]` of embeddings,
    normalised as the proximity graph compares them, and their shares of the
    variance :math:`[2]`.
    """
    pca = PCA(n_components=2, random_state=0)
    points = pca.fit_transform(unit_rows(embeddings).cpu().numpy())
    return points, pca.explained_variance_ratio_


class _OnGraph(RandomWalkPolicy):
    r"""Walks on a graph that is there."""

    def __init__(self, *dials: Any, graph: Data) -> None:
        super().__init__(*dials)
        object.__setattr__(self, "graph", graph)

    def prepare(self, embeddings: Any, generator: Generator) -> Data:
        return self.graph  # type: ignore[attr-defined]


def _sampler_of(
    config: PretrainConfig, embeddings: Tensor, seed: int
) -> Iterator[list[int]]:
    r"""Draws an epoch as the last one of a run."""
    config = replace(config, seed=seed, num_warmup_epochs=0, embedding_source="encoder")
    # The loader asks for the number of graphs alone.
    stand_ins = [Data() for _ in range(embeddings.size(0))]
    sampler = build_loader(config, stand_ins, lambda batch: embeddings).batch_sampler
    sampler.embeddings = lambda: embeddings
    sampler.set_epoch(config.num_epochs - 1)
    return iter(sampler)


def _walk_policy(config: PretrainConfig, embeddings: Tensor) -> RandomWalkPolicy:
    stand_ins = [Data() for _ in range(embeddings.size(0))]
    config = replace(config, sampler="prosampler")
    return build_loader(
        config, stand_ins, lambda batch: embeddings
    ).batch_sampler.policy


def _read_config(folder: RunFolder) -> PretrainConfig:
    config = folder.read_config()
    known = {f.name for f in fields(PretrainConfig)}
    # Fields may have gone since; drawing takes place here, whatever the device was.
    values = {key: value for key, value in config.items() if key in known}
    return PretrainConfig(**values | {"device": "cpu"})
