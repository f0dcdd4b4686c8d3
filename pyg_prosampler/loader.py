r"""The drop-in replacement for :class:`torch_geometric.loader.DataLoader`."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset
from torch_geometric.data import Batch
from torch_geometric.data.data import BaseData
from torch_geometric.loader import DataLoader
from torch_geometric.loader.dataloader import Collater

from pyg_prosampler.bank import EmbeddingBank
from pyg_prosampler.collate import StorageCollater
from pyg_prosampler.encode import (
    MAX_KEPT_BYTES,
    DatasetEncoder,
    Encoder,
    GraphDataset,
)
from pyg_prosampler.policies import BatchFunction, BatchPolicy, UniformPolicy
from pyg_prosampler.sampler import ProSampler
from pyg_prosampler.schedule import Schedule

EMBEDDING_SOURCES = ("encoder", "bank")


class ProSamplerLoader(DataLoader):
    r"""A data loader whose batches are hard: every one of them is what a random
    walk with restart visits on the proximity graph of the data set under the
    current encoder (`"ProSampler" <https://arxiv.org/abs/2306.03355>`_).

    It replaces :class:`torch_geometric.loader.DataLoader` with
    :obj:`shuffle=True`: by default, an epoch has the same number of batches and
    every graph exactly once. Batches carry the data-set indices of their graphs
    as :obj:`batch.graph_id`. Every iteration draws the next epoch; the first
    one is uniform (warm-up).

    With workers, up to :obj:`prefetch_factor * num_workers + 1` batches are
    drawn ahead of the one in training, so they lag a refresh by as many steps.

    Args:
        dataset (Dataset or Sequence[BaseData]): The graphs; never changed.
        batch_size (int, optional): The number of graphs in a batch, at least
            2. (default: :obj:`1`, which is refused)
        encoder (torch.nn.Module or Callable): Maps a
            :class:`~torch_geometric.data.Batch` to graph embeddings
            :math:`[B, d]`. It is run on the whole data set at every refresh, in
            evaluation mode and without side effects if it is a module or a method of
            one; a lambda is taken as it is, see :meth:`~pyg_prosampler.encode_dataset`.
            May be :obj:`None` where
            no embeddings are computed: with :obj:`embedding_source="bank"`, or
            for :class:`~pyg_prosampler.policies.UniformPolicy`.
        embedding_source (str, optional): :obj:`"encoder"` for a fresh pass at
            every refresh, or :obj:`"bank"` for the embeddings that the training
            loop hands over by :meth:`update`. (default: :obj:`"encoder"`)
        encode_batch_size (int, optional): The number of graphs encoded at a
            time. (default: :obj:`None`, :obj:`batch_size`)
        recompute_norms (bool, optional): Whether a fresh pass comes after another one
            for the statistics of batch norms, if there are any; those recorded in
            training fit no data set once batches are hard, see
            :meth:`~pyg_prosampler.encode_dataset`. (default: :obj:`True`)
        max_kept_bytes (int, optional): How much memory the batches may take up
            that are kept from one refresh to the next, on the encoder's device.
            Those of an in-memory data set without a transform are; all others
            are collated anew. (default: :obj:`2**30`, 1 GiB)
        num_candidates, num_neighbors, restart_prob, coverage, refresh_every, \
        num_warmup_epochs, drop_last, seed, max_steps, backend, candidates, policy:
            See :class:`~pyg_prosampler.ProSampler`.
        follow_batch (list[str], optional): Creates assignment batch vectors for
            each key in the list. (default: :obj:`None`)
        exclude_keys (list[str], optional): Will exclude each key in the list.
            (default: :obj:`None`)
        **kwargs (optional): Additional arguments of
            :class:`torch.utils.data.DataLoader`, such as :obj:`num_workers`,
            :obj:`pin_memory`, :obj:`persistent_workers`, :obj:`generator` or
            :obj:`worker_init_fn`.

    Raises:
        ValueError: If an argument is out of its range, or if :obj:`shuffle`,
            :obj:`sampler` or :obj:`batch_sampler` is given.

    Example:
        >>> from torch_geometric.data import Data
        >>> from torch_geometric.nn import global_mean_pool
        >>> graphs = [Data(x=torch.randn(4, 3)) for _ in range(10)]
        >>> loader = ProSamplerLoader(
        ...     graphs, batch_size=4,
        ...     encoder=lambda batch: global_mean_pool(batch.x, batch.batch),
        ... )
        >>> sorted(int(i) for batch in loader for i in batch.graph_id)
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    """

    def __init__(
        self,
        dataset: GraphDataset,
        batch_size: int = 1,
        *,
        encoder: Encoder | None,
        embedding_source: str = "encoder",
        encode_batch_size: int | None = None,
        recompute_norms: bool = True,
        max_kept_bytes: int = MAX_KEPT_BYTES,
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
        follow_batch: list[str] | None = None,
        exclude_keys: list[str] | None = None,
        **kwargs: Any,
    ) -> None:
        for name in ("shuffle", "sampler", "batch_sampler"):
            if name in kwargs:
                raise ValueError(
                    f"`{name}` cannot be given (got {kwargs[name]!r}), since choosing "
                    f"and ordering batches is what this loader does; leave it out"
                )
        if len(dataset) == 0:
            raise ValueError("`dataset` should hold at least two graphs (got none)")
        if embedding_source not in EMBEDDING_SOURCES:
            raise ValueError(
                f"`embedding_source` should be one of {EMBEDDING_SOURCES} "
                f"(got '{embedding_source}')"
            )
        needs_encoder = embedding_source == "encoder" and not isinstance(
            policy, UniformPolicy
        )
        if needs_encoder and not callable(encoder):
            raise ValueError(
                f"`encoder` should map a batch to graph embeddings (got {encoder!r}); "
                f"pass your model's encoder, or embedding_source='bank'"
            )
        self.encoder = encoder
        self.embedding_source = embedding_source
        self.bank = EmbeddingBank(len(dataset))
        source: Callable[[], Tensor] = self.bank
        if embedding_source == "encoder" and encoder is not None:
            source = DatasetEncoder(
                encoder,
                dataset,
                batch_size=encode_batch_size or batch_size,
                recompute_norms=recompute_norms,
                exclude_keys=exclude_keys,
                max_kept_bytes=max_kept_bytes,
            )
        indexed = IndexedDataset(dataset)
        sampler = ProSampler(
            source,
            len(indexed),
            batch_size,
            num_candidates=num_candidates,
            num_neighbors=num_neighbors,
            restart_prob=restart_prob,
            coverage=coverage,
            refresh_every=refresh_every,
            num_warmup_epochs=num_warmup_epochs,
            drop_last=drop_last,
            seed=seed,
            max_steps=max_steps,
            backend=backend,
            candidates=candidates,
            policy=policy,
        )
        kwargs.pop("collate_fn", None)  # As PyG does, for Lightning.
        super().__init__(
            indexed,
            follow_batch=follow_batch,
            exclude_keys=exclude_keys,
            batch_sampler=sampler,
            **kwargs,
        )
        self.collate_fn = IndexedCollater(dataset, follow_batch, exclude_keys)

    def __iter__(self) -> Iterator[Any]:
        self.collate_fn.prepare()
        return super().__iter__()

    def set_epoch(self, epoch: int) -> None:
        r"""Sets the epoch that the next iteration draws. Without it, every
        iteration draws the epoch after the last one.
        """
        self.batch_sampler.set_epoch(epoch)

    def update(self, batch: Batch | Tensor, embeddings: Tensor) -> None:
        r"""Hands over the embeddings :math:`[B, d]` that the training loop has
        just computed for a batch, for instance the concatenated projections of
        both views. They are detached and kept until the next update.

        Args:
            batch (Batch or torch.Tensor): A batch of this loader, or the
                data-set indices of its graphs.
            embeddings (torch.Tensor): Their embeddings :math:`[B, d]`.

        Raises:
            ValueError: If embeddings do not come from the bank, or if the
                shapes do not fit.
        """
        if self.embedding_source != "bank":
            raise ValueError(
                "`update` feeds the embedding bank, which is not in use; create the "
                "loader with embedding_source='bank'"
            )
        graph_id = batch if isinstance(batch, Tensor) else batch.graph_id
        self.bank.update(graph_id, embeddings)


class IndexedDataset(Dataset):
    r"""Behaves as the data set that it holds, but leaves it to the collate function
    to take out the graphs of a batch.
    """

    def __init__(self, dataset: GraphDataset) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: Any) -> Any:
        return self.dataset[index]

    def __iter__(self) -> Iterator[BaseData]:
        return (self[index] for index in range(len(self)))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "dataset":  # While it is unpickled.
            raise AttributeError(name)
        return getattr(self.dataset, name)

    def __getitems__(self, indices: list[int]) -> list[int]:
        return indices


class IndexedCollater:
    r"""Collates the graphs of a data set by their indices, as PyG does, and adds
    these as :obj:`graph_id`.
    """

    def __init__(
        self,
        dataset: GraphDataset,
        follow_batch: Iterable[str] | None,
        exclude_keys: Iterable[str] | None,
    ) -> None:
        self.dataset = dataset
        self.fast = StorageCollater(dataset, follow_batch, exclude_keys)
        self.plain = Collater(dataset, follow_batch, exclude_keys)
        self.add_graph_id = "graph_id" not in self.fast.exclude_keys

    def prepare(self) -> None:
        r"""Looks at the data set once, in place of every worker."""
        self.fast.locate([0])

    def __call__(self, indices: list[int]) -> Any:
        batch = self.fast(indices)
        if batch is None:
            batch = self.plain([self.dataset[index] for index in indices])
        if self.add_graph_id:
            for part in batch if isinstance(batch, list | tuple) else [batch]:
                if isinstance(part, BaseData):
                    _set_graph_id(part, indices)
        return batch


def _set_graph_id(batch: Batch, indices: list[int]) -> None:
    # Recorded as if each graph had brought its own, so that batches come apart
    # again with it.
    batch.graph_id = torch.tensor(indices)
    batch._slice_dict["graph_id"] = torch.arange(len(indices) + 1)
    batch._inc_dict["graph_id"] = torch.zeros(len(indices), dtype=torch.long)
