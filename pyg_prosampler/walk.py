r"""Random walks with restart on a (proximity) graph."""

import functools
import warnings

import torch
from torch import Generator, Tensor
from torch_geometric.data import Data

BACKENDS = ("auto", "torch_cluster", "torch")


def random_walk_with_restart(
    graph: Data,
    start: Tensor,
    num_steps: int,
    restart_prob: float,
    *,
    generator: Generator | None = None,
    backend: str = "auto",
) -> Tensor:
    r"""Walks at random from every start node, jumping back to it with
    probability :math:`\alpha` at each step and going to a uniformly drawn
    out-neighbour otherwise (algorithm 3 of the `"ProSampler"
    <https://arxiv.org/abs/2306.03355>`_ paper).

    The number of moves between two restarts is geometric,
    :math:`P(k) = \alpha (1 - \alpha)^k`, so the walk is put together from
    independent uniform walks ("segments"), all of which advance together.
    Frequencies of visit tend to personalised PageRank,
    :math:`\pi = \alpha (I - (1 - \alpha) P^{\top})^{-1} 1_u`. A node without
    out-neighbours repeats itself until the next restart.

    Args:
        graph (Data): A graph whose :obj:`edge_index` is sorted by source, as
            :meth:`~pyg_prosampler.proximity_graph` gives it.
        start (torch.Tensor): The start nodes :math:`[S]`.
        num_steps (int): The number of steps :math:`L` of every walk.
        restart_prob (float): The restart probability :math:`\alpha` in
            :math:`[0, 1]`; at :math:`1` the walk never leaves its start.
        generator (torch.Generator, optional): The source of randomness. Its
            state alone decides the trace, whatever the number of threads.
            (default: :obj:`None`, the global generator)
        backend (str, optional): What takes the uniform steps:
            :obj:`"torch_cluster"`, :obj:`"torch"`, or :obj:`"auto"` for the
            former where it is installed. Both have the same law, but not the
            same traces. (default: :obj:`"auto"`)

    Returns:
        torch.Tensor: The traces :math:`[S, L + 1]`, starts included.

    Raises:
        ValueError: If the edges are not sorted by source, or if an argument is
            out of its range.
        ImportError: If the backend is asked for but not installed.

    Example:
        >>> ring = Data(edge_index=torch.tensor([[0, 1, 2], [1, 2, 0]]), num_nodes=3)
        >>> random_walk_with_restart(ring, torch.tensor([0, 2]), 4, restart_prob=0.0)
        tensor([[0, 1, 2, 0, 1],
                [2, 0, 1, 2, 0]])
    """
    rowptr, col = to_csr(graph)
    if start.dim() != 1 or start.dtype != torch.long:
        raise ValueError(
            f"`start` should be a one-dimensional tensor of node indices "
            f"(got shape {list(start.shape)} of {start.dtype})"
        )
    if start.numel() > 0 and not 0 <= int(start.min()) <= int(start.max()) < (
        rowptr.numel() - 1
    ):
        raise ValueError(
            f"`start` should hold node indices between 0 and {rowptr.numel() - 2} "
            f"(got {int(start.min())} to {int(start.max())})"
        )
    if num_steps < 0:
        raise ValueError(f"`num_steps` should not be negative (got {num_steps})")
    check_restart_prob(restart_prob)
    backend = resolve_backend(backend, start.device)
    return walk_csr(rowptr, col, start, num_steps, restart_prob, generator, backend)


def walk_csr(
    rowptr: Tensor,
    col: Tensor,
    start: Tensor,
    num_steps: int,
    restart_prob: float,
    generator: Generator | None,
    backend: str,
    begin: Tensor | None = None,
) -> Tensor:
    r"""The walk of :meth:`random_walk_with_restart` without its checks, on the
    compressed rows of :meth:`to_csr`.

    A walk that has been to :obj:`begin` :math:`[S]` goes on from there.
    """
    device = start.device
    trace_length = num_steps + 1
    if begin is None:
        begin = start
    if restart_prob == 1.0 or num_steps == 0 or start.numel() == 0:
        trace = start.view(-1, 1).repeat(1, trace_length)
        trace[:, 0] = begin
        return trace

    # Heads of segments: the start of every walk and all restarts.
    head = _rand((start.numel(), trace_length), generator, device) < restart_prob
    head[:, 0] = True
    position = head.view(-1).nonzero().view(-1)
    length = torch.diff(position, append=position.new_tensor([head.numel()])) - 1

    # All segments advance by a bounded number of moves at a time and the few
    # that are longer go on; so little is walked that is not kept.
    trace = torch.empty(head.numel(), dtype=torch.long, device=device)
    walk = position.div(trace_length, rounding_mode="floor")
    node = torch.where(position == walk * trace_length, begin[walk], start[walk])
    trace[position] = node
    chunk = max(1, min(num_steps, int(1 / max(restart_prob, 1e-3))))
    while True:
        longer = length > 0
        position, node, length = position[longer], node[longer], length[longer]
        if position.numel() == 0:
            return trace.view(-1, trace_length)
        width = min(chunk, int(length.max()))
        moves = _uniform_walk(rowptr, col, node, width, generator, backend)
        ahead = torch.arange(1, width + 1, device=device)
        kept = ahead <= length.view(-1, 1)
        trace[(position.view(-1, 1) + ahead)[kept]] = moves[:, 1:][kept]
        position, node, length = position + width, moves[:, -1], length - width


def to_csr(graph: Data) -> tuple[Tensor, Tensor]:
    r"""Returns the row pointers :math:`[N + 1]` and the targets :math:`[E]` of
    a graph whose edges are sorted by source.

    Raises:
        ValueError: If they are not.
    """
    edge_index, num_nodes = graph.edge_index, graph.num_nodes
    if edge_index is None or num_nodes is None:
        raise ValueError("`graph` should have an `edge_index` to walk on (got none)")
    row, col = edge_index.contiguous()
    if bool((row[1:] < row[:-1]).any()):
        raise ValueError(
            "`graph.edge_index` should be sorted by source; sort it once with "
            "`graph = graph.coalesce()`"
        )
    rowptr = torch.searchsorted(row, torch.arange(num_nodes + 1, device=row.device))
    return rowptr, col


def check_restart_prob(restart_prob: float) -> None:
    r"""Raises an error unless the restart probability is in [0, 1]."""
    if not 0.0 <= restart_prob <= 1.0:
        raise ValueError(
            f"`restart_prob` should be between 0 and 1 (got {restart_prob})"
        )


def resolve_backend(backend: str, device: torch.device | None = None) -> str:
    r"""Checks the backend and resolves :obj:`"auto"`, for a graph on some device."""
    if backend not in BACKENDS:
        raise ValueError(f"`backend` should be one of {BACKENDS} (got '{backend}')")
    if backend == "torch_cluster" and not has_torch_cluster():
        raise ImportError(
            "`backend='torch_cluster'` needs the package torch-cluster; install it "
            "or pass backend='torch'"
        )
    if backend == "auto":
        on_cuda = device is not None and device.type == "cuda"
        fits = has_torch_cluster() and (not on_cuda or _built_for_cuda())
        return "torch_cluster" if fits else "torch"
    return backend


def _built_for_cuda() -> bool:
    version: int = torch.ops.torch_cluster.cuda_version()
    return version != -1


@functools.cache
def has_torch_cluster() -> bool:
    r"""Whether torch-cluster is installed and fits the installed torch."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Of torch.jit.script.
        try:
            import torch_cluster  # noqa: F401
        except (ImportError, OSError):
            return False
    return True


def _uniform_walk(
    rowptr: Tensor,
    col: Tensor,
    start: Tensor,
    num_steps: int,
    generator: Generator | None,
    backend: str,
) -> Tensor:
    if backend == "torch_cluster":
        with _seeded_from(generator, start.device):
            # The operator behind `torch_cluster.random_walk`, which would
            # count the edges of all rows again on every call.
            nodes, _ = torch.ops.torch_cluster.random_walk(
                rowptr, col, start.contiguous(), num_steps, 1.0, 1.0
            )
        return nodes

    first = rowptr[:-1]
    degrees = rowptr.diff()
    draws = _rand((start.numel(), num_steps), generator, start.device)
    nodes = [start]
    for step in range(num_steps):
        node = nodes[-1]
        choices = degrees[node]
        edge = first[node] + (draws[:, step] * choices).long().clamp(
            max=(choices - 1).clamp(min=0)
        )
        if col.numel() > 0:  # A sink repeats itself.
            node = torch.where(choices > 0, col[edge.clamp(max=col.numel() - 1)], node)
        nodes.append(node)
    return torch.stack(nodes, dim=1)


def _rand(
    shape: tuple[int, int], generator: Generator | None, device: torch.device
) -> Tensor:
    source = device if generator is None else generator.device
    return torch.rand(
        shape, generator=generator, device=source, dtype=torch.float64
    ).to(device)


class _seeded_from:
    r"""Lends the state of a generator to code that only knows the global one
    of a device, which is left as it was.
    """

    def __init__(self, generator: Generator | None, device: torch.device) -> None:
        self.generator = generator
        if device.type == "cuda":
            index = (
                torch.cuda.current_device() if device.index is None else device.index
            )
            self.default = torch.cuda.default_generators[index]
        else:
            self.default = torch.default_generator

    def __enter__(self) -> None:
        if self.generator is None:
            return
        seed = torch.randint(
            2**62, (1,), generator=self.generator, device=self.generator.device
        )
        self.state = self.default.get_state()
        self.default.manual_seed(int(seed))

    def __exit__(self, *exc: object) -> None:
        if self.generator is not None:
            self.default.set_state(self.state)
