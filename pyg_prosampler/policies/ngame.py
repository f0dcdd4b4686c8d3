r"""Batches of clusters that grow from epoch to epoch."""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits
from torch import Generator, Tensor

from pyg_prosampler.policies.base import deal_clusters, unit_rows


@dataclass(frozen=True)
class NGAMEPolicy:
    r"""`"NGAME" <https://arxiv.org/abs/2207.04452>`_: a balanced tree of 2-means
    divides the data set into clusters of equal size, which are shuffled and put one
    after the other into batches: a strict partition. Clusters grow with the epochs,
    up to a whole batch, so that batches become harder.

    To divide :math:`n` instances into :math:`L` clusters, 2-means
    (:class:`sklearn.cluster.KMeans` on normalised embeddings) finds two centres,
    and the :math:`\lfloor L / 2 \rfloor` clusters' worth of instances that are
    nearest to the first rather than to the second one go left. All clusters are of
    the same size, but for one that is what is left over.

    At a size of 1 batches are uniform; at the batch size they are clusters.

    Args:
        cluster_size (int, optional): The size of clusters in the first epoch.
            (default: :obj:`8`)
        double_every (int, optional): The number of epochs after which the size
            doubles, up to the batch size. (default: :obj:`4`; :obj:`None` for
            never)
    """

    cluster_size: int = 8
    double_every: int | None = 4

    def __post_init__(self) -> None:
        for name, least in (("cluster_size", 1), ("double_every", 1)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise ValueError(f"`{name}` should be at least {least} (got {value})")

    def cluster_size_at(self, epoch: int, batch_size: int) -> int:
        r"""The size of clusters in an epoch."""
        num_doublings = 0 if self.double_every is None else epoch // self.double_every
        # A bound on the power, since epochs may be any number.
        return min(self.cluster_size * 2 ** min(num_doublings, 62), batch_size)

    def prepare(
        self, embeddings: Callable[[], Tensor], generator: Generator
    ) -> np.ndarray:
        r"""Normalises the embeddings."""
        return unit_rows(embeddings()).cpu().numpy()

    def batches(
        self,
        prepared: np.ndarray,
        starts: Tensor,
        members: Tensor,
        batch_size: int,
        epoch: int,
        generator: Generator,
    ) -> Iterator[Tensor]:
        r"""Divides all members into clusters and deals them."""
        nodes = members.nonzero().view(-1)
        # Ties are broken by number, which should not be that of the data set.
        nodes = nodes[torch.randperm(nodes.numel(), generator=generator)]
        size = self.cluster_size_at(epoch, batch_size)
        # With several threads, sums and so clusters would differ between runs.
        with threadpool_limits(1):
            clusters = balanced_clusters(prepared[nodes.numpy()], size, generator)
        yield from deal_clusters(
            [nodes[torch.from_numpy(cluster)] for cluster in clusters],
            batch_size,
            generator,
        )


def balanced_clusters(
    vectors: np.ndarray, cluster_size: int, generator: Generator
) -> list[np.ndarray]:
    r"""Divides vectors :math:`[n, d]` into clusters by a balanced tree of 2-means.

    Args:
        vectors (numpy.ndarray): The vectors.
        cluster_size (int): The size of all clusters but one, which is what is
            left over.
        generator (torch.Generator): The source of randomness.

    Returns:
        list[numpy.ndarray]: The indices of every cluster.
    """
    clusters = []
    pending = [np.arange(len(vectors))]
    while pending:
        nodes = pending.pop()
        num_clusters = -(-len(nodes) // cluster_size)
        if num_clusters <= 1 or cluster_size == 1:
            clusters += np.array_split(nodes, num_clusters) if len(nodes) else []
            continue
        nearest_left = np.argsort(_preference(vectors[nodes], generator), kind="stable")
        num_left = num_clusters // 2 * cluster_size
        pending += [nodes[nearest_left[:num_left]], nodes[nearest_left[num_left:]]]
    return clusters


def _preference(vectors: np.ndarray, generator: Generator) -> np.ndarray:
    r"""The distance to the first centre less that to the second one."""
    seed = int(torch.randint(2**31 - 1, (1,), generator=generator))
    kmeans = KMeans(2, n_init=1, random_state=seed)
    with warnings.catch_warnings():
        # Of equal vectors, which there are no two clusters of.
        warnings.simplefilter("ignore", ConvergenceWarning)
        distances = kmeans.fit_transform(vectors)
    return distances[:, 0] - distances[:, 1]
