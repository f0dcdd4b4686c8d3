"""Contrastive objectives between the vectors of two views, in log space."""

import math

import torch
from torch import Tensor

from pyg_prosampler.losses.pairs import (
    PairLogits,
    log_sum_exp,
    log_weighted_sum,
    mean_over_anchors,
    pair_logits,
    unit_vectors,
)


def info_nce(
    z1: Tensor,
    z2: Tensor,
    mask: Tensor | None = None,
    *,
    temperature: float = 0.2,
    negatives: str = "cross",
    positive_in_denominator: bool = True,
    two_sided: bool = True,
) -> Tensor:
    r"""The InfoNCE objective of the `"Representation Learning with Contrastive
    Predictive Coding" <https://arxiv.org/abs/1807.03748>`_ paper, in the forms
    of `"A Simple Framework for Contrastive Learning of Visual Representations"
    <https://arxiv.org/abs/2002.05709>`_ (SimCLR) and of `"Graph Contrastive
    Learning with Augmentations" <https://arxiv.org/abs/2010.13902>`_ (GraphCL)

    .. math::
        \mathcal{L} = - \frac{1}{|A|} \sum_{i \in A} \log
        \frac{p_i}{p_i + \sum_{j \in \mathcal{N}_i} n_{ij}},
        \qquad p_i = e^{\mathbf{z}_i \cdot \mathbf{z}^{\prime}_i / T},
        \quad n_{ij} = e^{\mathbf{z}_i \cdot \mathbf{z}_j / T}

    over the anchors :math:`A`, where :math:`\mathbf{z}^{\prime}_i` is the
    other view of graph :math:`i` and all vectors are :math:`L_2`-normalised
    in here, so inputs need not be. The negatives :math:`\mathcal{N}_i` are
    the vectors of the other graphs of the batch.

    SimCLR's loss (NT-Xent) is :obj:`negatives="both"`. The loss of GraphCL's
    public code is :obj:`positive_in_denominator=False, two_sided=False`.

    A vector of zeros has cosine 0 to every other and gets no gradient. An
    anchor to which :obj:`mask` leaves no negative contributes 0 to the mean.

    Args:
        z1 (torch.Tensor): Vectors of the first view, of shape
            :obj:`[batch_size, embedding_size]`. Half precision is computed
            in float32, under autocast too.
        z2 (torch.Tensor): Vectors of the second view, of the same shape.
        mask (torch.Tensor, optional): Boolean tensor of shape
            :obj:`[batch_size, batch_size]`. Where :obj:`mask[i, j]` is set,
            neither view of graph :obj:`j` is a negative of an anchor of graph
            :obj:`i`, as for known false negatives. (default: :obj:`None`)
        temperature (float, optional): The temperature :math:`T`.
            (default: :obj:`0.2`)
        negatives (str, optional): Which vectors of the other graphs are
            negatives: those of the view that the anchor is not from
            (:obj:`"cross"`, :obj:`batch_size - 1` of them), or those of both
            views (:obj:`"both"`, :obj:`2 * batch_size - 2` of them).
            (default: :obj:`"cross"`)
        positive_in_denominator (bool, optional): If set to :obj:`False`, the
            denominator holds the negatives only. (default: :obj:`True`)
        two_sided (bool, optional): If set to :obj:`False`, only vectors of
            the first view are anchors. (default: :obj:`True`)

    Returns:
        The mean over all anchors, a scalar.

    Raises:
        ValueError: If a shape, a type or an option is wrong, or if the batch
            holds one graph only.

    Example:
        >>> z = torch.eye(3)
        >>> info_nce(z, z, temperature=1.0)  # log(1 + 2 / e)
        tensor(0.5514)
    """
    z = unit_vectors(z1, z2)
    logits = pair_logits(z, mask, temperature, negatives, two_sided)
    log_negatives = log_sum_exp(logits.negative)
    return mean_over_anchors(logits, log_negatives, positive_in_denominator)


def debiased_info_nce(
    z1: Tensor,
    z2: Tensor,
    mask: Tensor | None = None,
    *,
    temperature: float = 0.5,
    tau: float = 0.1,
    negatives: str = "cross",
    positive_in_denominator: bool = True,
    two_sided: bool = True,
) -> Tensor:
    r"""The debiased objective (DCL) of the `"Debiased Contrastive Learning"
    <https://arxiv.org/abs/2007.00224>`_ paper

    .. math::
        \mathcal{L} = - \frac{1}{|A|} \sum_{i \in A} \log
        \frac{p_i}{p_i + G_i}, \qquad
        G_i = \max \left( \frac{\sum_{j \in \mathcal{N}_i} n_{ij}
        - \tau |\mathcal{N}_i| p_i}{1 - \tau},
        |\mathcal{N}_i| e^{-1/T} \right)

    which corrects the sum over negatives for the share :math:`\tau` of them
    that are false. Anchors, :math:`p_i` and :math:`n_{ij}` are those of
    :func:`info_nce`, to which it reduces at :math:`\tau = 0`. Where the
    maximum is its second argument, no gradient flows through :math:`G_i`.
    The paper's own code is :obj:`negatives="both"`.

    Args:
        z1, z2, mask, negatives, positive_in_denominator, two_sided: As in
            :func:`info_nce`. With a mask, :math:`|\mathcal{N}_i|` is the
            number of negatives that it leaves.
        temperature (float, optional): The temperature :math:`T`.
            (default: :obj:`0.5`)
        tau (float, optional): Expected share :math:`\tau \in [0, 1)` of false
            negatives, i.e. the probability that two graphs share a class.
            (default: :obj:`0.1`)

    Raises:
        ValueError: As in :func:`info_nce`, and if :obj:`tau` is outside
            :math:`[0, 1)`.

    Example:
        >>> z = torch.eye(3)
        >>> debiased_info_nce(z, z, temperature=1.0)  # G = (2 - 0.2 e) / 0.9
        tensor(0.4671)
    """
    return hard_info_nce(
        z1,
        z2,
        mask,
        temperature=temperature,
        tau=tau,
        beta=0.0,
        negatives=negatives,
        positive_in_denominator=positive_in_denominator,
        two_sided=two_sided,
    )


def hard_info_nce(
    z1: Tensor,
    z2: Tensor,
    mask: Tensor | None = None,
    *,
    temperature: float = 0.5,
    tau: float = 0.1,
    beta: float = 1.0,
    negatives: str = "cross",
    positive_in_denominator: bool = True,
    two_sided: bool = True,
) -> Tensor:
    r"""The hard-negative objective (HCL) of the `"Contrastive Learning with
    Hard Negative Samples" <https://arxiv.org/abs/2010.04592>`_ paper:
    :func:`debiased_info_nce` with the sum over negatives replaced by

    .. math::
        S_i = |\mathcal{N}_i| \frac{\sum_{j \in \mathcal{N}_i}
        n_{ij}^{\beta} \, n_{ij}}{\sum_{j \in \mathcal{N}_i} n_{ij}^{\beta}},
        \qquad
        G_i = \max \left( \frac{S_i - \tau |\mathcal{N}_i| p_i}{1 - \tau},
        |\mathcal{N}_i| e^{-1/T} \right)

    so that negatives near the anchor weigh more. Gradients flow through the
    weights :math:`n_{ij}^{\beta}`. At :math:`\beta = 0` it is
    :func:`debiased_info_nce`. The paper's own code is
    :obj:`negatives="both"`.

    Args:
        z1, z2, mask, negatives, positive_in_denominator, two_sided: As in
            :func:`info_nce`.
        temperature, tau: As in :func:`debiased_info_nce`.
        beta (float, optional): Concentration :math:`\beta \geq 0` on the hard
            negatives. (default: :obj:`1.0`)

    Raises:
        ValueError: As in :func:`debiased_info_nce`, and if :obj:`beta` is
            negative.

    Example:
        >>> z1, z2 = torch.eye(3), torch.eye(3).roll(1, dims=0)
        >>> losses = [hard_info_nce(z1, z2, beta=beta) for beta in (0.0, 1.0)]
        >>> bool(losses[0] < losses[1])
        True
    """
    check_reweighting_options(tau, beta)
    z = unit_vectors(z1, z2)
    logits = pair_logits(z, mask, temperature, negatives, two_sided)
    # At beta = 0 the pairs left out would give 0 * -inf, which is NaN.
    left_out = logits.negative == -math.inf
    log_weight = (beta * logits.negative).masked_fill(left_out, -math.inf)
    log_sum = log_weighted_sum(logits, log_weight)
    log_negatives = _debias(logits, log_sum, temperature, tau)
    return mean_over_anchors(logits, log_negatives, positive_in_denominator)


def check_reweighting_options(tau: float, beta: float = 0.0) -> None:
    """Raises a :class:`ValueError` for an option outside its range."""
    if not 0 <= tau < 1:
        raise ValueError(
            f"`tau` should be in [0, 1) (got {tau}); pass the expected share of "
            "false negatives, tau=0.1, say"
        )
    if not (math.isfinite(beta) and beta >= 0):
        raise ValueError(
            f"`beta` should be a non-negative number (got {beta}); pass beta=1.0, say"
        )


def _debias(
    logits: PairLogits, log_sum: Tensor, temperature: float, tau: float
) -> Tensor:
    r"""Computes :math:`\log G_i` of the debiased objectives."""
    log_count = logits.num_negatives.clamp(min=1).log()
    log_tau = math.log(tau) if tau > 0 else -math.inf
    log_false = log_tau + log_count + logits.positive
    floor = log_count - 1 / temperature
    with torch.no_grad():
        above = log_sum > torch.logaddexp(log_false, floor + math.log1p(-tau))

    # log(a - b) = log a + log(1 - b / a). Below the floor b / a may pass 1: it
    # is replaced before the logarithm, so that no NaN reaches the gradient.
    log_ratio = (log_false - log_sum).masked_fill(~above, -1.0)
    debiased = log_sum + torch.log(-torch.expm1(log_ratio)) - math.log1p(-tau)
    return torch.where(above, debiased, floor)
