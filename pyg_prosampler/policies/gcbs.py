r"""Batches along a bandwidth-reducing order."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse import csr_array
from scipy.sparse.csgraph import reverse_cuthill_mckee
from torch import Generator, Tensor

from pyg_prosampler.policies.base import cut, unit_rows

# Scores of one block of rows.
_BLOCK_ELEMENTS = 1 << 24


@dataclass(frozen=True)
class GCBSPolicy:
    r"""`"Global Contrastive Batch Sampling" <https://arxiv.org/abs/2210.12874>`_:
    the matrix of cosine similarities is sparsified to its top quantile, put in
    `reverse Cuthill-McKee
    <https://docs.scipy.org/doc/scipy/reference/generated/
    scipy.sparse.csgraph.reverse_cuthill_mckee.html>`_ order, in which similar
    instances have numbers that are close, and cut into consecutive batches: a
    strict partition. Batches are dealt in random order.

    Instances without a similarity in the top quantile go together.

    The scores are computed in blocks of rows, in :math:`O(N^2 d)` time. Memory is
    that of the :math:`P` pairs kept, about 80 bytes each, and under 200 MiB.

    Args:
        quantile (float, optional): The share of pairs that is left out, in
            :math:`(0, 1)`. (default: :obj:`None`, so that an instance has 100
            others on average, but at most a tenth of the data set, as in the
            default proximity graph)
    """

    quantile: float | None = None

    def __post_init__(self) -> None:
        if self.quantile is not None and not 0.0 < self.quantile < 1.0:
            raise ValueError(
                f"`quantile` should be between 0 and 1 (got {self.quantile}); pass "
                f"0.99 to keep the most similar hundredth of all pairs"
            )

    def num_pairs(self, num_instances: int) -> int:
        r"""The number of pairs that are kept."""
        if self.quantile is None:
            num_others = min(100, max(1, num_instances // 10))
            return max(1, num_instances * num_others // 2)
        return max(
            1, round((1 - self.quantile) * num_instances * (num_instances - 1) / 2)
        )

    def prepare(
        self, embeddings: Callable[[], Tensor], generator: Generator
    ) -> csr_array:
        r"""Builds the sparsified matrix, symmetric and without its diagonal."""
        vectors = unit_rows(embeddings())
        num_nodes = vectors.size(0)
        # Of equal similarities, random ones are kept.
        order = torch.randperm(num_nodes, generator=generator)
        shuffled = vectors[order.to(vectors.device)]
        pairs = most_similar_pairs(shuffled, self.num_pairs(num_nodes))
        row, col = order[pairs].numpy()
        ends = np.concatenate([row, col]), np.concatenate([col, row])
        ones = np.ones(2 * row.size, dtype=np.int8)
        return csr_array((ones, ends), shape=(num_nodes, num_nodes))

    def batches(
        self,
        prepared: csr_array,
        starts: Tensor,
        members: Tensor,
        batch_size: int,
        epoch: int,
        generator: Generator,
    ) -> Iterator[Tensor]:
        r"""Orders all members and cuts the order into batches."""
        nodes = members.nonzero().view(-1)
        # Ties are broken by number, which should not be that of the data set.
        nodes = nodes[torch.randperm(nodes.numel(), generator=generator)]
        among = prepared[nodes.numpy()][:, nodes.numpy()]
        among.sort_indices()
        order = reverse_cuthill_mckee(among, symmetric_mode=True)
        yield from cut(
            nodes[torch.from_numpy(order.copy()).long()], batch_size, generator
        )


def most_similar_pairs(vectors: Tensor, num_pairs: int) -> Tensor:
    r"""Returns the :math:`P` pairs :math:`i < j` of largest inner product, in no
    particular order.

    Args:
        vectors (torch.Tensor): The vectors :math:`[N, d]`.
        num_pairs (int): The number of pairs :math:`P`; more than there are are
            clipped.

    Returns:
        torch.Tensor: The pairs :math:`[2, P]`, on the CPU.
    """
    num_nodes = vectors.size(0)
    num_pairs = min(num_pairs, num_nodes * (num_nodes - 1) // 2)
    device = vectors.device
    columns = torch.arange(num_nodes, device=device)
    scores = torch.empty(0, dtype=vectors.dtype, device=device)
    codes = torch.empty(0, dtype=torch.long, device=device)  # i N + j
    least = -torch.inf
    for rows in columns.split(max(1, _BLOCK_ELEMENTS // num_nodes)):
        block = vectors[rows] @ vectors.t()
        kept = (columns > rows.view(-1, 1)) & (block > least)
        scores = torch.cat([scores, block[kept]])
        first = int(rows[0]) * num_nodes
        codes = torch.cat([codes, kept.view(-1).nonzero().view(-1) + first])
        is_last = int(rows[-1]) == num_nodes - 1
        if scores.numel() > (num_pairs if is_last else 2 * num_pairs):
            scores, best = scores.topk(num_pairs, sorted=False)
            codes = codes[best]
            least = float(scores.min())
    codes = codes.cpu()
    return torch.stack([codes // num_nodes, codes % num_nodes])
