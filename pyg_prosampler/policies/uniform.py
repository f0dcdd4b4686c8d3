r"""Uniform batches."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Generator, Tensor


@dataclass(frozen=True)
class UniformPolicy:
    r"""Random batches, as of a plain data loader with shuffling: a strict
    partition (under :obj:`coverage="partition"`; others fill up the last batch).
    """

    def prepare(self, embeddings: Callable[[], Tensor], generator: Generator) -> None:
        r"""Needs no embeddings."""

    def batches(
        self,
        prepared: None,
        starts: Tensor,
        members: Tensor,
        batch_size: int,
        epoch: int,
        generator: Generator,
    ) -> Iterator[Tensor]:
        r"""Cuts a random permutation of all members into batches."""
        nodes = members.nonzero().view(-1)
        order = torch.randperm(nodes.numel(), generator=generator)
        yield from nodes[order].split(batch_size)
