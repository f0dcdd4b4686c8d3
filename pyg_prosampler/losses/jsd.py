"""The Jensen-Shannon objective between nodes and graphs."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from pyg_prosampler.losses.pairs import check_mask, full_precision


def jsd(
    node1: Tensor,
    node2: Tensor,
    graph1: Tensor,
    graph2: Tensor,
    batch: Tensor,
    mask: Tensor | None = None,
) -> Tensor:
    r"""The local-global Jensen-Shannon objective of the `"Contrastive
    Multi-View Representation Learning on Graphs"
    <https://arxiv.org/abs/2006.05582>`_ paper (MVGRL). Nodes of view 1 are
    scored against graphs of view 2 and the converse, by the inner product
    :math:`s_{vg} = \mathbf{h}_v \cdot \mathbf{z}_g`, and both directions are
    added up

    .. math::
        \mathcal{L} &= \sum_{\textrm{directions}} E_{\textrm{neg}}
        - E_{\textrm{pos}}

        E_{\textrm{pos}} &= \textrm{mean}_{g = g(v)} \left( \log 2 -
        \textrm{softplus}(-s_{vg}) \right)

        E_{\textrm{neg}} &= \textrm{mean}_{g \neq g(v)} \left(
        \textrm{softplus}(-s_{vg}) + s_{vg} - \log 2 \right)

    The positive of a node is its own graph :math:`g(v)`, its negatives are
    all other graphs of the batch. Vectors are not normalised, and there is no
    temperature. All scores are one matrix of shape
    :obj:`[num_nodes, num_graphs]`; nothing is padded.

    Between two sets of graph vectors, one per view, it is the graph-graph
    form: :obj:`jsd(z1, z2, z1, z2, torch.arange(z1.size(0)))`.

    Args:
        node1 (torch.Tensor): Node vectors of view 1, of shape
            :obj:`[num_nodes, embedding_size]`. Half precision is computed in
            float32, under autocast too.
        node2 (torch.Tensor): Node vectors of view 2, of the same shape.
        graph1 (torch.Tensor): Graph vectors of view 1, of shape
            :obj:`[num_graphs, embedding_size]`.
        graph2 (torch.Tensor): Graph vectors of view 2, of the same shape.
        batch (torch.Tensor): Graph of each node in both views, of shape
            :obj:`[num_nodes]`. A graph may have no nodes.
        mask (torch.Tensor, optional): Boolean tensor of shape
            :obj:`[num_graphs, num_graphs]`. Where :obj:`mask[i, j]` is set,
            graph :obj:`j` is no negative of the nodes of graph :obj:`i`. If
            no negative is left at all, :math:`E_{\textrm{neg}} = 0`.
            (default: :obj:`None`)

    Returns:
        The sum of both directions, a scalar.

    Raises:
        ValueError: If a shape or a type is wrong, if there is no node, or if
            the batch holds one graph only.

    Example:
        >>> nodes, graphs = torch.zeros(5, 8), torch.zeros(2, 8)
        >>> batch = torch.tensor([0, 0, 1, 1, 1])
        >>> jsd(nodes, nodes, graphs, graphs, batch)
        tensor(0.)
    """
    _check_shapes(node1, node2, graph1, graph2, batch)
    check_mask(mask, graph1.size(0))
    return _one_direction(node1, graph2, batch, mask) + _one_direction(
        node2, graph1, batch, mask
    )


def _one_direction(
    node: Tensor, graph: Tensor, batch: Tensor, mask: Tensor | None
) -> Tensor:
    with torch.autocast(node.device.type, enabled=False):
        score = full_precision(node) @ full_precision(graph).t()

    own = batch.view(-1, 1)
    left_out = (
        torch.zeros_like(score, dtype=torch.bool) if mask is None else mask[batch]
    )
    left_out = left_out.scatter(1, own, True)
    count = (~left_out).sum()

    # softplus(-s) + s = softplus(s), which is 0 at minus infinity.
    positive = F.softplus(-score.gather(1, own)).mean() - math.log(2)
    total = F.softplus(score.masked_fill(left_out, -math.inf)).sum()
    negative = total / count.clamp(min=1) - math.log(2)
    return positive + negative.masked_fill(count == 0, 0.0)


def _check_shapes(
    node1: Tensor, node2: Tensor, graph1: Tensor, graph2: Tensor, batch: Tensor
) -> None:
    for kind, first, second in (("node", node1, node2), ("graph", graph1, graph2)):
        if first.dim() != 2 or first.shape != second.shape:
            raise ValueError(
                f"`{kind}1` and `{kind}2` should be of the same shape "
                f"[num_{kind}s, embedding_size] (got {list(first.shape)} and "
                f"{list(second.shape)}); pass one vector per {kind} and view"
            )
    if node1.size(1) != graph1.size(1):
        raise ValueError(
            "Node and graph vectors should have the same size (got "
            f"{node1.size(1)} and {graph1.size(1)}); project them to one width"
        )
    if list(batch.shape) != [node1.size(0)] or batch.dtype != torch.long:
        raise ValueError(
            "`batch` should hold the graph of each node, an int64 tensor of shape "
            f"[{node1.size(0)}] (got {batch.dtype}, {list(batch.shape)}); pass "
            "`data.batch`"
        )
    if node1.size(0) == 0:
        raise ValueError("`node1` should hold at least one node (got 0)")
    if graph1.size(0) < 2:
        raise ValueError(
            f"`graph1` and `graph2` should hold at least 2 graphs (got "
            f"{graph1.size(0)}), as the other graphs of the batch are the "
            "negatives; pass drop_last=True to the loader if this is the last "
            "batch of an epoch"
        )
