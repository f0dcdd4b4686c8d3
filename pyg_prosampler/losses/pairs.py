"""Pairs of a batch of two views, as the graph-graph objectives see them."""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

NEGATIVES = ("cross", "both")


class PairLogits(NamedTuple):
    r"""Cosines over temperature of the pairs of every anchor.

    Attributes:
        positive: Logit of the positive, of shape :obj:`[num_anchors]`.
        negative: Logits against the other view's vectors, of shape
            :obj:`[num_anchors, batch_size]`, or against those of both views, first
            view first, of shape :obj:`[num_anchors, 2 * batch_size]`;
            :math:`-\infty` where the pair is no negative.
        num_negatives: Number of negatives, of shape :obj:`[num_anchors]`, in the
            floating-point type of the logits.
    """

    positive: Tensor
    negative: Tensor
    num_negatives: Tensor


def same_label_mask(labels: Tensor) -> Tensor:
    r"""Marks the pairs of a batch that share a class, for use as the
    :obj:`mask` of an objective: the false negatives are then left out.

    .. warning::
        This **uses labels**. It gives a supervised bound on what avoiding
        false negatives can bring, for studies only; an objective masked in
        this way is no longer self-supervised.

    Args:
        labels (torch.Tensor): Class of each graph, of shape
            :obj:`[batch_size]`.

    Returns:
        A boolean tensor of shape :obj:`[batch_size, batch_size]`. Its
        diagonal is :obj:`True` and has no effect, as no objective counts a
        graph among its own negatives.

    Raises:
        ValueError: If :obj:`labels` is not one-dimensional.

    Example:
        >>> same_label_mask(torch.tensor([0, 1, 0]))
        tensor([[ True, False,  True],
                [False,  True, False],
                [ True, False,  True]])
    """
    if labels.dim() != 1:
        raise ValueError(
            f"`labels` should be of shape [batch_size] (got {list(labels.shape)}); "
            "pass `labels.view(-1)` if there is one class per graph"
        )
    return labels.view(-1, 1) == labels.view(1, -1)


def check_pair_options(temperature: float, negatives: str) -> None:
    """Raises a :class:`ValueError` for an option outside its range."""
    if not (math.isfinite(temperature) and temperature > 0):
        raise ValueError(
            f"`temperature` should be a positive number (got {temperature}); "
            "pass temperature=0.2, say"
        )
    if negatives not in NEGATIVES:
        raise ValueError(f'`negatives` should be "cross" or "both" (got {negatives!r})')


def check_mask(mask: Tensor | None, size: int) -> None:
    """Raises a :class:`ValueError` unless the mask is boolean and square."""
    if mask is not None and (
        mask.dtype != torch.bool or list(mask.shape) != [size, size]
    ):
        raise ValueError(
            f"`mask` should be a bool tensor of shape [{size}, {size}] "
            f"(got {mask.dtype}, {list(mask.shape)}); it marks the pairs of graphs "
            "that are left out of the negatives"
        )


def unit_vectors(z1: Tensor, z2: Tensor) -> Tensor:
    """Stacks both views and scales each vector to length one, in float32 at
    least. A vector of zeros has no direction and stays zero, with a zero
    gradient: dividing by a small constant instead would overflow half precision.
    """
    if z1.dim() != 2 or z1.shape != z2.shape:
        raise ValueError(
            "`z1` and `z2` should be of the same shape [batch_size, embedding_size] "
            f"(got {list(z1.shape)} and {list(z2.shape)}); pass one vector per graph "
            "and view"
        )
    if not (z1.is_floating_point() and z2.is_floating_point()):
        raise ValueError(
            "`z1` and `z2` should be floating-point tensors "
            f"(got {z1.dtype} and {z2.dtype}); pass `z1.float()`, `z2.float()`"
        )
    if z1.size(0) < 2:
        raise ValueError(
            f"`z1` and `z2` should hold at least 2 graphs (got {z1.size(0)}), as "
            "the other graphs of the batch are the negatives; pass drop_last=True "
            "to the loader if this is the last batch of an epoch"
        )
    z = torch.cat([full_precision(z1), full_precision(z2)])
    norm = torch.linalg.vector_norm(z, dim=-1, keepdim=True)
    return z / norm.masked_fill(norm <= 1e-12, math.inf)


def full_precision(x: Tensor) -> Tensor:
    """Turns half precision into float32; float64 stays."""
    return x.float() if x.element_size() < 4 else x


def pair_logits(
    z: Tensor,
    mask: Tensor | None,
    temperature: float,
    negatives: str,
    two_sided: bool,
) -> PairLogits:
    """Sorts the pairs of a batch into positives and negatives.

    Args:
        z: The stacked :func:`unit_vectors`, of shape
            :obj:`[2 * batch_size, embedding_size]`.
        mask: Pairs (graph of the anchor, other graph) that are no negatives.
        temperature: Divides the cosines.
        negatives: The other view only (:obj:`"cross"`) or both views.
        two_sided: Whether the second view's vectors are anchors as well.
    """
    check_pair_options(temperature, negatives)
    size = z.size(0) // 2
    check_mask(mask, size)

    num_anchors = 2 * size if two_sided else size
    partner = torch.arange(num_anchors, device=z.device)
    with torch.autocast(z.device.type, enabled=False):
        if negatives == "both":
            logits = z[:num_anchors] @ z.t() / temperature
            partner = (partner + size) % (2 * size)
        else:
            logits = z[:size] @ z[size:].t() / temperature
            logits = torch.cat([logits, logits.t()]) if two_sided else logits
            partner = partner % size

    left_out = torch.eye(size, dtype=torch.bool, device=z.device)
    if mask is not None:
        left_out |= mask
    left_out = left_out.repeat(num_anchors // size, logits.size(1) // size)
    return PairLogits(
        positive=logits.gather(1, partner.view(-1, 1)).view(-1),
        negative=logits.masked_fill(left_out, -math.inf),
        num_negatives=(~left_out).sum(dim=1).to(z.dtype),
    )


def against_both_views(logits: PairLogits) -> PairLogits:
    """Widens logits of all anchors against the other view to both views, of which
    the anchor's own has no negatives.
    """
    negative = logits.negative
    size = negative.size(0) // 2
    if negative.size(1) == size:
        first, second = negative.split(size)
        none = torch.full_like(first, -math.inf)
        rows = torch.cat([none, first], dim=1), torch.cat([second, none], dim=1)
        negative = torch.cat(rows)
    return logits._replace(negative=negative)


def log_sum_exp(x: Tensor) -> Tensor:
    """The log-sum-exp of each row. A row of minus infinities alone, whose
    gradient would be NaN, gives some finite value: it is that of an anchor
    without negatives, and :func:`mean_over_anchors` leaves it out.
    """
    empty = (x == -math.inf).all(dim=1, keepdim=True)
    return torch.logsumexp(x.masked_fill(empty, 0.0), dim=1)


def log_weighted_sum(logits: PairLogits, log_weight: Tensor) -> Tensor:
    r"""Computes :math:`\log (N \sum_k w_k n_k / \sum_k w_k)` of each anchor's
    :math:`N` negatives :math:`n_k`, from the logarithms of :math:`w_k`.
    """
    log_mean = log_sum_exp(logits.negative + log_weight) - log_sum_exp(log_weight)
    return log_mean + logits.num_negatives.clamp(min=1).log()


def mean_over_anchors(
    logits: PairLogits, log_negatives: Tensor, positive_in_denominator: bool
) -> Tensor:
    r"""Averages :math:`-\log (p_i / (p_i + G_i))`, or
    :math:`-\log (p_i / G_i)`, given :math:`\log G_i`; an anchor without
    negatives counts as zero.
    """
    loss = log_negatives - logits.positive
    if positive_in_denominator:
        loss = F.softplus(loss)
    return loss.masked_fill(logits.num_negatives == 0, 0.0).mean()
