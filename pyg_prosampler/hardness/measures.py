r"""Numbers of batches, embeddings and epochs."""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from pyg_prosampler.policies.base import unit_rows

# Similarities that differ by less are equal: rounding, not a nearer neighbour.
TIE = 1e-6


def mean_similarity(embeddings: Tensor) -> float:
    r"""Returns the mean cosine similarity over all pairs of a batch.

    Computed in :math:`O(B d)` from the sum of the normalised embeddings,
    :math:`(\| \sum_i e_i \|^2 - \sum_i \| e_i \|^2) / (B (B - 1))`.

    Args:
        embeddings (torch.Tensor): The embeddings :math:`[B, d]`, :math:`B \geq 2`.

    Example:
        >>> mean_similarity(torch.tensor([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0]]))
        0.3333333...
    """
    num_rows = _num_rows(embeddings)
    vectors = F.normalize(embeddings.detach().double(), dim=1)
    pairs = vectors.sum(dim=0).square().sum() - vectors.square().sum()
    return float(pairs) / (num_rows * (num_rows - 1))


def false_negative_rate(labels: Tensor) -> float:
    r"""Returns the share of the pairs of a batch that are of the same class.

    Args:
        labels (torch.Tensor): The class labels :math:`[B]`, :math:`B \geq 2`.

    Example:
        >>> false_negative_rate(torch.tensor([0, 0, 1]))
        0.3333333...
    """
    num_rows = _num_rows(labels)
    counts = labels.unique(return_counts=True)[1]
    return float((counts * (counts - 1)).sum()) / (num_rows * (num_rows - 1))


def uniform_floor(labels: Tensor) -> float:
    r"""Returns the false-negative rate of uniform batches, :math:`\sum_c p_c^2`
    over the shares :math:`p_c` of the classes in the data set.

    Args:
        labels (torch.Tensor): The class labels of the data set :math:`[N]`.

    Example:
        >>> uniform_floor(torch.tensor([0, 0, 1, 1]))
        0.5
    """
    counts = labels.unique(return_counts=True)[1]
    return float((counts / counts.sum()).square().sum())


def effective_rank(embeddings: Tensor) -> float:
    r"""Returns the number of directions that embeddings vary in, the
    participation ratio :math:`(\sum_k \lambda_k)^2 / \sum_k \lambda_k^2` of the
    eigenvalues of the covariance of the normalised embeddings; :math:`0` if
    they do not vary.

    Args:
        embeddings (torch.Tensor): The embeddings :math:`[N, d]`.

    Example:
        >>> round(effective_rank(torch.eye(3)), 3)
        2.0
    """
    return participation_ratio(unit_rows(embeddings))


def participation_ratio(vectors: Tensor) -> float:
    r"""Is :meth:`effective_rank` of rows :math:`[N, d]` that are normalised."""
    centred = vectors - vectors.mean(dim=0)
    # The sums of eigenvalues and of their squares need no eigenvalues, and are
    # those of the Gram matrix, too, which may be the smaller one.
    if centred.size(0) < centred.size(1):
        centred = centred.t()
    covariance = (centred.t() @ centred).view(-1)
    trace = float(torch.linalg.vector_norm(centred)) ** 2
    if trace < 1e-10 * vectors.size(0):  # What varies is the rounding.
        return 0.0
    return trace**2 / float(covariance.dot(covariance))


def spread(embeddings: Tensor) -> float:
    r"""Returns the mean of :math:`1 - \cos(e_i, e_j)` over all pairs: 0 for
    embeddings that are all the same, 1 for uncorrelated ones.

    Args:
        embeddings (torch.Tensor): The embeddings :math:`[N, d]`, :math:`N \geq 2`.

    Example:
        >>> round(spread(torch.eye(2)), 3)
        1.0
    """
    return 1.0 - mean_similarity(embeddings)


def pair_similarities(vectors: Tensor) -> np.ndarray:
    r"""Returns the inner products :math:`[B (B - 1) / 2]` of all pairs of rows
    :math:`[B, d]`.
    """
    size = vectors.size(0)
    first, second = torch.triu_indices(size, size, offset=1)
    return (vectors @ vectors.t())[first, second].cpu().numpy()


def count_graphs(drawn: np.ndarray, num_graphs: int) -> dict[str, Any]:
    r"""Counts repeats and coverage of the indices :math:`[D]` of an epoch."""
    num_unique = int(np.count_nonzero(np.bincount(drawn, minlength=num_graphs)))
    return {
        "num_drawn": drawn.size,
        "num_unique": num_unique,
        "num_repeats": drawn.size - num_unique,
        "coverage": num_unique / num_graphs,
    }


def _num_rows(values: Tensor) -> int:
    if values.size(0) < 2:
        raise ValueError(
            f"a batch should hold at least 2 graphs to have pairs "
            f"(got {values.size(0)})"
        )
    return values.size(0)
