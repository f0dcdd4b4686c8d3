r"""What one epoch of batches is made of, exactly."""

import copy
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from pyg_prosampler.hardness.measures import (
    TIE,
    count_graphs,
    effective_rank,
    false_negative_rate,
    mean_similarity,
    pair_similarities,
    spread,
    uniform_floor,
)
from pyg_prosampler.policies.base import unit_rows
from pyg_prosampler.proximity import check_embeddings, knn_graph
from pyg_prosampler.sampler import ProSampler


def hardness(
    batches: Any,
    embeddings: Tensor,
    labels: Tensor | None = None,
    *,
    batch_size: int | None = None,
    num_neighbors: int | None = None,
    epoch: int | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    r"""Reports what one epoch of batches is made of. Only indices are drawn, no
    graph is loaded, and a :class:`~pyg_prosampler.ProSampler` or its loader goes
    on as if nothing had been drawn.

    All of the numbers are exact: similarities of all pairs of a batch, nearest
    neighbours over the whole data set by :meth:`~pyg_prosampler.knn_graph`. This
    costs :math:`O(N^2 d)`; for what :meth:`~pyg_prosampler.training.pretrain`
    records of every epoch, see :class:`~pyg_prosampler.hardness.HardnessMonitor`.

    Args:
        batches (Any): A data loader, a batch sampler, a batch policy (with its
            batch size), or batches, each of them data-set indices or a batch of
            a :class:`~pyg_prosampler.ProSamplerLoader`. A loader of another kind
            draws the order from its own source of randomness.
        embeddings (torch.Tensor): The embeddings :math:`[N, d]` to measure on.
        labels (torch.Tensor, optional): The class labels :math:`[N]`.
            (default: :obj:`None`, nothing is said about false negatives)
        batch_size (int, optional): The batch size, for a policy only.
            (default: :obj:`None`)
        num_neighbors (int, optional): The number :math:`k` of true nearest
            neighbours that are looked for. (default: :obj:`None`, as many as a
            batch could hold: its size less one)
        epoch (int, optional): Which epoch a sampler draws.
            (default: :obj:`None`, the next one; the first one for a policy)
        seed (int, optional): The seed, for a policy only. (default: :obj:`0`)

    Returns:
        dict: The following, where batches of one graph count for coverage only:

        * :obj:`num_graphs`, :obj:`num_batches`: of the data set, of the epoch;
        * :obj:`similarity`: the mean over batches of :meth:`mean_similarity`,
          and :obj:`similarity_floor`, that of all pairs of the data set, which
          uniform batches have on average;
        * :obj:`similarity_quartiles`: the three of the pairs of all batches;
        * :obj:`similarity_by_batch`: :meth:`mean_similarity` of every batch;
        * :obj:`neighbors_found`: for every member of a batch, the share of its
          :math:`k` true nearest neighbours that are in the batch, on average
          over members; :obj:`neighbors_floor` is that of uniform batches,
          :math:`(B - 1) / (N - 1)`. Whoever is as similar as the :math:`k`-th
          neighbour counts as one, up to :math:`k`;
        * :obj:`false_negative_rate`: the mean over batches of
          :meth:`false_negative_rate`, and :obj:`false_negative_floor`, the
          :meth:`uniform_floor` (:obj:`None` without labels);
        * :obj:`num_drawn`: the places in all batches, :obj:`num_unique`: the
          distinct graphs in them, :obj:`num_repeats`: the difference, and
          :obj:`coverage`: :obj:`num_unique` by the number of graphs;
        * :obj:`fill_rate`: the share of places that were filled up uniformly
          (:obj:`None` where only a :class:`~pyg_prosampler.ProSampler` knows);
        * :obj:`effective_rank`, :obj:`spread`: of the embeddings, see
          :meth:`effective_rank` and :meth:`spread`.

    Raises:
        ValueError: If there are no batches of at least two graphs, if an index
            is out of range, or if the shapes do not fit.

    Example:
        >>> embeddings = torch.tensor([[0.0, 1.0], [1.0, 0.0], [0.1, 1.0], [1.0, 0.1]])
        >>> report = hardness([[0, 2], [1, 3]], embeddings, torch.tensor([0, 1, 0, 0]))
        >>> report["neighbors_found"], report["false_negative_rate"]
        (1.0, 0.5)
        >>> report["coverage"], report["num_repeats"]
        (1.0, 0)
    """
    check_embeddings(embeddings)
    num_graphs = embeddings.size(0)
    if labels is not None and labels.shape != (num_graphs,):
        raise ValueError(
            f"`labels` should hold one class for each of the {num_graphs} graphs "
            f"(got shape {list(labels.shape)})"
        )
    if num_neighbors is not None and num_neighbors < 1:
        raise ValueError(f"`num_neighbors` should be at least 1 (got {num_neighbors})")
    chosen, fill_rate = _draw(batches, embeddings, batch_size, epoch, seed)
    for index in chosen:
        if index.numel() and not 0 <= int(index.min()) <= int(index.max()) < num_graphs:
            raise ValueError(
                f"`batches` should hold indices between 0 and {num_graphs - 1}, of "
                f"the rows of `embeddings` (got {int(index.min())} to "
                f"{int(index.max())})"
            )
    paired = [index for index in chosen if index.numel() > 1]
    if not paired:
        raise ValueError(
            f"`batches` should hold at least one batch of 2 graphs or more "
            f"(got {len(chosen)} batches)"
        )
    vectors = unit_rows(embeddings)
    by_batch = [mean_similarity(vectors[index]) for index in paired]
    report: dict[str, Any] = {
        "num_graphs": num_graphs,
        "num_batches": len(chosen),
        "similarity": float(np.mean(by_batch)),
        "similarity_floor": mean_similarity(vectors),
        "similarity_quartiles": np.quantile(
            np.concatenate([pair_similarities(vectors[index]) for index in paired]),
            [0.25, 0.5, 0.75],
        ).tolist(),
        "similarity_by_batch": by_batch,
        **_neighbors_found(embeddings, vectors, paired, num_neighbors),
        "false_negative_rate": None,
        "false_negative_floor": None,
    }
    if labels is not None:
        labels = labels.cpu()
        rates = [false_negative_rate(labels[index]) for index in paired]
        report["false_negative_rate"] = float(np.mean(rates))
        report["false_negative_floor"] = uniform_floor(labels)
    return report | {
        **count_graphs(torch.cat(chosen).numpy(), num_graphs),
        "fill_rate": fill_rate,
        "effective_rank": effective_rank(vectors),
        "spread": spread(vectors),
    }


def _draw(
    batches: Any,
    embeddings: Tensor,
    batch_size: int | None,
    epoch: int | None,
    seed: int,
) -> tuple[list[Tensor], float | None]:
    if isinstance(batches, DataLoader):
        if batches.batch_sampler is None:
            raise ValueError(
                "`batches` is a loader that does not batch (got batch_size=None); "
                "pass its index batches instead"
            )
        batches = batches.batch_sampler
    is_policy = hasattr(batches, "prepare") or not isinstance(batches, Iterable)
    if is_policy:
        if batch_size is None:
            raise ValueError(
                "`batch_size` should be given along with a policy (got None); pass "
                "batch_size=128, say"
            )
        batches = ProSampler(
            lambda: embeddings,
            embeddings.size(0),
            batch_size,
            num_warmup_epochs=0,
            seed=seed,
            policy=batches,
        )
    elif batch_size is not None:
        raise ValueError(
            f"`batch_size` is for a policy (got {batch_size}); leave it out, since "
            f"`batches` has its own"
        )
    if not isinstance(batches, ProSampler):
        if epoch is not None:
            raise ValueError(
                f"`epoch` is for a ProSampler, its loader or a policy (got {epoch}); "
                f"leave it out"
            )
        drawn = [getattr(batch, "graph_id", batch) for batch in batches]
        return [_as_index(batch) for batch in drawn], None
    sampler = copy.copy(batches)  # What it replaces is then its own.
    if epoch is not None:
        sampler.set_epoch(epoch)
    chosen = [_as_index(batch) for batch in sampler]
    return chosen, sampler.fill_rate


def _as_index(batch: Any) -> Tensor:
    return torch.as_tensor(batch, dtype=torch.long, device="cpu")


def _neighbors_found(
    embeddings: Tensor, vectors: Tensor, batches: list[Tensor], k: int | None
) -> dict[str, float]:
    num_others = embeddings.size(0) - 1
    unique = [batch.unique() for batch in batches]
    wanted = k or max(max(batch.numel() for batch in unique) - 1, 1)
    graph = knn_graph(embeddings, wanted)
    nearest = graph.edge_weight.view(num_others + 1, -1)
    found, floors, num_members = 0.0, 0.0, 0
    for batch in unique:
        size = batch.numel()
        if size < 2:
            continue
        num_wanted = min(k or size - 1, num_others)
        least = nearest[batch, num_wanted - 1].view(-1, 1) - TIE
        is_near = vectors[batch] @ vectors[batch].t() >= least
        is_near.fill_diagonal_(False)
        hits = is_near.sum(dim=1).clamp(max=num_wanted)
        found += float(hits.sum()) / num_wanted
        floors += size * (size - 1) / num_others
        num_members += size
    return {
        "neighbors_found": found / max(num_members, 1),
        "neighbors_floor": floors / max(num_members, 1),
    }
