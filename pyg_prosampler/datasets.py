r"""Data sets by name, with explicit node features."""

import logging
import re
from collections.abc import Callable
from pathlib import Path

from torch import arange, bincount, cat, tensor
from torch_geometric.data import Data, InMemoryDataset
from torch_geometric.datasets import TUDataset
from torch_geometric.transforms import BaseTransform, Compose, Constant, OneHotDegree
from torch_geometric.utils import cumsum, scatter

from pyg_prosampler.fetch import check_mirror, fetch, is_local
from pyg_prosampler.ogb import is_ogb, load_ogb

logger = logging.getLogger(__name__)

_NODE_FEATURES = ("constant", "degree", "with-degree", None)
_MAX_STORED_BYTES = 2**28


class _LocalTUDataset(TUDataset):
    # PyG would download again when only the processed file is left.
    has_download = False
    # What has made the node features that are stored in memory, but not on disk.
    feature_transform: BaseTransform | None = None
    num_own_features = 0


def load_dataset(
    name: str,
    root: str | Path = "data",
    *,
    mirror: str | None = None,
    node_features: str | None = "constant",
    transform: Callable[[Data], Data] | None = None,
    pre_transform: Callable[[Data], Data] | None = None,
) -> InMemoryDataset:
    r"""Loads a data set of the `TUDataset <https://arxiv.org/abs/2007.08663>`_
    collection by its name, *e.g.*, :obj:`"MUTAG"`, or one of the Open Graph
    Benchmark's molecule data sets, *e.g.*, :obj:`"ogbg-molbace"`, by
    :meth:`~pyg_prosampler.ogb.load_ogb`.

    Of the former, the first of these sources that has the data set is used:

    1. the processed or raw files in :obj:`root/name`, as PyG lays them out,
    2. the mirror, if there is one,
    3. PyG's own server (:obj:`TUDataset.url`),
    4. for MUTAG only, the copy inside the installed :obj:`grakel` package.

    What is fetched arrives whole in :obj:`root/name/raw` or not at all.

    Node labels, if there are any, become one-hot node features. To a data set
    without node features, those that :obj:`node_features` names are added, see
    :meth:`node_feature_transform`: once and in memory, or at every access if they
    would take more than 256 MiB. Other data sets stay as they are, but for
    :obj:`"with-degree"`.

    Args:
        name (str): The name of the data set.
        root (str or Path): The folder of all data sets.
            (default: :obj:`"data"`)
        mirror (str, optional): An :obj:`https://` or :obj:`file://` address
            with :obj:`NAME.zip` inside. (default: :obj:`None`, the environment
            variable :obj:`PROSAMPLER_MIRROR`)
        node_features (str, optional): What graphs without node features get:
            :obj:`"constant"`, :obj:`"degree"`, or :obj:`None` for nothing; or what
            all graphs get, :obj:`"with-degree"`. (default: :obj:`"constant"`)
        transform (callable, optional): A transform at every access, applied
            after the node features are added. (default: :obj:`None`)
        pre_transform (callable, optional): A transform applied once, before
            the processed data set is saved. (default: :obj:`None`)

    Raises:
        ValueError: If the name, the mirror's address or
            :obj:`node_features` is malformed.
        FileNotFoundError: If no source has the data set. The message lists
            each source with its reason, and how to go on.

    Example:
        >>> import tempfile
        >>> folder = tempfile.TemporaryDirectory()
        >>> raw = Path(folder.name, "PAIRS", "raw")
        >>> raw.mkdir(parents=True)
        >>> for key, text in {
        ...     "A": "1, 2\n2, 1\n3, 4\n4, 3\n",
        ...     "graph_indicator": "1\n1\n2\n2\n",
        ...     "graph_labels": "0\n1\n",
        ... }.items():
        ...     _ = (raw / f"PAIRS_{key}.txt").write_text(text)
        >>> dataset = load_dataset("PAIRS", folder.name)
        >>> dataset
        PAIRS(2)
        >>> describe_node_features(dataset)
        '1 channel, added by Constant(value=1.0)'
        >>> dataset[0]
        Data(edge_index=[2, 2], y=[1], x=[2, 1], num_nodes=2)
        >>> folder.cleanup()
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.+-]*", name):
        raise ValueError(
            f"`name` should be the plain name of a data set (got {name!r}); "
            f"pass 'MUTAG', say, and the folder as `root`"
        )
    _check_node_features(node_features)
    mirror = check_mirror(mirror)
    root = Path(root).expanduser()
    if is_ogb(name):
        return load_ogb(name, root, transform=transform, pre_transform=pre_transform)
    if is_local(root / name, name):
        logger.info("%s: found in '%s'", name, root / name)
    else:
        fetch(name, root, mirror)

    dataset = _LocalTUDataset(str(root), name, pre_transform=pre_transform)
    added = node_feature_transform(dataset, node_features)
    if added is not None and _store_node_features(dataset, added):
        added = None
    steps = [step for step in (added, transform) if step is not None]
    dataset.transform = Compose(steps) if len(steps) > 1 else next(iter(steps), None)
    logger.info("%s: node features: %s", name, describe_node_features(dataset))
    return dataset


def node_feature_transform(
    dataset: InMemoryDataset,
    node_features: str | None = "constant",
) -> BaseTransform | None:
    r"""Returns the transform that gives node features to a data set that
    stores none, or more of them to one that has its own, or :obj:`None`.

    Args:
        dataset (InMemoryDataset): The data set; its own transform is ignored.
        node_features (str, optional): :obj:`"constant"` for the constant 1,
            :obj:`"degree"` for the one-hot out-degree up to the largest one in
            the data set, :obj:`None` for nothing; :obj:`"with-degree"` for the
            degree beside features that there are, as the public code of `MVGRL
            <https://arxiv.org/abs/2006.05582>`_ has it.
            (default: :obj:`"constant"`)

    Example:
        >>> from torch_geometric.datasets import FakeDataset
        >>> dataset = FakeDataset(num_graphs=2, num_channels=0)
        >>> node_feature_transform(dataset)
        Constant(value=1.0)
        >>> node_feature_transform(FakeDataset(num_graphs=2, num_channels=3))
    """
    _check_node_features(node_features)
    has_own = dataset.get(0).num_node_features > 0
    if node_features is None or (has_own and node_features != "with-degree"):
        return None
    if node_features == "constant":
        return Constant()
    return OneHotDegree(max_degree(dataset))


def describe_node_features(dataset: InMemoryDataset) -> str:
    r"""Says in words which node features the graphs of a data set come with,
    for tables and logs.

    Example:
        >>> from torch_geometric.datasets import FakeDataset
        >>> dataset = FakeDataset(num_graphs=2, num_channels=0)
        >>> dataset.transform = Constant()
        >>> describe_node_features(dataset)
        '1 channel, added by Constant(value=1.0)'
    """
    added = getattr(dataset, "feature_transform", None)
    stored = dataset.get(0).num_node_features
    if added is not None:
        stored = dataset.num_own_features
    channels = dataset[0].num_node_features
    count = f"{channels} channel{'' if channels == 1 else 's'}"
    if channels == 0:
        return "none"
    if channels != stored:
        transform = dataset.transform
        steps = transform.transforms if isinstance(transform, Compose) else [transform]
        steps = [step for step in (added, *steps) if step is not None]
        part = f"{channels - stored} of them " if 0 < stored < channels else ""
        return f"{count}, {part}added by {', '.join(map(repr, steps))}"
    is_label = getattr(dataset, "num_node_labels", 0) == stored
    return f"{count}, {'one-hot node labels' if is_label else 'as stored'}"


def max_degree(dataset: InMemoryDataset) -> int:
    r"""Returns the largest out-degree of a node in a data set."""
    source = dataset._data.edge_index[0]
    if dataset.slices is None:  # a single graph
        return int(bincount(source, minlength=1).max())
    num_edges = dataset.slices["edge_index"].diff()
    graph = arange(num_edges.numel()).repeat_interleave(num_edges)
    # Nodes are counted from 0 in every graph: shift them past each other.
    num_nodes = scatter(source + 1, graph, dim_size=num_edges.numel(), reduce="max")
    return int(bincount(source + cumsum(num_nodes)[graph], minlength=1).max())


def _store_node_features(dataset: TUDataset, transform: BaseTransform) -> bool:
    r"""Adds node features to all graphs for good, unless they take up too much."""
    example = transform(dataset.get(0)).x
    num_bytes = dataset._data.num_nodes * example.size(1) * example.element_size()
    if num_bytes > _MAX_STORED_BYTES:
        return False
    dataset.num_own_features = dataset.get(0).num_node_features
    features = [transform(dataset.get(i)).x for i in range(len(dataset))]
    dataset._data.x = cat(features)
    dataset.slices["x"] = cumsum(tensor([x.size(0) for x in features]))
    dataset._data_list = None
    dataset.feature_transform = transform
    return True


def _check_node_features(node_features: str | None) -> None:
    if node_features not in _NODE_FEATURES:
        raise ValueError(
            f"`node_features` should be 'constant', 'degree', 'with-degree' or None "
            f"(got {node_features!r}); pass 'constant', say"
        )
