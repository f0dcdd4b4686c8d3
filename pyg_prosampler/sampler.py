r"""The batch sampler: epochs of index batches from any batch policy."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from torch import Generator, Tensor
from torch.utils.data import Sampler

from pyg_prosampler.dealing import Dealer
from pyg_prosampler.dials import default_dials
from pyg_prosampler.policies import (
    BatchFunction,
    BatchPolicy,
    RandomWalkPolicy,
    UniformPolicy,
)
from pyg_prosampler.policies.function import as_policy
from pyg_prosampler.proximity import check_embeddings
from pyg_prosampler.schedule import LinearDecay, Schedule

COVERAGES = ("partition", "independent", "unseen_start")


class ProSampler(Sampler[list[int]]):
    r"""The batch sampler of the `"ProSampler"
    <https://arxiv.org/abs/2306.03355>`_ paper: every batch is what a random
    walk with restart visits on the proximity graph of the current embeddings.

    It knows nothing of the instances but their embeddings, and serves any
    :class:`torch.utils.data.DataLoader` as :obj:`batch_sampler`.

    The proximity graph is built anew at every refresh; the order of an epoch
    depends on the seed, the epoch and the embeddings alone.

    Args:
        embeddings (Callable): Returns the current embeddings
            :math:`[N, d]`; called once at every refresh.
        num_instances (int): The number of instances :math:`N`.
        batch_size (int): The number of instances :math:`B` in a batch, at
            least 2. Where it exceeds :math:`N`, there is one batch of all.
        num_candidates (int, optional): The number of candidates :math:`M`;
            the larger, the harder the batches. (default: :obj:`None`, 500 for
            fewer than 5000 instances and 1000 from there on, but at most
            :math:`N - 1`)
        num_neighbors (int, optional): The number of neighbours
            :math:`K \leq M`. (default: :obj:`None`, 100, but at most a tenth
            of the instances and :math:`M`, so that a neighbourhood stays one)
        restart_prob (float or Callable, optional): The restart probability
            :math:`\alpha`, or a function from the epoch to it; the larger, the
            closer a batch stays to its start. (default: :obj:`LinearDecay()`,
            from 0.2 to 0.05 within 20 epochs)
        coverage (str, optional): What an epoch promises.
            :obj:`"partition"`: every instance exactly once, since walks skip
            what the epoch has used; batches are drawn at its beginning, and
            after a refresh, and dealt in another order. :obj:`"independent"`:
            nothing, batches are drawn independently as in the paper.
            :obj:`"unseen_start"`: walks start at instances that the epoch has
            not used yet.
            (default: :obj:`"partition"`)
        refresh_every (int, optional): The number of batches between two
            refreshes, counted across epochs. (default: :obj:`None`, at the
            beginning of every epoch)
        num_warmup_epochs (int, optional): The number of first epochs with
            uniform batches, which need no embeddings. (default: :obj:`1`)
        drop_last (bool, optional): Whether to leave out the last batch of an
            epoch if it is smaller. (default: :obj:`False`)
        seed (int, optional): The seed. (default: :obj:`0`)
        max_steps (int, optional): The bound on the steps of a walk; a batch
            not full by then is filled up uniformly. (default: :obj:`None`, 20
            times the batch size)
        backend (str, optional): See
            :meth:`~pyg_prosampler.random_walk_with_restart`.
            (default: :obj:`"auto"`)
        candidates (str, optional): Whether sets of candidates are independent; see
            :meth:`~pyg_prosampler.proximity_graph`. (default: :obj:`"auto"`)
        policy (BatchPolicy or Callable, optional): Another batch policy instead of
            the walk, whose arguments are then refused; or a plain function, see
            :class:`~pyg_prosampler.policies.FunctionPolicy`.
            (default: :obj:`None`)

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> import torch
        >>> embeddings = torch.tensor([[0.0, 1.0], [1.0, 0.0], [0.1, 1.0], [1.0, 0.1]])
        >>> sampler = ProSampler(
        ...     lambda: embeddings, num_instances=4, batch_size=2,
        ...     num_candidates=3, num_neighbors=1, num_warmup_epochs=0,
        ... )
        >>> sorted(sorted(batch) for batch in sampler)
        [[0, 2], [1, 3]]
    """

    def __init__(
        self,
        embeddings: Callable[[], Tensor],
        num_instances: int,
        batch_size: int,
        *,
        num_candidates: int | None = None,
        num_neighbors: int | None = None,
        restart_prob: float | Schedule | None = None,
        coverage: str = "partition",
        refresh_every: int | None = None,
        num_warmup_epochs: int = 1,
        drop_last: bool = False,
        seed: int = 0,
        max_steps: int | None = None,
        backend: str = "auto",
        candidates: str = "auto",
        policy: BatchPolicy | BatchFunction | None = None,
    ) -> None:
        _check_sizes(num_instances, batch_size, drop_last)
        if seed < 0:
            raise ValueError(f"`seed` should not be negative (got {seed})")
        if coverage not in COVERAGES:
            raise ValueError(
                f"`coverage` should be one of {COVERAGES} (got '{coverage}')"
            )
        if refresh_every is not None and refresh_every < 1:
            raise ValueError(
                f"`refresh_every` should be at least 1 batch (got {refresh_every}); "
                f"pass None to refresh at every epoch"
            )
        if num_warmup_epochs < 0:
            raise ValueError(
                f"`num_warmup_epochs` should not be negative (got {num_warmup_epochs})"
            )
        if policy is None:
            num_candidates, num_neighbors = default_dials(
                num_instances, num_candidates, num_neighbors
            )
            policy = RandomWalkPolicy(
                num_candidates,
                num_neighbors,
                LinearDecay() if restart_prob is None else restart_prob,
                max_steps,
                backend,
                candidates=candidates,
            )
        elif (num_candidates, num_neighbors, restart_prob, max_steps, candidates) != (
            *(None,) * 4,
            "auto",
        ):
            raise ValueError(
                "`num_candidates`, `num_neighbors`, `restart_prob`, `max_steps` and "
                "`candidates` are dials of the walk; give `policy` its own instead"
            )
        self.embeddings = embeddings
        self.num_instances = num_instances
        self.batch_size = batch_size
        self.coverage = coverage
        self.refresh_every = refresh_every
        self.num_warmup_epochs = num_warmup_epochs
        self.drop_last = drop_last
        self.seed = seed
        self.policy = as_policy(policy)

        self.epoch = 0
        self.prepared: Any = None
        self.latest_embeddings: Tensor | None = None
        self.steps_since_refresh: int | None = None  # No refresh yet.
        self.report: dict[str, Any] = {}

    def __len__(self) -> int:
        if self.drop_last:
            return self.num_instances // self.batch_size
        return -(-self.num_instances // self.batch_size)

    def set_epoch(self, epoch: int) -> None:
        r"""Sets the epoch that the next iteration draws. Without it, every
        iteration draws the epoch after the last one.
        """
        if epoch < 0:
            raise ValueError(f"`epoch` should not be negative (got {epoch})")
        self.epoch = epoch

    def __iter__(self) -> Iterator[list[int]]:
        r"""Draws an epoch. Meanwhile, :obj:`report` holds its number, whether
        it is a warm-up epoch, its restart probability (if any), the numbers of
        refreshes and of instances drawn, how many of these filled up a batch,
        and the seconds spent. :obj:`latest_embeddings` are those of the last
        refresh, and :obj:`prepared` is what the policy made of them: for the
        walk, the proximity graph.
        """
        epoch, self.epoch = self.epoch, self.epoch + 1
        generator = _epoch_generator(self.seed, epoch)
        is_warmup = epoch < self.num_warmup_epochs
        policy: BatchPolicy = UniformPolicy() if is_warmup else self.policy
        report: dict[str, Any] = {
            "epoch": epoch,
            "warmup": is_warmup,
            "restart_prob": (
                policy.restart_prob_at(epoch)
                if isinstance(policy, RandomWalkPolicy)
                else None
            ),
            "num_refreshes": 0,
            "num_drawn": 0,
            "num_filled": 0,
            "seconds": 0.0,
        }
        self.report = report

        everyone = np.ones(self.num_instances, dtype=bool)
        unseen = everyone.copy()
        starts = everyone if self.coverage == "independent" else unseen
        members = unseen if self.coverage == "partition" else everyone

        is_spread = self.coverage == "partition" and getattr(
            policy, "shuffle_partition", False
        )
        dealt: Iterator[tuple[np.ndarray, int]] | None = None
        for step in range(len(self)):
            began = time.perf_counter()
            if not is_warmup and self._is_due(step):
                self.prepared = policy.prepare(self._checked_embeddings, generator)
                self.steps_since_refresh = 0
                report["num_refreshes"] += 1
                dealt = None
            if dealt is None:
                prepared = None if is_warmup else self.prepared
                dealer = Dealer(
                    policy, prepared, starts, members, self.batch_size, epoch, generator
                )
                dealt = dealer.spread() if is_spread else dealer.one_by_one()
            batch, num_filled = next(dealt)
            unseen[batch] = False
            if self.steps_since_refresh is not None:
                self.steps_since_refresh += 1
            report["num_drawn"] += batch.size
            report["num_filled"] += num_filled
            report["seconds"] += time.perf_counter() - began
            yield batch.tolist()

    @property
    def fill_rate(self) -> float:
        r"""The share of the latest epoch's instances that filled up a batch
        whose walk had not found enough.
        """
        return self.report.get("num_filled", 0) / max(
            self.report.get("num_drawn", 0), 1
        )

    def _is_due(self, step: int) -> bool:
        if self.steps_since_refresh is None:
            return True
        if self.refresh_every is None:
            return step == 0
        return self.steps_since_refresh >= self.refresh_every

    def _checked_embeddings(self) -> Tensor:
        embeddings = self.embeddings()
        check_embeddings(embeddings)
        if embeddings.size(0) != self.num_instances:
            raise ValueError(
                f"`embeddings` should return one row for each of the "
                f"{self.num_instances} instances (got {embeddings.size(0)})"
            )
        self.latest_embeddings = embeddings.detach()
        return embeddings


def _check_sizes(num_instances: int, batch_size: int, drop_last: bool) -> None:
    if num_instances < 2:
        raise ValueError(
            f"`num_instances` should be at least 2, since an instance needs others "
            f"as negatives (got {num_instances})"
        )
    if batch_size < 2:
        raise ValueError(
            f"`batch_size` should be at least 2, since a batch of one has no "
            f"negatives (got {batch_size}); pass batch_size=128, say"
        )
    if drop_last and batch_size > num_instances:
        raise ValueError(
            f"`batch_size` should be at most {num_instances}, the number of "
            f"instances, when `drop_last` is set (got {batch_size}), since no batch "
            f"would be left"
        )


def _epoch_generator(seed: int, epoch: int) -> Generator:
    # Not `seed + epoch`, which would make neighbouring seeds share epochs.
    state = np.random.SeedSequence((seed, epoch)).generate_state(1, np.uint64)
    return Generator().manual_seed(int(state[0] >> 1))
