r"""Embeddings of a whole data set by a fresh pass."""

import copy
from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

import torch
from torch import Tensor
from torch_geometric.data import Batch
from torch_geometric.data.data import BaseData

from pyg_prosampler.collate import StorageCollater
from pyg_prosampler.layout import Layout
from pyg_prosampler.modes import (
    evaluating,
    module_of,
    recomputed_norms,
    recording_norms,
)

Encoder = Callable[[Batch], Tensor]
Indices = range | tuple[int, ...]

MAX_KEPT_BYTES = 2**30


class GraphDataset(Protocol):
    r"""Graphs by index: a PyG data set, a subset, a list."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> BaseData: ...


def encode_dataset(
    encoder: Encoder,
    dataset: GraphDataset,
    *,
    batch_size: int = 128,
    recompute_norms: bool = False,
    device: torch.device | str | None = None,
    exclude_keys: list[str] | None = None,
) -> Tensor:
    r"""Encodes every graph of a data set, in evaluation mode and without
    gradients.

    Training flags of all sub-modules, batch-norm statistics and the global
    random states of Python, NumPy and torch are left exactly as they were.

    Args:
        encoder (torch.nn.Module or Callable): Maps a
            :class:`~torch_geometric.data.Batch` to :math:`[B, d]`. A module, one of
            its methods, or a :class:`functools.partial` of either. What modules are in
            any other callable, such as a lambda, cannot be seen: it is taken as it is,
            in its own mode and with its own batch norms.
        dataset (Dataset or Sequence[BaseData]): The graphs, with or without transforms.
        batch_size (int, optional): The number of graphs encoded at a time.
            (default: :obj:`128`)
        recompute_norms (bool, optional): Whether batch norms use their statistics over
            random batches of the data set under the current weights, at the cost of
            another pass, in place of those recorded in training. The latter are
            those of the training batches, which hard ones make unlike the data
            set. (default: :obj:`False`)
        device (torch.device, optional): Where batches are moved to. (default:
            :obj:`None`, the device of the encoder's parameters)
        exclude_keys (list[str], optional): Attributes to leave out of batches.
            (default: :obj:`None`)

    Returns:
        torch.Tensor: The embeddings :math:`[N, d]`, in the order of the data
        set, on the device of the encoder.

    Raises:
        ValueError: If the data set is empty, if it is a single graph and batch norms
            are to be recomputed, if the encoder does not return one row per graph, or
            if it lives on another device than asked for.

    Example:
        >>> from torch_geometric.data import Data
        >>> graphs = [Data(x=torch.full((n, 1), 2.0)) for n in (1, 2, 3)]
        >>> encode_dataset(lambda batch: batch.x[batch.ptr[:-1]], graphs)
        tensor([[2.],
                [2.],
                [2.]])
    """
    encode = DatasetEncoder(
        encoder,
        dataset,
        batch_size=batch_size,
        recompute_norms=recompute_norms,
        device=device,
        exclude_keys=exclude_keys,
        # What is used twice is collated once.
        max_kept_bytes=MAX_KEPT_BYTES if recompute_norms else 0,
    )
    return encode()


class DatasetEncoder:
    r"""Encodes a data set again and again, as :meth:`encode_dataset` does once.

    Batches that come straight from storage, see
    :class:`~pyg_prosampler.collate.StorageCollater`, are kept on the encoder's
    device up to a bound, and used again as long as the data set stores the same
    and no encoder has written into them. A change behind the back of autograd,
    through :obj:`tensor.data` or NumPy, goes unnoticed.

    Args:
        encoder, dataset, batch_size, recompute_norms, device, exclude_keys: See
            :meth:`encode_dataset`.
        max_kept_bytes (int, optional): How much memory kept batches may take up;
            the others are collated anew. (default: :obj:`2**30`, 1 GiB)

    Raises:
        ValueError: As :meth:`encode_dataset`, when it is called, or if the bound is
            negative.
    """

    def __init__(
        self,
        encoder: Encoder,
        dataset: GraphDataset,
        *,
        batch_size: int = 128,
        recompute_norms: bool = False,
        device: torch.device | str | None = None,
        exclude_keys: list[str] | None = None,
        max_kept_bytes: int = MAX_KEPT_BYTES,
    ) -> None:
        if max_kept_bytes < 0:
            raise ValueError(
                f"`max_kept_bytes` should not be negative (got {max_kept_bytes}); "
                f"pass 0 to keep no batches"
            )
        self.encoder = encoder
        self.dataset = dataset
        self.batch_size = batch_size
        self.recompute_norms = recompute_norms
        self.device = device
        self.exclude_keys = exclude_keys
        self.max_kept_bytes = max_kept_bytes
        self._collater = StorageCollater(dataset, exclude_keys=exclude_keys)
        self._layout: Layout | None = None
        self._kept: dict[Indices, _KeptBatch] = {}

    @torch.no_grad()
    def __call__(self) -> Tensor:
        num_graphs = len(self.dataset)
        if num_graphs == 0:
            raise ValueError("`dataset` should hold at least one graph (got none)")
        if self.batch_size < 1:
            raise ValueError(
                f"`batch_size` should be at least 1 (got {self.batch_size})"
            )
        device = _resolve_device(self.encoder, self.device)

        module = module_of(self.encoder)
        norms = recording_norms(module) if self.recompute_norms else []
        if norms and num_graphs < 2:
            raise ValueError(
                f"`dataset` should hold at least 2 graphs for `recompute_norms`, since "
                f"one has no statistics (got {num_graphs}); pass recompute_norms=False"
            )
        with evaluating(module, device):
            if not norms:
                return torch.cat(list(self._passes(self._in_order(), device)))
            parts = self._at_random()
            with recomputed_norms(norms, lambda: self._passes(parts, device)):
                outputs = torch.cat(list(self._passes(parts, device)))
        order = torch.tensor([index for part in parts for index in part])
        return outputs[order.argsort().to(outputs.device)]

    def _in_order(self) -> list[Indices]:
        num_graphs = len(self.dataset)
        return [
            range(first, min(first + self.batch_size, num_graphs))
            for first in range(0, num_graphs, self.batch_size)
        ]

    def _at_random(self) -> list[Indices]:
        # Always the same ones, of about the same size. Neighbours in a data set are
        # often alike, so that batches in order would have statistics of their own.
        generator = torch.Generator().manual_seed(0)
        num_graphs = len(self.dataset)
        order = torch.randperm(num_graphs, generator=generator)
        # A batch of one graph may have no statistics.
        num_parts = min(-(-num_graphs // self.batch_size), max(1, num_graphs // 2))
        return [tuple(part.tolist()) for part in order.tensor_split(num_parts)]

    def _passes(
        self, parts: list[Indices], device: torch.device | None
    ) -> Iterator[Tensor]:
        for indices in parts:
            output = self.encoder(self._batch(indices, device))
            yield _checked_output(output, len(indices))

    def _batch(self, indices: Indices, device: torch.device | None) -> Batch:
        located = self._collater.locate(indices)
        if located is None:
            batch = Batch.from_data_list(
                [self.dataset[i] for i in indices], exclude_keys=self.exclude_keys
            )
            return batch if device is None else batch.to(device)
        layout, rows = located
        if self._layout is not layout:  # None of what is kept is stored by now.
            self._layout = layout
            self._kept.clear()
        kept = self._kept.get(indices)
        if kept is None or not kept.is_as_made(rows, device):
            self._kept.pop(indices, None)
            with torch.inference_mode(False):  # For tensors that count versions.
                batch = self._collater.collate(layout, rows)
                batch = batch if device is None else batch.to(device)
            kept = _KeptBatch.of(batch, rows, device)
            num_bytes = sum(other.num_bytes for other in self._kept.values())
            if num_bytes + kept.num_bytes <= self.max_kept_bytes:
                self._kept[indices] = kept
        # The encoder may set attributes.
        return copy.copy(kept.batch)


class _KeptBatch(NamedTuple):
    batch: Batch
    rows: list[int]
    device: torch.device | None
    versions: list[int]
    num_bytes: int

    @classmethod
    def of(
        cls, batch: Batch, rows: list[int], device: torch.device | None
    ) -> "_KeptBatch":
        num_bytes = sum(tensor.nbytes for tensor in _tensors_of(batch))
        return cls(batch, rows, device, _versions_of(batch), num_bytes)

    def is_as_made(self, rows: list[int], device: torch.device | None) -> bool:
        return (
            self.rows == rows
            and self.device == device
            and self.versions == _versions_of(self.batch)
        )


def _tensors_of(batch: Batch) -> list[Tensor]:
    return [value for _, value in batch if isinstance(value, Tensor)]


def _versions_of(batch: Batch) -> list[int]:
    return [tensor._version for tensor in _tensors_of(batch)]


def _checked_output(output: Tensor, num_graphs: int) -> Tensor:
    if not isinstance(output, Tensor) or output.shape[:-1] != (num_graphs,):
        got = (
            f"shape {list(output.shape)}"
            if isinstance(output, Tensor)
            else f"a {type(output).__name__}"
        )
        raise ValueError(
            f"`encoder` should map a batch of {num_graphs} graphs to "
            f"[{num_graphs}, channels] (got {got}); pool its node "
            f"embeddings, for instance by `global_add_pool`"
        )
    return output


def _resolve_device(
    encoder: Encoder, device: torch.device | str | None
) -> torch.device | None:
    wanted = None if device is None else torch.device(device)
    module = module_of(encoder)
    if module is None:
        return wanted
    tensors = [*module.parameters(), *module.buffers()]
    devices = {tensor.device for tensor in tensors}
    if len(devices) > 1:
        raise ValueError(
            f"`encoder` should live on one device (got {sorted(map(str, devices))}); "
            f"move it with `encoder.to(device)`"
        )
    actual = devices.pop() if devices else wanted
    # "cuda" stands for whichever CUDA device the encoder is on.
    if (
        wanted is not None
        and actual is not None
        and (wanted.type, wanted.index if wanted.index is not None else actual.index)
        != (actual.type, actual.index)
    ):
        raise ValueError(
            f"`device` is '{wanted}', but `encoder` lives on '{actual}'; move it "
            f"with `encoder.to('{wanted}')`"
        )
    return actual
