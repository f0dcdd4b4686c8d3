r"""What a batch policy is, and what policies share."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Generator, Tensor


class BatchPolicy(Protocol):
    r"""What :class:`~pyg_prosampler.ProSampler` asks of a policy.

    A policy that draws batches one by one may say :obj:`shuffle_partition = True`:
    then, with :obj:`coverage="partition"`, the sampler has all batches of an epoch
    drawn at its start, or at every refresh, and deals them so that those drawn early
    and late are spread evenly. The latter find less to choose from and would
    otherwise make the end of every epoch easy.
    """

    def prepare(self, embeddings: Callable[[], Tensor], generator: Generator) -> Any:
        r"""Makes of the embeddings, :obj:`embeddings()` of shape
        :math:`[N, d]`, what batches are drawn from. Called at every refresh.
        """

    def batches(
        self,
        prepared: Any,
        starts: Tensor,
        members: Tensor,
        batch_size: int,
        epoch: int,
        generator: Generator,
    ) -> Iterator[Tensor | Sequence[int]]:
        r"""Draws batches of up to :obj:`batch_size` distinct indices.

        :obj:`starts` and :obj:`members`, boolean masks :math:`[N]`, say where
        a batch may begin and who may be in it. The sampler keeps them up to
        date while it takes batches; it fills up a batch that is too small.
        """


def unit_rows(embeddings: Tensor) -> Tensor:
    r"""Returns the rows of a matrix at length 1, so that inner products are
    cosines, in float32 at least.
    """
    if embeddings.dtype in (torch.float16, torch.bfloat16):
        embeddings = embeddings.float()
    return F.normalize(embeddings.detach(), dim=1)


def cut(order: Tensor, batch_size: int, generator: Generator) -> Iterator[Tensor]:
    r"""Cuts an order of indices into consecutive batches and deals these in
    random order. What is left over by the batch size is taken out at a random
    place and dealt last.

    Args:
        order (torch.Tensor): The indices :math:`[n]`.
        batch_size (int): The batch size.
        generator (torch.Generator): The source of randomness.
    """
    num_full, num_left = divmod(order.numel(), batch_size)
    place = int(torch.randint(num_full + 1, (1,), generator=generator))
    sizes = [batch_size] * num_full
    sizes.insert(place, num_left)
    batches = list(order.split(sizes))
    last = batches.pop(place)
    for index in torch.randperm(num_full, generator=generator).tolist():
        yield batches[index]
    if num_left > 0:
        yield last


def deal_clusters(
    clusters: Sequence[Tensor], batch_size: int, generator: Generator
) -> Iterator[Tensor]:
    r"""Puts clusters into random order, the smallest one last, and fills batches
    with them, one after the other. A cluster that does not fit is shared by two
    batches; clusters of one size that divides the batch size stay whole.

    Args:
        clusters (Sequence[torch.Tensor]): The indices of every cluster.
        batch_size (int): The batch size.
        generator (torch.Generator): The source of randomness.
    """
    order = torch.randperm(len(clusters), generator=generator).tolist()
    if order:
        smallest = min(order, key=lambda index: clusters[index].numel())
        order.remove(smallest)
        shuffled = torch.cat([clusters[index] for index in [*order, smallest]])
        yield from shuffled.split(batch_size)
