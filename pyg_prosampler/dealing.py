r"""Batches as a policy draws them, made whole and dealt."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor

from pyg_prosampler.policies import BatchPolicy


@dataclass
class Dealer:
    r"""Has a policy draw the batches of an epoch and fills them up.

    The masks :obj:`starts` and :obj:`members`, boolean arrays :math:`[N]`, say who may
    be in a batch; the sampler keeps them up to date. Every method gives batches along
    with the number of instances that filled them up.
    """

    policy: BatchPolicy
    prepared: Any
    starts: np.ndarray
    members: np.ndarray
    batch_size: int
    epoch: int
    generator: Generator

    def one_by_one(self) -> Iterator[tuple[np.ndarray, int]]:
        r"""Gives batches as they are drawn, without end."""
        drawn = self._draw(self.starts, self.members)
        while True:
            yield self._fill_up(next(drawn), self.members, self.batch_size)

    def spread(self) -> Iterator[tuple[np.ndarray, int]]:
        r"""Draws batches until everybody is in one, and then deals them so that early
        and late ones are spread evenly; the smaller one, which is drawn at a random
        time, at last.
        """
        left = self.members.copy()
        num_full, num_left = divmod(int(np.count_nonzero(left)), self.batch_size)
        place = int(torch.randint(num_full + 1, (1,), generator=self.generator))
        sizes = [self.batch_size] * num_full
        sizes.insert(place, num_left)
        drawn = self._draw(left, left)
        filled = []
        for size in sizes:
            batch = next(drawn) if size > 0 else np.empty(0, dtype=np.int64)
            filled.append(self._fill_up(batch, left, size))
            left[filled[-1][0]] = False
        last = filled.pop(place)
        for index in spread_evenly(num_full, self.generator).tolist():
            yield filled[index]
        yield last

    def _draw(self, starts: np.ndarray, members: np.ndarray) -> Iterator[np.ndarray]:
        r"""Draws batches without end: asks the policy again when it has no more."""
        # They share their memory.
        masks = torch.from_numpy(starts), torch.from_numpy(members)
        batches: Iterator[Any] = iter(())
        while True:
            batch = next(batches, None)
            if batch is None:
                batches = iter(
                    self.policy.batches(
                        self.prepared,
                        *masks,
                        self.batch_size,
                        self.epoch,
                        self.generator,
                    )
                )
                batch = next(batches, ())
            yield check_batch(batch, members.size)

    def _fill_up(
        self, batch: np.ndarray, members: np.ndarray, size: int
    ) -> tuple[np.ndarray, int]:
        r"""Keeps the members of a batch and adds uniformly drawn others."""
        batch = batch[members[batch]][:size]
        if batch.size == size:
            return batch, 0
        others = members.copy()
        others[batch] = False
        candidates = np.flatnonzero(others)
        num_filled = min(size - batch.size, candidates.size)
        order = torch.randperm(candidates.size, generator=self.generator).numpy()
        return np.concatenate([batch, candidates[order[:num_filled]]]), num_filled


def check_batch(batch: Any, num_instances: int) -> np.ndarray:
    r"""Returns a batch as an array, or raises an error unless it holds distinct
    indices.
    """
    if isinstance(batch, Tensor):
        batch = batch.cpu()
    indices = np.asarray(batch)
    if indices.size == 0:
        return np.empty(0, dtype=np.int64)
    is_valid = indices.ndim == 1 and indices.dtype in (np.int64, np.int32)
    if is_valid:
        ordered = np.sort(indices)
        is_valid = (
            ordered[0] >= 0
            and ordered[-1] < num_instances
            and bool((ordered[1:] != ordered[:-1]).all())
        )
    if not is_valid:
        raise ValueError(
            f"`policy` should give batches of distinct indices between 0 and "
            f"{num_instances - 1} (got {batch})"
        )
    return indices.astype(np.int64)


def spread_evenly(num: int, generator: Generator) -> Tensor:
    r"""Returns an order of numbers in every stretch of which small and large ones are
    mixed evenly: that of multiples of the golden ratio, modulo 1, begun anywhere.
    """
    multiples = torch.arange(num, dtype=torch.float64) * ((5**0.5 - 1) / 2)
    begin = int(torch.randint(max(num, 1), (1,), generator=generator))
    return multiples.frac().argsort().roll(begin)
