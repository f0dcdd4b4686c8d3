r"""Batches of nearest neighbours."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Generator, Tensor

from pyg_prosampler.policies.base import unit_rows


@dataclass(frozen=True)
class KNNPolicy:
    r"""A random instance and the :math:`B - 1` that are most similar to it, by
    cosine over the whole data set: the kNN sampler of the `"ProSampler"
    <https://arxiv.org/abs/2306.03355>`_ paper, exact.

    With :obj:`coverage="partition"`, the most similar among the unused ones. Since
    the last batches that are drawn hold what nobody was near to, the sampler spreads
    them over the epoch. The paper's kNN sampler is
    :obj:`coverage="independent"`. Instances that are equally similar
    are drawn at random, whatever their order in the data set.

    A batch costs :math:`O(N d)`, an epoch :math:`O(N^2 d / B)`.

    Example:
        >>> from pyg_prosampler import ProSampler
        >>> embeddings = torch.tensor([[0.0, 1.0], [1.0, 0.0], [0.1, 1.0], [1.0, 0.1]])
        >>> sampler = ProSampler(
        ...     lambda: embeddings, num_instances=4, batch_size=2,
        ...     policy=KNNPolicy(), num_warmup_epochs=0,
        ... )
        >>> sorted(sorted(batch) for batch in sampler)
        [[0, 2], [1, 3]]
    """

    shuffle_partition: ClassVar[bool] = True

    def prepare(self, embeddings: Callable[[], Tensor], generator: Generator) -> Tensor:
        r"""Normalises the embeddings."""
        return unit_rows(embeddings())

    def batches(
        self,
        prepared: Tensor,
        starts: Tensor,
        members: Tensor,
        batch_size: int,
        epoch: int,
        generator: Generator,
    ) -> Iterator[Tensor]:
        r"""Takes the members nearest to a uniformly drawn start."""
        while True:
            choices = starts.nonzero().view(-1)
            if choices.numel() == 0:
                return
            start = choices[torch.randint(choices.numel(), (1,), generator=generator)]
            nodes = members.nonzero().view(-1)
            nodes = nodes[torch.randperm(nodes.numel(), generator=generator)]  # Ties.
            scores = (prepared[nodes] @ prepared[start].t()).view(-1).cpu()
            scores[nodes == start] = torch.inf  # Before those equal to it.
            yield nodes[scores.topk(min(batch_size, nodes.numel())).indices]
