r"""Keeps watch over the batches of a run at next to no cost."""

import time
import warnings
from itertools import accumulate
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor

from pyg_prosampler.hardness.estimate import estimate
from pyg_prosampler.hardness.measures import count_graphs

# Embeddings below either of these have collapsed. Those of untrained GIN encoders
# may come close, with a spread of 0.01 and a rank of 1.01, but leave within an epoch.
LEAST_SPREAD = 1e-3
LEAST_RANK = 1.02

# False negatives run away when, of what lies between the uniform floor and 1, their
# rate has taken this share, and so much more of it than at first.
MOST_EXCESS = 0.5
MOST_GROWTH = 0.2

# Warnings are about trends: the number of epochs that means are over, and after
# which embeddings are looked at.
NUM_EPOCHS = 3

# Estimates are made in the first epoch that ends so many steps after the last ones,
# so that they are cheap where an epoch is a few small batches.
ESTIMATE_EVERY = 32


class HardnessMonitor:
    r"""Measures the batches of a run while it trains, and warns.

    A step costs :math:`O(B d)`, an epoch :math:`O(N d)`. Means and counts are exact.
    The rest is estimated on the batches since the last refresh, in epochs that end
    32 steps or more after the last estimates: quartiles from 256 random pairs, true
    nearest neighbours of 16 random members, effective rank on 128 to 255 rows.
    :meth:`~pyg_prosampler.hardness.hardness` says what the numbers are and has all
    of them exactly.

    Warns once in a run, by :class:`UserWarning` and with a remedy, when

    * embeddings have collapsed: after 3 epochs of training, their spread is below
      0.001 or their effective rank below 1.02;
    * false negatives run away: with the excess
      :math:`(\mathrm{rate} - \mathrm{floor}) / (1 - \mathrm{floor})`, its mean over
      the latest 3 epochs is above 0.5 and has grown by more than 0.2 since the first
      3, where warm-up does not count.

    Args:
        num_graphs (int): The number of graphs :math:`N` of the data set.
        watch_false_negatives (bool, optional): Whether to warn of false
            negatives. (default: :obj:`True`)

    Example:
        >>> monitor = HardnessMonitor(num_graphs=4)
        >>> monitor.measure_on(torch.eye(4))
        >>> monitor.step(torch.tensor([0, 1]), torch.tensor([1, 1]))
        >>> record = monitor.end_epoch(0)
        >>> record["false_negative_rate"], record["coverage"]
        (1.0, 0.5)
    """

    def __init__(self, num_graphs: int, *, watch_false_negatives: bool = True) -> None:
        self.num_graphs = num_graphs
        self.watch_false_negatives = watch_false_negatives
        self.labels: np.ndarray | None = None  # As far as they have been seen.
        self.is_known = np.zeros(num_graphs, dtype=bool)
        self.codes = np.zeros(num_graphs, dtype=int)  # The same as 0, 1, ...
        self.num_classes = 0
        self.false_negative_floor = 0.0
        self.steps_since_estimate = ESTIMATE_EVERY
        self.excesses: list[float] = []
        self.warned: set[str] = set()
        self._begin()

    def _begin(self) -> None:
        self.vectors: np.ndarray | None = None
        self.squares = np.empty(0)
        self.similarity_floor = 0.0
        self.similarities: list[float] = []
        self.floors: list[float] = []
        self.batches: list[Tensor] = []
        self.classes: list[Tensor] = []
        self.since_refresh = 0  # The batches from here on are of these vectors.
        self.seconds = 0.0

    def measure_on(self, embeddings: Tensor) -> None:
        r"""Measures the following batches of the epoch on these embeddings
        :math:`[N, d]`, those that they were drawn by, say.
        """
        began = time.perf_counter()
        if self.batches[self.since_refresh :]:
            self._measure_similarity(*_put_together(self.batches[self.since_refresh :]))
        self.since_refresh = len(self.batches)
        # In NumPy, whose calls cost less, which is all that counts for small data.
        rows = embeddings.detach().float().cpu().numpy()
        squares = np.einsum("nd,nd->n", rows, rows)
        scale = 1 / np.sqrt(np.maximum(squares, 1e-24))
        self.vectors = rows * scale[:, None]
        self.squares = (squares > 1e-24).astype(np.float32)  # 0 for zero rows.
        total = self.vectors.sum(axis=0, dtype=np.float64)
        num_pairs = self.num_graphs * (self.num_graphs - 1)
        self.similarity_floor = float(total @ total - self.squares.sum()) / num_pairs
        self.seconds += time.perf_counter() - began

    def step(self, graph_id: Tensor, labels: Tensor | None = None) -> None:
        r"""Takes note of a batch, given its distinct data-set indices :math:`[B]`,
        :math:`B \geq 2`, and maybe its class labels :math:`[B]`.
        """
        self.batches.append(graph_id)
        if labels is not None:
            self.classes.append(labels)

    def latest(self) -> dict[str, float]:
        r"""Measures the latest batch at once, for whoever shows progress: its
        :obj:`similarity` and :obj:`similarity_floor`, if there are embeddings.
        """
        if self.vectors is None:
            return {}
        batch = self.batches[-1].cpu().numpy()
        total = self.vectors[batch].sum(axis=0)
        pairs = float(total @ total - self.squares[batch].sum())
        return {
            "similarity": pairs / (batch.size * (batch.size - 1)),
            "similarity_floor": self.similarity_floor,
        }

    def end_epoch(self, epoch: int, is_warmup: bool = False) -> dict[str, Any]:
        r"""Ends an epoch of at least one step, and warns if need be.

        Returns:
            dict: Means over the steps, estimates, counts, and the seconds that
            measuring the epoch took; :obj:`None` for what was not to be had.
        """
        began = time.perf_counter()
        drawn, sizes, begin = _put_together(self.batches)
        if self.since_refresh == 0:
            self._measure_similarity(drawn, sizes, begin)
        elif self.batches[self.since_refresh :]:
            self._measure_similarity(*_put_together(self.batches[self.since_refresh :]))
        record: dict[str, Any] = {
            "similarity": _mean(self.similarities),
            "similarity_floor": _mean(self.floors),
            "similarity_quartiles": None,
            "neighbors_found": None,
            "neighbors_floor": None,
            "false_negative_rate": None,
            "false_negative_floor": None,
            **count_graphs(drawn, self.num_graphs),
            "effective_rank": None,
            "spread": None,
        }
        if self.vectors is not None:
            record["spread"] = 1.0 - self.similarity_floor
        if len(self.classes) == len(self.batches):
            record["false_negative_rate"] = self._false_negative_rate(drawn, sizes)
            record["false_negative_floor"] = self.false_negative_floor
        if self.vectors is not None and self._is_estimate_due():
            batches = [b.cpu().numpy() for b in self.batches[self.since_refresh :]]
            generator = Generator().manual_seed(epoch)
            record |= estimate(self.vectors, batches, generator)
        self._warn(epoch, is_warmup, record)
        seconds = self.seconds + time.perf_counter() - began
        self._begin()
        return record | {"hardness_seconds": seconds}

    def _measure_similarity(
        self, drawn: np.ndarray, sizes: np.ndarray, begin: np.ndarray
    ) -> None:
        if self.vectors is not None:
            rows = self.vectors.take(drawn, axis=0)
            totals = np.add.reduceat(rows, begin, axis=0, dtype=np.float64)
            squares = np.add.reduceat(self.squares[drawn], begin)
            pairs = np.einsum("nd,nd->n", totals, totals) - squares
            self.similarities += (pairs / (sizes * (sizes - 1))).tolist()
            self.floors += [self.similarity_floor] * sizes.size

    def _false_negative_rate(self, drawn: np.ndarray, sizes: np.ndarray) -> float:
        if not self.is_known.all():
            self._learn_labels(drawn, torch.cat(self.classes).cpu().numpy())
        owner = np.repeat(np.arange(sizes.size), sizes)
        counts = np.bincount(
            owner * self.num_classes + self.codes[drawn],
            minlength=sizes.size * self.num_classes,
        ).reshape(sizes.size, self.num_classes)
        same = np.einsum("nc,nc->n", counts, counts) - sizes
        return float((same / (sizes * (sizes - 1))).mean())

    def _learn_labels(self, drawn: np.ndarray, classes: np.ndarray) -> None:
        if self.labels is None:
            self.labels = np.zeros(self.num_graphs, classes.dtype)
        self.labels[drawn] = classes
        self.is_known[drawn] = True
        values, codes = np.unique(self.labels[self.is_known], return_inverse=True)
        self.codes[self.is_known] = codes
        self.num_classes = values.size
        shares = np.bincount(codes) / codes.size
        self.false_negative_floor = float(shares @ shares)

    def _is_estimate_due(self) -> bool:
        self.steps_since_estimate += len(self.batches)
        is_due = self.steps_since_estimate >= ESTIMATE_EVERY
        if not is_due or len(self.batches) == self.since_refresh:
            return False
        self.steps_since_estimate = 0
        return True

    def _warn(self, epoch: int, is_warmup: bool, record: dict[str, Any]) -> None:
        for key, least in (("spread", LEAST_SPREAD), ("effective_rank", LEAST_RANK)):
            value = record[key]
            if epoch >= NUM_EPOCHS and value is not None and value < least:
                self._warn_once(
                    "collapse",
                    f"the embeddings have collapsed by epoch {epoch}: their "
                    f"{key.replace('_', ' ')} is {value:.2g} (usual is more than "
                    f"{least}), so that the graphs cannot be told apart; lower the "
                    f"learning rate, raise the temperature, or look at the node "
                    f"features",
                )
        rate, floor = record["false_negative_rate"], record["false_negative_floor"]
        if is_warmup or rate is None or floor == 1.0 or not self.watch_false_negatives:
            return
        self.excesses.append((rate - floor) / (1.0 - floor))
        if len(self.excesses) < 2 * NUM_EPOCHS:
            return
        first = sum(self.excesses[:NUM_EPOCHS]) / NUM_EPOCHS
        latest = sum(self.excesses[-NUM_EPOCHS:]) / NUM_EPOCHS
        if latest > max(MOST_EXCESS, first + MOST_GROWTH):
            self._warn_once(
                "false negatives",
                f"false negatives run away: by epoch {epoch}, {rate:.0%} of the pairs "
                f"in a batch are of the same class (uniform batches: {floor:.0%}), and "
                f"their excess has grown from {first:.0%} to {latest:.0%} of what is "
                f"possible; make batches less hard, by fewer `num_candidates` say, or "
                f"use a debiased objective",
            )

    def _warn_once(self, kind: str, message: str) -> None:
        if kind not in self.warned:
            self.warned.add(kind)
            warnings.warn(message, UserWarning, stacklevel=4)


def _put_together(batches: list[Tensor]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    r"""Returns all indices of batches, their sizes, and where each begins."""
    sizes = [batch.numel() for batch in batches]
    begin = [0, *accumulate(sizes[:-1])]
    return torch.cat(batches).cpu().numpy(), np.array(sizes), np.array(begin)


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None
