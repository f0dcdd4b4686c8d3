r"""Personalised PageRank diffusion, the second view of MVGRL."""

import copy
import hashlib
import math
import tempfile
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Data, InMemoryDataset
from torch_geometric.transforms import BaseTransform
from tqdm import tqdm

_INDEX = "diffusion_factor_index"
_WEIGHT = "diffusion_factor_weight"


class PPRDiffusion(BaseTransform):
    r"""Adds the personalised PageRank diffusion of the `"Contrastive
    Multi-View Representation Learning on Graphs"
    <https://arxiv.org/abs/2006.05582>`_ paper (MVGRL)

    .. math::
        \mathbf{S} = \alpha \left( \mathbf{I} - (1 - \alpha) \mathbf{D}^{-1/2}
        (\mathbf{A} + \mathbf{I}) \mathbf{D}^{-1/2} \right)^{-1}

    of an undirected graph, as a sparse factor :math:`\mathbf{G}` with
    :math:`\mathbf{S} = \mathbf{G}^{\top} \mathbf{G}`.

    :math:`\mathbf{S}` itself is dense in every connected component, and its
    many small entries cannot be dropped without harm: together they weigh as
    much as the large ones. :math:`\mathbf{G}`, the scaled inverse of a Cholesky
    factor in the order of node degrees, has at most half as many entries, and
    very few where graphs are tree-like. On REDDIT-BINARY, there are 7.6 million
    of them in place of 983 million.

    The smallest entries of :math:`\mathbf{G}` are left out as far as the error
    stays below :obj:`tol` in the spectral norm,

    .. math::
        \| \mathbf{S} - \mathbf{G}^{\top} \mathbf{G} \|_2 \leq
        2 \epsilon + \epsilon^2 = \textrm{tol},

    where :math:`\epsilon` bounds the Frobenius norm of what is left out, and
    :math:`\| \mathbf{S} \|_2 = 1` for every graph. The default is of the size
    of rounding in float32, in which the entries are kept: to all intents, the
    diffusion is exact, in small graphs and in large ones.

    Adds :obj:`diffusion_factor_index` of shape :obj:`[2, num_entries]` (row
    and column of each entry, both counted as nodes are, so that PyG collates
    them rightly) and :obj:`diffusion_factor_weight` of shape
    :obj:`[num_entries]`. :meth:`diffusion_factors` makes sparse matrices of
    them. Features and weights of edges are not regarded, repeated edges and
    self-loops count once. A node without edges keeps its value
    (:math:`S_{vv} = 1`).

    Time is cubic and memory quadratic in the number of nodes of the largest
    graph. Use it as :obj:`pre_transform`, or by :meth:`diffuse`.

    Args:
        alpha (float, optional): The restart probability :math:`\alpha`.
            (default: :obj:`0.2`)
        tol (float, optional): The largest error in the spectral norm; at
            :obj:`0`, only zeros are left out. (default: :obj:`1e-6`)

    Raises:
        ValueError: If an argument is out of range, or if a graph is directed.

    Example:
        >>> edge_index = torch.tensor([[0, 1], [1, 0]])
        >>> data = PPRDiffusion()(Data(edge_index=edge_index, num_nodes=2))
        >>> factor, transpose = diffusion_factors(data)
        >>> transpose.to_dense() @ factor.to_dense()
        tensor([[0.6000, 0.4000],
                [0.4000, 0.6000]])
    """

    def __init__(self, alpha: float = 0.2, tol: float = 1e-6) -> None:
        if not 0.0 < alpha <= 1.0:
            raise ValueError(
                f"`alpha` should be in (0, 1] (got {alpha}); pass alpha=0.2, say"
            )
        if not 0.0 <= tol < 1.0:
            raise ValueError(
                f"`tol` should be in [0, 1) (got {tol}); pass tol=1e-6, say"
            )
        self.alpha = alpha
        self.tol = tol

    @torch.no_grad()
    def forward(self, data: Data) -> Data:
        if data.edge_index is None or data.num_nodes is None:
            raise ValueError(
                "graphs should have an `edge_index` and a number of nodes (got "
                "neither or one); of a graph without edges, `edge_index` has the "
                "shape [2, 0]"
            )
        matrix, order = self._system(data.edge_index, data.num_nodes)
        # In float64: the entries that a sparse graph's elimination never
        # touches stay exact zeros.
        lower = torch.linalg.cholesky(matrix)
        identity = torch.eye(len(order), dtype=lower.dtype, device=lower.device)
        factor = torch.linalg.solve_triangular(lower, identity, upper=False)
        factor.mul_(math.sqrt(self.alpha))
        row, column = factor.nonzero().t()
        weight = factor[row, column]

        epsilon = math.sqrt(1.0 + self.tol) - 1.0
        size, by_size = weight.square().sort()
        num_dropped = int((size.cumsum(0) <= epsilon**2).sum())
        kept = by_size[num_dropped:].sort().values
        data[_INDEX] = order[torch.stack([row[kept], column[kept]])]
        data[_WEIGHT] = weight[kept].float()
        return data

    def _system(self, edge_index: Tensor, num_nodes: int) -> tuple[Tensor, Tensor]:
        matrix = torch.zeros(
            num_nodes, num_nodes, dtype=torch.double, device=edge_index.device
        )
        matrix[edge_index[0], edge_index[1]] = 1.0
        if not torch.equal(matrix, matrix.t()):
            raise ValueError(
                "`edge_index` should hold every edge in both directions (got a "
                "directed graph); put `T.ToUndirected()` before this transform"
            )
        matrix.fill_diagonal_(1.0)
        degree = matrix.sum(dim=1)
        # A row of the inverse factor has an entry for each node from which a
        # path of earlier nodes leads to its own: few, where hubs come last.
        order = degree.argsort(stable=True)
        matrix = matrix[order][:, order]
        scale = degree[order].rsqrt()
        matrix.mul_(scale.view(-1, 1)).mul_(scale).mul_(self.alpha - 1.0)
        matrix.diagonal().add_(1.0)
        return matrix, order

    def __repr__(self) -> str:
        # PyG compares it with the one that a processed data set was made by.
        return f"{self.__class__.__name__}(alpha={self.alpha}, tol={self.tol})"


def diffusion_factors(data: Data) -> tuple[Tensor, Tensor]:
    r"""Returns the sparse matrices :math:`\mathbf{G}` and
    :math:`\mathbf{G}^{\top}` of the diffusion :math:`\mathbf{S} =
    \mathbf{G}^{\top} \mathbf{G}` of a graph or of a whole batch.

    Args:
        data (Data or Batch): Graphs transformed by :class:`PPRDiffusion`.

    Returns:
        tuple: Two sparse tensors :obj:`[num_nodes, num_nodes]`.

    Raises:
        ValueError: If a graph was not transformed.
    """
    if _INDEX not in data or _WEIGHT not in data:
        raise ValueError(
            f"graphs should have `{_INDEX}` and `{_WEIGHT}`, their diffusion (got "
            f"{data.keys()}); pass pre_transform=PPRDiffusion() to the data set, or "
            f"call diffuse(dataset)"
        )
    factor = sparse_matrix(data[_INDEX], data[_WEIGHT], data.num_nodes)
    transpose = sparse_matrix(data[_INDEX].flip(0), data[_WEIGHT], data.num_nodes)
    return factor, transpose


def sparse_matrix(index: Tensor, weight: Tensor, size: int) -> Tensor:
    r"""Returns a square matrix from its entries, in any order; those at the
    same place add up.
    """
    # Not coalesced, which would sort them.
    return torch.sparse_coo_tensor(index, weight, (size, size), check_invariants=False)


def diffuse(
    dataset: InMemoryDataset,
    transform: PPRDiffusion | None = None,
    root: str | Path | None = None,
    *,
    progress: bool = True,
) -> InMemoryDataset:
    r"""Returns a copy of a data set whose graphs have their diffusion, which is
    computed once and then read from a file.

    The file is named after the transform and the edges of all graphs, so that
    another restart probability or another sub-set has its own file. It appears
    in one step when it is complete: an interrupted run leaves none, and a
    damaged one is computed anew with a warning. Node features and the data
    set's own transform are untouched.

    Args:
        dataset (InMemoryDataset): The data set, or a sub-set by indexing.
        transform (PPRDiffusion, optional): The diffusion. (default:
            :obj:`None`, :obj:`PPRDiffusion()`)
        root (str or Path, optional): The folder of the file. (default:
            :obj:`None`, the folder of the processed data set)
        progress (bool, optional): Whether to show a progress bar. (default:
            :obj:`True`)

    Example:
        >>> from torch_geometric.datasets import FakeDataset
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     dataset = diffuse(FakeDataset(4), root=folder, progress=False)
        >>> "diffusion_factor_index" in dataset[0]
        True
    """
    transform = PPRDiffusion() if transform is None else transform
    # Not `dataset[i]`, which applies the data set's own transform.
    graphs = [copy.copy(dataset.get(i)) for i in dataset.indices()]
    folder = Path(dataset.processed_dir if root is None else root).expanduser()
    path = folder / f"diffusion_{_fingerprint(transform, graphs)}.npz"

    stored = _read(path, graphs)
    if stored is None:
        bar = tqdm(graphs, desc=repr(transform), unit="graph", disable=not progress)
        done = [transform(graph) for graph in bar]
        stored = [(graph[_INDEX], graph[_WEIGHT]) for graph in done]
        _write(path, stored)
    for graph, (index, weight) in zip(graphs, stored, strict=True):
        graph[_INDEX], graph[_WEIGHT] = index, weight

    result = copy.copy(dataset)
    result._indices = None
    result._data_list = None
    result._data, result.slices = dataset.collate(graphs)
    return result


def _fingerprint(transform: PPRDiffusion, graphs: list[Data]) -> str:
    digest = hashlib.sha256(repr(transform).encode())
    for index, graph in enumerate(graphs):
        if graph.edge_index is None:
            raise ValueError(
                f"`dataset` should hold graphs with an `edge_index` (graph {index} has "
                f"none); an isolated node needs an empty one, of shape [2, 0]"
            )
        digest.update(f"{graph.num_nodes} {graph.num_edges} ".encode())
        digest.update(graph.edge_index.numpy().tobytes())
    return digest.hexdigest()[:16]


def _write(path: Path, stored: list[tuple[Tensor, Tensor]]) -> None:
    size = torch.tensor([weight.numel() for _, weight in stored])
    index = torch.cat([index for index, _ in stored], dim=1).int()
    weight = torch.cat([weight for _, weight in stored])
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".diffusion-") as scratch:
        file = Path(scratch, path.name)
        # Unlike torch.save, with checksums that are compared on reading.
        np.savez(file, size=size.numpy(), index=index.numpy(), weight=weight.numpy())
        file.replace(path)


def _read(path: Path, graphs: list[Data]) -> list[tuple[Tensor, Tensor]] | None:
    if not path.is_file():
        return None
    try:
        with path.open("rb") as file, np.load(file) as content:
            size = content["size"].tolist()
            index = torch.from_numpy(content["index"]).long().split(size, dim=1)
            weight = torch.from_numpy(content["weight"]).split(size)
        if len(size) != len(graphs):
            raise ValueError(f"{len(size)} graphs in place of {len(graphs)}")
    except Exception as error:  # of many kinds
        warnings.warn(
            f"'{path}' is damaged and computed anew ({type(error).__name__}: {error})",
            stacklevel=3,
        )
        return None
    return list(zip(index, weight, strict=True))
