r"""What a batch is made of: its hardness and its false negatives."""

import torch.nn.functional as F
from torch import Tensor


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


def _num_rows(values: Tensor) -> int:
    if values.size(0) < 2:
        raise ValueError(
            f"a batch should hold at least 2 graphs to have pairs "
            f"(got {values.size(0)})"
        )
    return values.size(0)
