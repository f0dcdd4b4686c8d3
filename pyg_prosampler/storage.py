r"""What an in-memory data set stores, and whether that is what it hands out."""

import warnings
from collections.abc import Mapping
from typing import Any

from torch import Tensor
from torch_geometric.data import Data, InMemoryDataset

from pyg_prosampler.layout import Layout, find_layout, listed_num_nodes


class Storage:
    r"""What a data set stores at a moment, with its layout, or with :obj:`None` where
    only PyG can collate.
    """

    def __init__(self, dataset: InMemoryDataset) -> None:
        self.data = dataset._data
        self.slices = dataset.slices
        self._listed = listed_num_nodes(self.data)
        self._values = dict(self.data._store._mapping)
        self._cuts = dict(self.slices)
        self._versions = self._current_versions()
        self._unchanged: dict[int, dict[str, Any]] = {}
        self.layout: Layout | None = None
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                self.layout = find_layout(self.data, self.slices)
        except Exception:  # PyG repeats it where it matters.
            return

    def is_current(self, dataset: InMemoryDataset) -> bool:
        r"""Whether a data set still stores this."""
        return (
            dataset._data is self.data
            and dataset.slices is self.slices
            and _has_same_values(self.data._store._mapping, self._values)
            and _has_same_values(self.slices, self._cuts)
            and listed_num_nodes(self.data) is self._listed
            and self._current_versions() == self._versions
        )

    def _current_versions(self) -> list[int]:
        return [
            value._version
            for value in (*self._values.values(), *self._cuts.values())
            if isinstance(value, Tensor) and not value.is_inference()
        ]

    def are_handed_out(self, rows: list[int], cached: list[Data | None] | None) -> bool:
        r"""Whether graphs are handed out as they are stored: PyG keeps every graph that
        it has handed out, and if it was changed, keeps that.
        """
        if cached is None:
            return True
        for row in rows:
            graph = cached[row]
            if graph is None:
                continue
            found, known = graph._store._mapping, self._unchanged.get(row)
            if known is None or not _has_same_values(found, known):
                if type(graph) is not type(self.data) or not self._is_at(row, found):
                    return False
                self._unchanged[row] = dict(found)
        return True

    def _is_at(self, row: int, found: dict[str, Any]) -> bool:
        assert self.layout is not None
        pieces = {a.name: a.piece(row) for a in self.layout.attributes}
        if self._listed is not None:
            pieces["num_nodes"] = self._listed[row]
        return list(found) == list(pieces) and all(
            map(_is_same, pieces.values(), found.values())
        )


def hands_out_what_it_stores(dataset: Any) -> bool:
    r"""Whether a data set hands out its graphs as they are stored."""
    methods = ("__getitem__", "get", "indices", "len")
    return (
        isinstance(dataset, InMemoryDataset)
        and dataset.transform is None
        and isinstance(dataset._data, Data)
        and dataset.slices is not None
        and all(
            getattr(type(dataset), name) is getattr(InMemoryDataset, name)
            for name in methods
        )
        and not any(name in dataset.__dict__ for name in methods)
    )


def _has_same_values(found: Mapping[str, Any], known: Mapping[str, Any]) -> bool:
    return len(found) == len(known) and all(
        found.get(name) is value for name, value in known.items()
    )


def _is_same(piece: Any, found: Any) -> bool:
    if not isinstance(piece, Tensor):
        return type(found) is type(piece) and found == piece
    return (
        type(found) is Tensor
        and found.dtype == piece.dtype
        and found.shape == piece.shape
        and (piece.numel() == 0 or found.stride() == piece.stride())
        and found.data_ptr() == piece.data_ptr()
    )
