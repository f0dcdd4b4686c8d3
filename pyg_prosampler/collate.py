r"""Batches straight from the storage of in-memory data sets."""

import copy
import math
import operator
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Subset, get_worker_info
from torch_geometric.data import Batch, Data

from pyg_prosampler.layout import Attribute, Layout, Pieces, cumsum
from pyg_prosampler.storage import Storage, hands_out_what_it_stores

# Gathering the columns of a few rows, such as those of `edge_index`, is three times as
# fast row by row.
_MAX_ROWS = 4


class StorageCollater:
    r"""Collates graphs of an :class:`~torch_geometric.data.InMemoryDataset`, or of
    a :class:`~torch.utils.data.Subset` of one, straight from the tensors that it
    stores: without a :class:`~torch_geometric.data.Data` object for each graph.

    The result cannot be told from that of
    :meth:`Batch.from_data_list() <torch_geometric.data.Batch.from_data_list>`.
    Where this cannot be promised, there is none and PyG has to collate: with a
    transform, for data sets with an access of their own, for attributes other than
    tensors and strings, and for graphs that were changed in the data set's cache.
    All of this is checked at every call, so that a data set may change meanwhile.

    Args:
        dataset (Dataset): Any data set.
        follow_batch (list[str], optional): Creates assignment batch vectors for
            each key in the list. (default: :obj:`None`)
        exclude_keys (list[str], optional): Will exclude each key in the list.
            (default: :obj:`None`)

    Example:
        >>> from torch_geometric.datasets import FakeDataset
        >>> dataset = FakeDataset(num_graphs=4, num_channels=3)
        >>> batch = StorageCollater(dataset)([2, 0])
        >>> torch.equal(batch[1].x, dataset[0].x)
        True
    """

    def __init__(
        self,
        dataset: Any,
        follow_batch: Iterable[str] | None = None,
        exclude_keys: Iterable[str] | None = None,
    ) -> None:
        self.dataset = dataset
        self.follow_batch = set(follow_batch or ())
        self.exclude_keys = set(exclude_keys or ())
        self._storage: Storage | None = None
        self._empty: dict[type[Data], Batch] = {}

    def __call__(self, indices: Sequence[int]) -> Batch | None:
        r"""Returns the batch of the graphs with these data-set indices, or
        :obj:`None` if PyG has to collate them.
        """
        located = self.locate(indices)
        return None if located is None else self.collate(*located)

    def locate(self, indices: Sequence[int]) -> tuple[Layout, list[int]] | None:
        r"""Returns how graphs lie in storage and which ones of all that are stored
        they are, or :obj:`None` if PyG has to collate them. The layout is the same
        object as long as what is stored does not change.
        """
        try:
            dataset, rows = self.dataset, list(indices)
            while type(dataset) is Subset:
                rows = [dataset.indices[i] for i in rows]
                dataset = dataset.dataset
            if not hands_out_what_it_stores(dataset):
                return None
            stored = dataset.indices()
            rows = [operator.index(stored[i]) for i in rows]
            if self._storage is None or not self._storage.is_current(dataset):
                self._storage = Storage(dataset)
            layout = self._storage.layout
            is_at_hand = (
                layout is not None
                and len(rows) > 0
                and 0 <= min(rows) <= max(rows) < dataset.len()
                and self._storage.are_handed_out(rows, dataset._data_list)
            )
        except (IndexError, TypeError):  # PyG says what is wrong with an index.
            return None
        return (layout, rows) if layout is not None and is_at_hand else None

    def collate(self, layout: Layout, rows: list[int]) -> Batch:
        r"""Returns the batch of graphs that were located."""
        row, number = torch.tensor(rows), torch.arange(len(rows))
        selections: dict[Pieces, Selection] = {}
        device: torch.device | None = None
        out = self._new_batch(layout.cls)
        store = out._store
        slice_dict: dict[str, Tensor] = {}
        inc_dict: dict[str, Tensor | None] = {}
        for attribute in layout.attributes:
            name, pieces = attribute.name, attribute.pieces
            if name in self.exclude_keys or name == "ptr":
                continue
            if pieces not in selections:
                selections[pieces] = Selection(pieces, row)
            selection = selections[pieces]
            incs = None
            if attribute.increments is not None:
                incs = cumsum(attribute.increments[row[:-1]])
            value = _collate(attribute, rows, selection, incs)
            if isinstance(value, Tensor) and value.is_cuda:
                device = value.device
            store[name] = value
            slice_dict[name] = selection.ptr.clone()
            if incs is None and isinstance(value, Tensor):
                incs = torch.zeros_like(row)
            inc_dict[name] = incs
            if name in self.follow_batch:
                store[f"{name}_batch"] = selection.repeat(number).to(device)
                store[f"{name}_ptr"] = selection.ptr.clone().to(device)
        if layout.listed_num_nodes is not None and "num_nodes" not in self.exclude_keys:
            store._num_nodes = [layout.listed_num_nodes[row] for row in rows]
            store.num_nodes = sum(store._num_nodes)
        if layout.nodes is not None:
            if layout.nodes not in selections:
                selections[layout.nodes] = Selection(layout.nodes, row)
            selection = selections[layout.nodes]
            store.batch = selection.repeat(number).to(device)
            store.ptr = selection.ptr.clone().to(device)
        out._num_graphs = len(rows)
        out._slice_dict = slice_dict
        out._inc_dict = inc_dict
        return out

    def _new_batch(self, cls: type[Data]) -> Batch:
        if cls.__init__ is not Data.__init__:
            return Batch(_base_cls=cls)
        # PyG looks at the class each time, which costs more than a copy.
        if cls not in self._empty:
            self._empty[cls] = Batch(_base_cls=cls)
        return copy.copy(self._empty[cls])

    def __getstate__(self) -> dict[str, Any]:
        # Workers that are not forked find it out anew: what is stored has moved.
        return {**self.__dict__, "_storage": None, "_empty": {}}


class Selection:
    r"""The pieces of some graphs, side by side."""

    def __init__(self, pieces: Pieces, row: Tensor) -> None:
        self._pieces = pieces
        self._row = row
        self.size = pieces.size[row]
        self.ptr = cumsum(self.size)
        self.num_entries = int(self.ptr[-1])

    def repeat(self, values: Tensor) -> Tensor:
        r"""Repeats a graph's value for each of its entries."""
        return values.repeat_interleave(self.size, output_size=self.num_entries)

    @cached_property
    def index(self) -> Tensor:
        r"""The places of the entries in storage."""
        first = self._pieces.first[self._row]
        if self._pieces.are_single:
            return first
        index = self.repeat(first - self.ptr[:-1])
        return index.add_(torch.arange(self.num_entries))


def _collate(
    attribute: Attribute, rows: list[int], selection: Selection, incs: Tensor | None
) -> Tensor | list[str]:
    r"""Returns the pieces of graphs in one, with what is added to them."""
    value = attribute.value
    if isinstance(value, list):
        return [value[row] for row in rows]
    dim = attribute.dim or 0
    out = _empty_like(value, dim, selection.num_entries)
    # PyG looks at the last one, too.
    if incs is not None and incs.dim() == 1 and int(incs[-1]) == 0:
        incs = None
    if not attribute.pieces.are_small:
        views = [attribute.views[row] for row in rows]
        if incs is None:
            return torch.cat(views, dim, out=out)
        # In a single pass over memory.
        for view, inc, piece in zip(
            views,
            incs.tolist() if incs.dim() == 1 else incs.to(out.device),
            out.split(selection.size.tolist(), dim),
            strict=True,
        ):
            torch.add(view, inc, out=piece)
        return out
    _gather(value, dim, selection.index.to(out.device), out)
    if incs is not None and incs.dim() == 1:
        shape = [1] * out.dim()
        shape[dim] = -1
        out += selection.repeat(incs).to(out.device).view(shape)
    elif incs is not None:
        pieces = out.split(selection.size.tolist(), dim)
        for piece, inc in zip(pieces, incs.to(out.device), strict=True):
            piece += inc
    return out


def _gather(value: Tensor, dim: int, index: Tensor, out: Tensor) -> None:
    if value.dim() == 2 and dim in (1, -1) and value.size(0) <= _MAX_ROWS:
        for row, out_row in zip(value, out, strict=True):
            torch.index_select(row, 0, index, out=out_row)
    else:
        torch.index_select(value, dim, index, out=out)


def _empty_like(value: Tensor, dim: int, size: int) -> Tensor:
    shape = [*value.shape]
    shape[dim] = size
    if get_worker_info() is None:
        return value.new_empty(shape)
    # In the memory that is shared with the main process, as PyG does.
    storage = value.untyped_storage()._new_shared(
        math.prod(shape) * value.element_size(), device=value.device
    )
    return value.new(storage).resize_(shape)
