"""The UnReMix objective: negatives weighted by three scores."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from pyg_prosampler.losses.pairs import (
    PairLogits,
    against_both_views,
    log_weighted_sum,
    mean_over_anchors,
    pair_logits,
    unit_vectors,
)


def unremix(
    z1: Tensor,
    z2: Tensor,
    mask: Tensor | None = None,
    *,
    temperature: float = 0.5,
    weights: tuple[float, float, float] = (1 / 3, 1 / 3, 1 / 3),
    negatives: str = "cross",
    positive_in_denominator: bool = True,
    two_sided: bool = True,
) -> Tensor:
    r"""A re-derivation of the objective of the `"Hard Negative Sampling
    Strategies for Contrastive Representation Learning"
    <https://arxiv.org/abs/2206.01197>`_ paper (UnReMix), which weighs each
    negative by similarity, model uncertainty and representativeness. It
    follows the paper's idea in closed form, **not** its code, and need not
    reproduce its numbers

    .. math::
        \mathcal{L} = - \frac{1}{|A|} \sum_{i \in A} \log
        \frac{p_i}{p_i + G_i}, \qquad
        G_i = |\mathcal{N}_i| \frac{\sum_{j \in \mathcal{N}_i} w_{ij} n_{ij}}
        {\sum_{j \in \mathcal{N}_i} w_{ij}}, \qquad
        w_{ij} = a \, \hat{s}_{ij} + b \, \hat{u}_{ij} + c \, \hat{r}_{ij}

    with the anchors, :math:`p_i` and :math:`n_{ij}` of :func:`info_nce`, and

    .. math::
        s_{ij} &= \mathbf{z}_i \cdot \mathbf{z}_j

        u_{ij} &= \langle \mathbf{g}_i, \mathbf{g}_j \rangle
        = \langle \mathbf{d}_i, \mathbf{d}_j \rangle \,
        (\mathbf{z}_i \cdot \mathbf{z}_j), \qquad
        \mathbf{g}_i = \mathbf{d}_i \otimes \mathbf{z}_i

        r_{ij} &= \frac{1}{|\mathcal{N}_i| - 1}
        \sum_{k \in \mathcal{N}_i, k \neq j}
        (1 - \mathbf{z}_j \cdot \mathbf{z}_k)

    :math:`\mathbf{g}_i` is the last layer's gradient under the pseudo-label
    task "which graph of the batch aligns with this anchor":
    :math:`\mathbf{d}_i` is the softmax over the anchor's positive and
    negatives, added up over the views of each graph, minus the one-hot vector
    of its largest entry. The hats scale each score to :math:`[0, 1]` over the
    negatives of one anchor (least 0, greatest 1; a score that tells none of
    them apart, with a range below :math:`10^{-5}`, is 1 throughout). No
    gradient flows through :math:`w_{ij}`.

    With all weights equal it is :func:`info_nce`.

    Args:
        z1, z2, mask, negatives, positive_in_denominator, two_sided: As in
            :func:`info_nce`.
        temperature (float, optional): The temperature :math:`T`.
            (default: :obj:`0.5`)
        weights (tuple, optional): The shares :math:`(a, b, c)` of similarity,
            uncertainty and representativeness, non-negative with sum 1.
            (default: :obj:`(1/3, 1/3, 1/3)`)

    Raises:
        ValueError: As in :func:`info_nce`, and if :obj:`weights` is not a
            convex combination.

    Example:
        >>> z = torch.eye(3)
        >>> unremix(z, z, temperature=1.0)  # all negatives alike: InfoNCE
        tensor(0.5514)
    """
    check_weights(weights)
    z = unit_vectors(z1, z2)
    # Scores are about both views' vectors, even where one view's are anchors.
    logits = pair_logits(z, mask, temperature, negatives, two_sided=True)
    logits = against_both_views(logits)
    weight = negative_weights(z, logits, weights)
    if not two_sided:
        logits = PairLogits(*(x[: z1.size(0)] for x in logits))
        weight = weight[: z1.size(0)]
    log_negatives = log_weighted_sum(logits, weight.log())
    return mean_over_anchors(logits, log_negatives, positive_in_denominator)


def check_weights(weights: tuple[float, float, float]) -> None:
    """Raises a :class:`ValueError` unless the shares are convex."""
    if (
        len(weights) != 3
        or not all(weight >= 0 for weight in weights)
        or not math.isclose(sum(weights), 1.0, abs_tol=1e-6)
    ):
        raise ValueError(
            "`weights` should be three non-negative numbers with sum 1 "
            f"(got {weights}); pass weights=(0.5, 0.25, 0.25), say"
        )


@torch.no_grad()
def negative_weights(
    z: Tensor, logits: PairLogits, weights: tuple[float, float, float]
) -> Tensor:
    r"""Computes :math:`w_{ij}` of :func:`unremix`, 0 where a pair is no
    negative, of shape :obj:`[2 * batch_size, 2 * batch_size]`.
    """
    size = z.size(0) // 2
    kept = logits.negative > -math.inf
    pairs = torch.cat([logits.positive.view(-1, 1), logits.negative], dim=1)
    probability = pairs.softmax(dim=1)
    by_graph = probability[:, 1:].view(-1, 2, size).sum(dim=1)
    # The columns of the anchor's own graph are empty but for the positive.
    own = torch.eye(size, dtype=torch.bool, device=z.device).repeat(2, 1)
    by_graph = torch.where(own, probability[:, :1], by_graph)
    error = by_graph - F.one_hot(by_graph.argmax(dim=1), size)

    with torch.autocast(z.device.type, enabled=False):
        similarity = z @ z.t()
        uncertainty = (error @ error.t()) * similarity
        distance = (1 - similarity).fill_diagonal_(0.0)
        total = kept.to(z.dtype) @ distance
    representativeness = total / (logits.num_negatives - 1).clamp(min=1).view(-1, 1)

    scores = (similarity, uncertainty, representativeness)
    scaled = [
        share * _min_max(score, kept)
        for share, score in zip(weights, scores, strict=True)
    ]
    return torch.stack(scaled).sum(dim=0)


def _min_max(score: Tensor, kept: Tensor) -> Tensor:
    low = score.masked_fill(~kept, math.inf).amin(dim=1, keepdim=True)
    high = score.masked_fill(~kept, -math.inf).amax(dim=1, keepdim=True)
    # Scaling would blow differences within rounding up to differences of one.
    flat = high - low < 1e-5
    scaled = (score - low) / (high - low).masked_fill(flat, 1.0)
    return scaled.masked_fill(flat, 1.0).masked_fill(~kept, 0.0)
