r"""Proximity graphs: who is near whom in embedding space."""

import warnings

import torch
import torch.nn.functional as F
from torch import Generator, Tensor
from torch_geometric.data import Data

# Scores, random draws and masks of one block of rows stay below this many
# elements each; there are up to six of 8 bytes at a time.
_BLOCK_ELEMENTS = 1 << 21


def proximity_graph(
    embeddings: Tensor,
    num_candidates: int,
    num_neighbors: int,
    *,
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

    The work is done in blocks of rows, so that memory beyond inputs and
    outputs stays below 200 MiB for up to two million instances.

    Args:
        embeddings (torch.Tensor): The embeddings :math:`[N, d]`, of any
            floating-point type, on any device. They need not be normalised.
            16-bit types are compared in float32.
        num_candidates (int): The number of candidates :math:`M`. More than
            :math:`N - 1` are clipped, with a warning.
        num_neighbors (int): The number of neighbours :math:`K \leq M`.
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
            if :math:`M < 1` or if :math:`K` is not in :math:`[1, M]`.

    Example:
        >>> embeddings = torch.tensor([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]])
        >>> graph = proximity_graph(embeddings, num_candidates=2, num_neighbors=1)
        >>> graph.edge_index.tolist()
        [[0, 1, 2], [1, 0, 1]]
    """
    check_embeddings(embeddings)
    num_nodes = embeddings.size(0)
    num_candidates, num_neighbors = check_dials(
        num_nodes, num_candidates, num_neighbors
    )
    if num_candidates >= num_nodes - 1:
        return knn_graph(embeddings, num_neighbors)

    vectors = _normalize(embeddings)
    col, weight = _empty_edges(vectors, num_neighbors)
    for rows in _row_blocks(num_nodes, embeddings.device):
        candidates = draw_candidates(rows, num_nodes, num_candidates, generator)
        scores = (vectors[rows] @ vectors.t()).gather(1, candidates)
        weight[rows], best = scores.topk(num_neighbors, dim=1)
        col[rows] = candidates.gather(1, best)
    return _to_data(col, weight)


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
    col, weight = _empty_edges(vectors, num_neighbors)
    for rows in _row_blocks(num_nodes, embeddings.device):
        scores = vectors[rows] @ vectors.t()
        scores[torch.arange(rows.numel(), device=rows.device), rows] = -torch.inf
        weight[rows], col[rows] = scores.topk(num_neighbors, dim=1)
    return _to_data(col, weight)


def draw_candidates(
    rows: Tensor, num_nodes: int, num_candidates: int, generator: Generator | None
) -> Tensor:
    r"""Draws :math:`M` distinct nodes other than itself for every row, every
    set of :math:`M` equally likely.

    Args:
        rows (torch.Tensor): The nodes that draw :math:`[R]`.
        num_nodes (int): The number of nodes :math:`N > M` to draw from.
        num_candidates (int): The number of candidates :math:`M`.
        generator (torch.Generator, optional): The source of randomness.

    Returns:
        torch.Tensor: The candidates :math:`[R, M]`, ascending in every row.
    """
    # Drawing what to leave out is cheaper when more than half is wanted.
    complement = num_candidates > (num_nodes - 1) // 2
    wanted = num_nodes - 1 - num_candidates if complement else num_candidates
    source = rows.device if generator is None else generator.device
    drawn = torch.zeros(rows.numel(), num_nodes, dtype=torch.bool, device=rows.device)
    own = torch.arange(rows.numel(), device=rows.device)

    # Draw, in every round, exactly as many as a row still lacks and forget
    # repeated values: the sets are those of sequential drawing.
    missing = torch.full_like(rows, wanted)
    while (width := int(missing.max())) > 0:
        draws = torch.randint(
            num_nodes - 1, (rows.numel(), width), generator=generator, device=source
        ).to(rows.device)
        draws += draws >= rows.view(-1, 1)  # Skip the row's own node.
        lacking = torch.arange(width, device=rows.device) < missing.view(-1, 1)
        # Rows that lack fewer repeat their own node, which is cleared below.
        drawn.scatter_(1, torch.where(lacking, draws, rows.view(-1, 1)), True)
        drawn[own, rows] = False
        missing = wanted - drawn.sum(dim=1)
    if complement:
        drawn = ~drawn
        drawn[own, rows] = False
    return drawn.nonzero()[:, 1].view(rows.numel(), num_candidates)


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
    bad = (~embeddings.isfinite().all(dim=1)).nonzero().view(-1)
    if bad.numel() > 0:
        shown = ", ".join(map(str, bad[:10].tolist()))
        raise ValueError(
            f"`embeddings` are NaN or infinite for {bad.numel()} of "
            f"{embeddings.size(0)} graphs (indices {shown}"
            f"{', ...' if bad.numel() > 10 else ''}); lower the learning rate or "
            f"look at the features of these graphs"
        )


def check_dials(
    num_nodes: int, num_candidates: int, num_neighbors: int
) -> tuple[int, int]:
    r"""Checks the number of candidates and neighbours and clips them to the
    :math:`N - 1` other instances, with a warning for the former.
    """
    if num_candidates < 1:
        raise ValueError(
            f"`num_candidates` should be at least 1 (got {num_candidates})"
        )
    if not 1 <= num_neighbors <= num_candidates:
        raise ValueError(
            f"`num_neighbors` should be between 1 and `num_candidates` = "
            f"{num_candidates}, since neighbours are chosen among the candidates "
            f"(got {num_neighbors})"
        )
    if num_candidates > num_nodes - 1:
        warnings.warn(
            f"`num_candidates` is clipped from {num_candidates} to the "
            f"{num_nodes - 1} other instances there are: the proximity graph is "
            f"the exact nearest-neighbour graph",
            UserWarning,
            stacklevel=3,
        )
    return min(num_candidates, num_nodes - 1), min(num_neighbors, num_nodes - 1)


def _normalize(embeddings: Tensor) -> Tensor:
    if embeddings.dtype in (torch.float16, torch.bfloat16):
        embeddings = embeddings.float()
    return F.normalize(embeddings.detach(), dim=1)


def _row_blocks(num_nodes: int, device: torch.device) -> tuple[Tensor, ...]:
    block_size = max(1, _BLOCK_ELEMENTS // num_nodes)
    return torch.arange(num_nodes, device=device).split(block_size)


def _empty_edges(vectors: Tensor, num_neighbors: int) -> tuple[Tensor, Tensor]:
    # Beforehand, so that blocks leave nothing between their temporaries, which
    # would keep the allocator from reusing their memory.
    shape = vectors.size(0), num_neighbors
    return vectors.new_empty(shape, dtype=torch.long), vectors.new_empty(shape)


def _to_data(col: Tensor, weight: Tensor) -> Data:
    num_nodes = col.size(0)
    row = torch.arange(num_nodes, device=col.device).repeat_interleave(col.size(1))
    return Data(
        edge_index=torch.stack([row, col.reshape(-1)]),
        edge_weight=weight.reshape(-1),
        num_nodes=num_nodes,
    )
