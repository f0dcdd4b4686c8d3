r"""Embeddings of a whole data set: by a fresh pass, or from a bank."""

import copy
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Batch
from torch_geometric.data.data import BaseData

from pyg_prosampler.collate import StorageCollater
from pyg_prosampler.storage import Layout

Encoder = Callable[[Batch], Tensor]

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
    device: torch.device | str | None = None,
    exclude_keys: list[str] | None = None,
) -> Tensor:
    r"""Encodes every graph of a data set, in evaluation mode and without
    gradients.

    Training flags of all sub-modules, batch-norm statistics and the global
    random states of Python, NumPy and torch are left exactly as they were.

    Args:
        encoder (torch.nn.Module or Callable): Maps a
            :class:`~torch_geometric.data.Batch` to :math:`[B, d]`. A module or
            one of its methods; any other callable is taken as it is.
        dataset (Dataset or Sequence[BaseData]): The graphs, with or without transforms.
        batch_size (int, optional): The number of graphs encoded at a time.
            (default: :obj:`128`)
        device (torch.device, optional): Where batches are moved to. (default:
            :obj:`None`, the device of the encoder's parameters)
        exclude_keys (list[str], optional): Attributes to leave out of batches.
            (default: :obj:`None`)

    Returns:
        torch.Tensor: The embeddings :math:`[N, d]`, in the order of the data
        set, on the device of the encoder.

    Raises:
        ValueError: If the data set is empty, if the encoder does not return
            one row per graph, or if it lives on another device than asked for.

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
        device=device,
        exclude_keys=exclude_keys,
        max_kept_bytes=0,
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
        encoder, dataset, batch_size, device, exclude_keys: See
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
        self.device = device
        self.exclude_keys = exclude_keys
        self.max_kept_bytes = max_kept_bytes
        self._collater = StorageCollater(dataset, exclude_keys=exclude_keys)
        self._layout: Layout | None = None
        self._kept: dict[range, _KeptBatch] = {}

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

        outputs = []
        with _untouched(self.encoder, device):
            for first in range(0, num_graphs, self.batch_size):
                indices = range(first, min(first + self.batch_size, num_graphs))
                output = self.encoder(self._batch(indices, device))
                outputs.append(_checked_output(output, len(indices)))
        return torch.cat(outputs)

    def _batch(self, indices: range, device: torch.device | None) -> Batch:
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


class EmbeddingBank:
    r"""Keeps the latest embedding of every graph, as the training loop has
    computed it. Callable, so that it serves as source of embeddings.

    Graphs that were never updated have the zero vector, which is equally far
    (cosine 0) from everything.

    Args:
        num_graphs (int): The number of graphs :math:`N`.

    Example:
        >>> bank = EmbeddingBank(3)
        >>> bank.update(torch.tensor([2, 0]), torch.eye(2))
        >>> bank()
        tensor([[0., 1.],
                [0., 0.],
                [1., 0.]])
    """

    def __init__(self, num_graphs: int) -> None:
        self.num_graphs = num_graphs
        self.embeddings: Tensor | None = None

    def update(self, graph_id: Tensor, embeddings: Tensor) -> None:
        r"""Stores embeddings :math:`[B, d]` of the graphs with data-set
        indices :math:`[B]`, detached.

        Raises:
            ValueError: If their shapes do not fit each other or what is kept.
        """
        if embeddings.dim() != 2 or embeddings.size(0) != graph_id.numel():
            raise ValueError(
                f"`embeddings` should have one row for each of the "
                f"{graph_id.numel()} graphs (got shape {list(embeddings.shape)})"
            )
        embeddings = embeddings.detach()
        if self.embeddings is None:
            self.embeddings = embeddings.new_zeros(self.num_graphs, embeddings.size(1))
        if embeddings.size(1) != self.embeddings.size(1):
            raise ValueError(
                f"`embeddings` should have {self.embeddings.size(1)} channels like "
                f"those kept so far (got {embeddings.size(1)})"
            )
        kept = self.embeddings
        kept[graph_id.to(kept.device)] = embeddings.to(kept.device, kept.dtype)

    def __call__(self) -> Tensor:
        if self.embeddings is None:
            raise ValueError(
                "the embedding bank is empty; call `loader.update(batch, z)` after "
                "every training step, and keep at least one warm-up epoch"
            )
        return self.embeddings


def _module_of(encoder: Encoder) -> torch.nn.Module | None:
    owner = encoder if isinstance(encoder, torch.nn.Module) else None
    owner = getattr(encoder, "__self__", owner)
    return owner if isinstance(owner, torch.nn.Module) else None


def _resolve_device(
    encoder: Encoder, device: torch.device | str | None
) -> torch.device | None:
    wanted = None if device is None else torch.device(device)
    module = _module_of(encoder)
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


@contextmanager
def _untouched(encoder: Encoder, device: torch.device | None) -> Iterator[None]:
    module = _module_of(encoder)
    modules = [] if module is None else list(module.modules())
    flags = [module.training for module in modules]
    states = random.getstate(), np.random.get_state()  # noqa: NPY002
    on_cuda = device is not None and device.type == "cuda"
    try:
        with torch.random.fork_rng(devices=[device] if on_cuda else []):
            for module in modules:
                module.training = False
            yield
    finally:
        for module, flag in zip(modules, flags, strict=True):
            module.training = flag
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002
