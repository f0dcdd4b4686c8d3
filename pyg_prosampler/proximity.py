r"""Proximity graphs: who is near whom in embedding space."""

import functools
import warnings
from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import Generator, Tensor
from torch_geometric.data import Data

from pyg_prosampler.candidates import (
    draw_candidates,
    draw_mask,
    nearest,
    numpy_generator,
)
from pyg_prosampler.dials import check_candidates, check_dials

# "auto" lets rows share candidates from so many nodes on.
_SHARED_FROM = 50_000
# The most rows that share their candidates; and no more than an eighth of these, since
# in-degrees would spread visibly more.
_SHARED_ROWS = 128
# A block of scores should stay in the cache, if that leaves rows enough for a fast
# product, and has to stay below the last number.
_BLOCK_ELEMENTS, _BLOCK_ROWS, _MAX_ELEMENTS = 1 << 18, 64, 1 << 22
# How much longer a single inner product takes than one out of a matrix product.
_SINGLE_COST = 3.5
_LEAST = -2.0  # Less than any cosine.


def proximity_graph(
    embeddings: Tensor,
    num_candidates: int,
    num_neighbors: int,
    *,
    candidates: str = "auto",
    generator: Generator | None = None,
) -> Data:
    r"""Builds the proximity graph of the `"ProSampler"
    <https://arxiv.org/abs/2306.03355>`_ paper (algorithm 2).

    Every instance :math:`i` draws :math:`M` candidates :math:`\mathcal{C}_i`
    uniformly among all other instances, without replacement, and is linked to
    the :math:`K` of them that are most similar to it:

    .. math::
        \mathcal{N}_i = \mathrm{TopK}_{m \in \mathcal{C}_i} \cos(e_i, e_m)

    With :math:`M \geq N - 1` this is the exact :meth:`knn_graph`, with
    :math:`M = K` a random graph.

    With :obj:`candidates="independent"`, sets of candidates are independent, and
    cost grows with :math:`N \min(M, N)` inner products. These come from products of
    whole blocks of rows while :math:`N` is a few times :math:`M`, and one by one,
    from scattered memory, beyond. Memory beyond inputs, outputs and the normalised
    embeddings stays below 200 MiB for up to two million instances.

    With :obj:`candidates="shared"`, nothing but matrix products is left, and memory
    is read in order. Every instance still draws its :math:`M` candidates uniformly
    among all others, without replacement; but not independently of other instances:
    random groups of up to 128 share their candidates, and so do, in part, groups that
    follow each other, since candidates slide along one random order of all
    instances. Everybody is a candidate equally often, up to 128 times. The graph looks
    alike: neighbours are as similar, in-degrees spread as much, and walks get as far.

    Args:
        embeddings (torch.Tensor): The embeddings :math:`[N, d]`, of any
            floating-point type, on any device. They need not be normalised.
            16-bit types are compared in float32.
        num_candidates (int): The number of candidates :math:`M`. More than
            :math:`N - 1` are clipped, with a warning.
        num_neighbors (int): The number of neighbours :math:`K \leq M`.
        candidates (str, optional): Whether sets of candidates are
            :obj:`"independent"` or :obj:`"shared"` by groups of instances.
            (default: :obj:`"auto"`, the former for fewer than 50000 instances)
        generator (torch.Generator, optional): Where the candidates are drawn
            from; it may live on another device than the embeddings.
            (default: :obj:`None`, the global generator)

    Returns:
        Data: A graph of :math:`N` nodes with :obj:`edge_index` grouped by
        source in ascending order, nearest neighbour first, out-degree
        :math:`\min(K, M, N - 1)`, neither self-loops nor duplicates, and
        :obj:`edge_weight`, the cosine similarity.

    Raises:
        ValueError: If the embeddings are not a finite floating-point matrix,
            if :math:`M < 1`, if :math:`K` is not in :math:`[1, M]` or if
            :obj:`candidates` is unknown.

    Example:
        >>> embeddings = torch.tensor([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]])
        >>> graph = proximity_graph(embeddings, num_candidates=2, num_neighbors=1)
        >>> graph.edge_index.tolist()
        [[0, 1, 2], [1, 0, 1]]
    """
    check_embeddings(embeddings)
    check_candidates(candidates)
    num_nodes = embeddings.size(0)
    num_candidates, num_neighbors = check_dials(
        num_nodes, num_candidates, num_neighbors
    )
    if num_candidates >= num_nodes - 1:
        return knn_graph(embeddings, num_neighbors)
    if candidates == "auto":
        candidates = "shared" if num_nodes >= _SHARED_FROM else "independent"
    build = _from_shared if candidates == "shared" else _from_independent
    rng = numpy_generator(generator)
    return build(embeddings, num_candidates, num_neighbors, rng)


def _from_independent(
    embeddings: Tensor,
    num_candidates: int,
    num_neighbors: int,
    rng: np.random.Generator,
) -> Data:
    vectors = _normalize(embeddings)
    num_nodes = vectors.size(0)
    edge_index, weight = _empty_edges(vectors, num_neighbors)
    in_blocks = num_nodes < _SINGLE_COST * num_candidates
    for rows in _row_blocks(num_nodes):
        sources = np.arange(rows.start, rows.stop)
        if in_blocks:
            mask = draw_mask(sources, num_nodes, num_candidates, rng)
            scores = vectors[rows] @ vectors.t()
            weight[rows], edge_index[1, rows] = nearest(scores, num_neighbors, mask)
        else:
            drawn = draw_candidates(sources, num_nodes, num_candidates, rng)
            candidates = torch.from_numpy(drawn).to(vectors.device)
            scores = _scores_at(vectors[rows], vectors, candidates)
            weight[rows], best = nearest(scores, num_neighbors)
            edge_index[1, rows] = candidates.gather(1, best)
    return _to_data(edge_index, weight)


def _from_shared(
    embeddings: Tensor,
    num_candidates: int,
    num_neighbors: int,
    rng: np.random.Generator,
) -> Data:
    num_nodes, device = embeddings.size(0), embeddings.device
    # One place more than there are candidates, since a row's own may be among them;
    # and the order goes on from its beginning.
    width = num_candidates + 1
    order = torch.from_numpy(rng.permutation(num_nodes)).to(device)
    order = torch.cat([order, order[:width]])
    vectors = _normalize(embeddings, order)
    groups = torch.from_numpy(rng.permutation(num_nodes)).to(device)
    edge_index, weight = _empty_edges(vectors, num_neighbors, num_nodes)
    size = min(_SHARED_ROWS, max(16, num_candidates // 8))
    scores = vectors.new_empty(min(size, num_nodes), width)
    for begin in range(0, num_nodes, size):
        places = groups[begin : begin + size]
        shared = slice(begin, begin + width)
        scores = scores[: places.numel()]
        torch.mm(vectors.index_select(0, places), vectors[shared].t(), out=scores)
        # Its own place, or the one too many.
        own = ((places - begin) % num_nodes).clamp_(max=num_candidates)
        scores.scatter_(1, own.view(-1, 1), _LEAST)
        values, best = nearest(scores, num_neighbors)
        rows = order.index_select(0, places)
        weight.index_copy_(0, rows, values)
        edge_index[1].index_copy_(0, rows, order[shared].take(best))
    return _to_data(edge_index, weight)


def knn_graph(embeddings: Tensor, num_neighbors: int) -> Data:
    r"""Builds the exact graph of the :math:`K` most similar other instances
    by cosine, in blocks of rows.

    Args:
        embeddings (torch.Tensor): The embeddings :math:`[N, d]`.
        num_neighbors (int): The number of neighbours :math:`K`; more than
            :math:`N - 1` are clipped.

    Returns:
        Data: See :meth:`proximity_graph`.

    Raises:
        ValueError: If the embeddings are not a finite floating-point matrix or
            if :math:`K < 1`.

    Example:
        >>> graph = knn_graph(torch.tensor([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]]), 2)
        >>> graph.edge_index[1].view(3, 2).tolist()
        [[1, 2], [0, 2], [1, 0]]
    """
    check_embeddings(embeddings)
    num_nodes = embeddings.size(0)
    if num_neighbors < 1:
        raise ValueError(f"`num_neighbors` should be at least 1 (got {num_neighbors})")
    num_neighbors = min(num_neighbors, num_nodes - 1)

    vectors = _normalize(embeddings)
    edge_index, weight = _empty_edges(vectors, num_neighbors)
    for rows in _row_blocks(num_nodes):
        scores = vectors[rows] @ vectors.t()
        scores[:, rows].fill_diagonal_(_LEAST)
        weight[rows], edge_index[1, rows] = nearest(scores, num_neighbors)
    return _to_data(edge_index, weight)


def check_embeddings(embeddings: Tensor) -> None:
    r"""Raises an error unless the embeddings are a finite floating-point
    matrix of at least two rows.
    """
    if embeddings.dim() != 2 or not embeddings.is_floating_point():
        raise ValueError(
            f"`embeddings` should be a floating-point matrix [num_graphs, channels] "
            f"(got shape {list(embeddings.shape)} of {embeddings.dtype})"
        )
    if embeddings.size(0) < 2:
        raise ValueError(
            f"`embeddings` should have at least 2 rows to find neighbours "
            f"(got {embeddings.size(0)})"
        )
    if bool(embeddings.sum().isfinite()):  # The quick way; it may overflow, though.
        return
    bad = (~embeddings.isfinite().all(dim=1)).nonzero().view(-1)
    if bad.numel() > 0:
        shown = ", ".join(map(str, bad[:10].tolist()))
        raise ValueError(
            f"`embeddings` are NaN or infinite for {bad.numel()} of "
            f"{embeddings.size(0)} graphs (indices {shown}"
            f"{', ...' if bad.numel() > 10 else ''}); lower the learning rate or "
            f"look at the features of these graphs"
        )


def _normalize(embeddings: Tensor, order: Tensor | None = None) -> Tensor:
    r"""Returns the rows at length 1, in float32 at least, in another order if any."""
    vectors = embeddings.detach()
    if order is not None:
        vectors = vectors.index_select(0, order)
    if vectors.dtype in (torch.float16, torch.bfloat16):
        vectors = vectors.float()
    # A copy may be written into.
    return F.normalize(vectors, dim=1, out=None if order is None else vectors)


def _row_blocks(num_nodes: int) -> Iterator[slice]:
    size = max(_BLOCK_ELEMENTS // num_nodes, _BLOCK_ROWS)
    size = max(1, min(size, _MAX_ELEMENTS // num_nodes))
    for begin in range(0, num_nodes, size):
        yield slice(begin, min(begin + size, num_nodes))


def _scores_at(rows: Tensor, vectors: Tensor, columns: Tensor) -> Tensor:
    r"""Returns the inner products of every row with those columns :math:`[R, M]`,
    one by one and without gathering vectors.
    """
    _silence_beta_warning()
    pattern = torch.sparse_csr_tensor(
        torch.arange(rows.size(0) + 1, device=rows.device) * columns.size(1),
        columns.reshape(-1),
        torch.zeros(columns.numel(), dtype=rows.dtype, device=rows.device),
        (rows.size(0), vectors.size(0)),
        check_invariants=False,
    )
    scores = torch.sparse.sampled_addmm(pattern, rows, vectors.t(), beta=0.0)
    return scores.values().view_as(columns)


@functools.cache
def _silence_beta_warning() -> None:
    # Which is given once, to the first compressed sparse tensor.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        torch.eye(1).to_sparse_csr()


def _empty_edges(
    vectors: Tensor, num_neighbors: int, num_nodes: int | None = None
) -> tuple[Tensor, Tensor]:
    r"""Returns edges :math:`[2, N, K]` that know their source, and their weights."""
    # Beforehand, so that blocks leave nothing between their temporaries, which
    # would keep the allocator from reusing their memory.
    num_nodes = vectors.size(0) if num_nodes is None else num_nodes
    weight = vectors.new_empty(num_nodes, num_neighbors)
    edge_index = torch.empty(2, *weight.shape, dtype=torch.long, device=vectors.device)
    edge_index[0] = torch.arange(num_nodes, device=vectors.device).view(-1, 1)
    return edge_index, weight


def _to_data(edge_index: Tensor, weight: Tensor) -> Data:
    return Data(
        edge_index=edge_index.view(2, -1),
        edge_weight=weight.view(-1),
        num_nodes=weight.size(0),
    )
