r"""Where the graphs of a data set lie in its storage, and how PyG would add them up."""

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch_geometric.data import Batch, Data
from torch_geometric.data.separate import separate
from torch_geometric.data.storage import N_KEYS, GlobalStorage

# Where graphs have fewer entries on average, one gather of all beats a copy of each.
MAX_GATHERED = 256


class Pieces:
    r"""Where the graphs' pieces lie in tensors that are cut alike."""

    def __init__(self, slices: Tensor) -> None:
        self.slices = slices
        self.first = slices[:-1]
        self.size = slices.diff()
        self.are_single = bool((self.size == 1).all())
        self.are_small = int(slices[-1]) < MAX_GATHERED * self.size.numel()


class Attribute(NamedTuple):
    r"""A stored attribute: strings, or a tensor that is cut along a dimension
    (:obj:`None` for a new one), with the increment of every graph if there are any,
    and with a view of every graph's piece if they are large.
    """

    name: str
    value: Tensor | list[str]
    pieces: Pieces
    dim: int | None = None
    increments: Tensor | None = None
    views: tuple[Tensor, ...] = ()

    def piece(self, row: int) -> Any:
        r"""Returns what PyG hands out for a graph."""
        if not isinstance(self.value, Tensor):
            return self.value[row]
        first, size = int(self.pieces.first[row]), int(self.pieces.size[row])
        piece = self.value.narrow(self.dim or 0, first, size)
        return piece.squeeze(0) if self.dim is None else piece


class Layout(NamedTuple):
    r"""The attributes of all graphs, their numbers of nodes if these are listed, and
    the nodes of every graph if PyG knows them.
    """

    cls: type[Data]
    attributes: list[Attribute]
    listed_num_nodes: list[int] | None
    nodes: Pieces | None


class _UnusualError(Exception):
    r"""Something that only PyG can collate."""


def _expect(condition: Any) -> None:
    if not condition:
        raise _UnusualError


def find_layout(data: Data, slices: dict[str, Tensor]) -> Layout:
    r"""Looks at what a data set stores; an exception says that only PyG can collate
    it.
    """
    cls = type(data)
    _expect(not isinstance(data, Batch))
    _expect(type(data._store) is GlobalStorage)
    for name in ("stores", "stores_as", "__copy__"):
        _expect(getattr(cls, name) is getattr(Data, name))

    stored = {name: data._store[name] for name in slices if name in data._store}
    num_graphs = next(iter(slices.values())).numel() - 1
    _expect(stored and num_graphs > 1)  # Otherwise, not even cut.
    for tensor in slices.values():
        _expect(type(tensor) is Tensor and tensor.dtype == torch.long)
        _expect(tensor.device.type == "cpu" and tensor.shape == (num_graphs + 1,))
        _expect(int(tensor[0]) == 0 and bool((tensor.diff() >= 0).all()))
    devices = {value.device for value in stored.values() if isinstance(value, Tensor)}
    _expect(len(devices) <= 1 and all(d.type in ("cpu", "cuda") for d in devices))

    # A graph may begin with attributes of its class.
    example = _take_out(data, 0, slices)
    listed = listed_num_nodes(data)
    names = [*stored] if listed is None else [*stored, "num_nodes"]
    _expect(list(example._store.keys()) == names)
    _expect(listed is None or [type(number) for number in listed] == [int] * num_graphs)
    _expect("num_nodes" not in stored)

    cut: list[Pieces] = []

    def share(slices: Tensor) -> Pieces:
        for pieces in cut:
            if torch.equal(pieces.slices, slices):
                return pieces
        cut.append(Pieces(slices))
        return cut[-1]

    attributes = []
    for name, value in stored.items():
        tensor = slices[name]
        pieces = share(tensor)
        attribute = Attribute(name, value, pieces)
        if isinstance(value, list):
            _expect([type(string) for string in value] == [str] * num_graphs)
            _expect(pieces.are_single)
        else:
            _expect(_is_dense(value))
            dim = data.__cat_dim__(name, value, data._store)
            _expect(dim is None or isinstance(dim, int))
            _expect(int(tensor[-1]) == value.size(dim or 0))
            _expect(dim is not None or pieces.are_single)
            if not pieces.are_small:
                views = value.split(pieces.size.tolist(), dim or 0)
                attribute = attribute._replace(views=views)
            attribute = attribute._replace(dim=dim)
        attributes.append(attribute)

    has_batch = example._store.can_infer_num_nodes
    rules = _rules_of_pyg(data, attributes, has_batch)
    if rules is None:
        rules = _rules_of_graphs(data, slices, attributes, has_batch)
    num_nodes, increments = rules
    for index, attribute in enumerate(attributes):
        incs = increments.get(attribute.name)
        if incs is None:
            continue
        _expect(incs.dtype == torch.long and incs.device.type == "cpu")
        if incs.dim() > 1 or bool(incs.any()):
            attributes[index] = attribute._replace(increments=incs)
            _expect(_is_addable(attributes[index]))
    nodes = None
    if has_batch:
        assert num_nodes is not None
        nodes = share(cumsum(num_nodes))
    return Layout(cls, attributes, listed, nodes)


def _rules_of_pyg(
    data: Data, attributes: list[Attribute], has_batch: bool
) -> tuple[Tensor | None, dict[str, Tensor]] | None:
    r"""Returns the number of nodes and the increments of all graphs, if both are
    known without taking graphs out.
    """
    for name in ("__inc__", "__cat_dim__", "num_nodes"):
        if getattr(type(data), name) is not getattr(Data, name):
            return None
    sizes = {a.name: a.pieces.size for a in attributes if isinstance(a.value, Tensor)}
    listed = listed_num_nodes(data)
    # In the order in which PyG looks for them.
    revealing = [name for name in sizes if name in N_KEYS]
    revealing += [name for name in sizes if "node" in name]
    num_nodes: Tensor | None = None
    if listed is not None:
        num_nodes = torch.tensor(listed)
    elif revealing:
        num_nodes = sizes[revealing[0]]

    if num_nodes is None and has_batch:
        return None
    increments = {}
    for name, size in sizes.items():
        increments[name] = torch.zeros_like(size)
        if "batch" in name:
            return None
        if "index" in name or name == "face":
            if num_nodes is None:
                return None
            increments[name] = num_nodes
    return num_nodes, increments


def _rules_of_graphs(
    data: Data,
    slices: dict[str, Tensor],
    attributes: list[Attribute],
    has_batch: bool,
) -> tuple[Tensor | None, dict[str, Tensor]]:
    r"""Returns the same by asking every graph."""
    num_nodes: list[int] = []
    asked: dict[str, list[Any]] = {
        a.name: [] for a in attributes if isinstance(a.value, Tensor)
    }
    dims = {attribute.name: attribute.dim for attribute in attributes}
    for row in range(attributes[0].pieces.size.numel()):
        graph = _take_out(data, row, slices)
        store = graph._store
        for name, incs in asked.items():
            value = store[name]
            _expect(graph.__cat_dim__(name, value, store) == dims[name])
            value = value.unsqueeze(0) if dims[name] is None else value
            incs.append(graph.__inc__(name, value, store))
        if has_batch:
            num_nodes.append(store.num_nodes or 0)
    increments = {}
    for name, incs in asked.items():
        _expect(len({type(inc) for inc in incs}) == 1)
        is_tensor = isinstance(incs[0], Tensor)
        increments[name] = torch.stack(incs) if is_tensor else torch.tensor(incs)
    return torch.tensor(num_nodes) if has_batch else None, increments


def _take_out(data: Data, row: int, slices: dict[str, Tensor]) -> Data:
    return separate(type(data), data, row, slices, decrement=False)


def listed_num_nodes(data: Data) -> list[int] | None:
    return data._store.__dict__.get("_num_nodes")


def _is_dense(value: Any) -> bool:
    return (
        type(value) is Tensor
        and value.layout is torch.strided
        and not value.is_nested
        and not value.requires_grad
        and not value.is_inference()  # It has no version.
    )


def _is_addable(attribute: Attribute) -> bool:
    r"""Whether increments keep an attribute's type and shape."""
    value, increments, dim = attribute.value, attribute.increments, attribute.dim or 0
    assert isinstance(value, Tensor)
    assert increments is not None
    if increments.dim() == 1:
        return value.dtype in (torch.long, torch.int)
    shape = [*value.shape]
    shape[dim] = 1
    both = torch.broadcast_shapes(increments.shape[1:], shape)
    return value.dtype == torch.long and both == tuple(shape)


def cumsum(sizes: Tensor) -> Tensor:
    r"""Sums up with a zero in front, at half the cost of that of PyG."""
    out = sizes.new_zeros(sizes.size(0) + 1, *sizes.shape[1:])
    torch.cumsum(sizes, 0, out=out[1:])
    return out
