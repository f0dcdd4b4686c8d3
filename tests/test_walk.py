import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest
from torch_geometric.data import Data

from pyg_prosampler import proximity_graph, random_walk_with_restart, walk
from pyg_prosampler.walk import has_torch_cluster, to_csr, walk_csr
from tests.reference_sampling import personalized_pagerank, walk_with_restart

BACKENDS = [
    pytest.param(
        "torch_cluster",
        marks=pytest.mark.skipif(not has_torch_cluster(), reason="no torch-cluster"),
    ),
    "torch",
]

# Two components, one of them smaller, and a sink (node 5).
NEIGHBORS = [[1, 2, 3], [0, 2], [3], [0, 4, 5], [1], [], [7], [6]]


UNSORTED = Data(edge_index=torch.tensor([[1, 0], [0, 1]]), num_nodes=2)


def to_graph(neighbors) -> Data:
    edges = [(i, j) for i, targets in enumerate(neighbors) for j in targets]
    return Data(
        edge_index=torch.tensor(edges, dtype=torch.long).view(-1, 2).t(),
        num_nodes=len(neighbors),
    )


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("restart_prob", [0.05, 0.2, 0.7])
def test_visits_follow_personalized_pagerank(backend, restart_prob):
    generator = torch.Generator().manual_seed(0)
    start = torch.zeros(4000, dtype=torch.long)
    trace = random_walk_with_restart(
        to_graph(NEIGHBORS),
        start,
        400,
        restart_prob,
        generator=generator,
        backend=backend,
    )
    # After many steps, and long enough for the start to be forgotten.
    visits = torch.bincount(trace[:, 150:].reshape(-1), minlength=8)
    frequency = visits.double() / visits.sum()
    expected = personalized_pagerank(NEIGHBORS, 0, restart_prob)
    assert frequency.tolist() == pytest.approx(expected.tolist(), abs=0.01)


@pytest.mark.parametrize("backend", BACKENDS)
def test_law_of_the_first_steps_equals_the_reference(backend):
    # Not only in the long run: the joint law of the first three steps.
    rng = np.random.default_rng(0)
    expected = [
        tuple(walk_with_restart(NEIGHBORS, 3, 3, 0.3, rng)) for _ in range(20000)
    ]
    trace = random_walk_with_restart(
        to_graph(NEIGHBORS),
        torch.full((20000,), 3),
        3,
        0.3,
        generator=torch.Generator().manual_seed(1),
        backend=backend,
    )
    found = [tuple(row) for row in trace.tolist()]
    assert set(found) == set(expected)
    for path in set(expected):
        assert found.count(path) / 20000 == pytest.approx(
            expected.count(path) / 20000, abs=0.015
        )


@pytest.mark.parametrize("backend", BACKENDS)
@given(
    st.integers(0, 7),
    st.integers(0, 60),
    st.sampled_from([0.0, 0.01, 0.3, 0.99, 1.0]),
    st.integers(0, 1000),
)
def test_trace_is_a_walk(backend, start, num_steps, restart_prob, seed):
    trace = random_walk_with_restart(
        to_graph(NEIGHBORS),
        torch.tensor([start, 0]),
        num_steps,
        restart_prob,
        generator=torch.Generator().manual_seed(seed),
        backend=backend,
    )
    assert trace.shape == (2, num_steps + 1)
    for root, nodes in zip([start, 0], trace.tolist(), strict=True):
        assert nodes[0] == root
        for node, following in itertools.pairwise(nodes):
            moves = NEIGHBORS[node] or [node]
            if restart_prob == 0.0:
                assert following in moves
            elif restart_prob == 1.0:
                assert following == root
            else:
                assert following in [*moves, root]


@pytest.mark.parametrize("backend", BACKENDS)
def test_moves_between_restarts_are_geometric(backend):
    # On a path that never returns by itself, positions tell the moves.
    length = 200
    line = to_graph([[i + 1] for i in range(length)] + [[]])
    trace = random_walk_with_restart(
        line,
        torch.zeros(500, dtype=torch.long),
        100,
        0.1,
        generator=torch.Generator().manual_seed(0),
        backend=backend,
    )
    first_restart = (trace[:, 1:] == 0).float().argmax(dim=1)[trace[:, -1] < 100]
    uniforms = 1 - 0.9 ** (
        first_restart.double().numpy()
        + np.random.default_rng(0).random(len(first_restart))
    )
    assert kstest(uniforms, "uniform").pvalue > 1e-3


@pytest.mark.parametrize("backend", BACKENDS)
def test_same_state_same_trace_for_any_number_of_threads(backend):
    graph = proximity_graph(torch.randn(300, 4), 50, 5)
    num_threads = torch.get_num_threads()
    traces = []
    try:
        for threads in (1, 2, 2):
            torch.set_num_threads(threads)
            traces.append(
                random_walk_with_restart(
                    graph,
                    torch.arange(300),
                    50,
                    0.1,
                    generator=torch.Generator().manual_seed(7),
                    backend=backend,
                )
            )
    finally:
        torch.set_num_threads(num_threads)
    assert torch.equal(traces[0], traces[1])
    assert torch.equal(traces[1], traces[2])


@pytest.mark.parametrize("backend", BACKENDS)
def test_generator_is_advanced_and_global_state_left(backend):
    graph = to_graph(NEIGHBORS)
    generator = torch.Generator().manual_seed(0)
    state = torch.get_rng_state()
    start = torch.zeros(20, dtype=torch.long)
    first, second = (
        random_walk_with_restart(
            graph, start, 20, 0.1, generator=generator, backend=backend
        )
        for _ in range(2)
    )
    assert not torch.equal(first, second)
    assert torch.equal(torch.get_rng_state(), state)
    random_walk_with_restart(graph, start, 20, 0.1, backend=backend)
    assert not torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("backend", BACKENDS)
def test_proposition_2(backend):
    # The mass that a lazy walk with restart leaves outside a set S with its
    # start inside is at most (1 - alpha) / (2 alpha) * conductance(S).
    neighbors = [[j for j in range(10) if j != i] for i in range(10)]
    neighbors += [[j for j in range(10, 20) if j != i] for i in range(10, 20)]
    neighbors[0] = [*neighbors[0], 10]
    neighbors[10] = [*neighbors[10], 0]
    lazy = [targets + [i] * len(targets) for i, targets in enumerate(neighbors)]
    volume = sum(len(neighbors[i]) for i in range(10))
    conductance = 1 / volume
    for restart_prob in (0.1, 0.3):
        trace = random_walk_with_restart(
            to_graph(lazy),
            torch.full((300,), 5),
            300,
            restart_prob,
            generator=torch.Generator().manual_seed(0),
            backend=backend,
        )
        outside = (trace[:, 100:] >= 10).double().mean()
        assert outside > 0
        assert outside <= (1 - restart_prob) / (2 * restart_prob) * conductance


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_walk_that_goes_on_has_the_law_of_one_that_never_stopped(backend):
    rowptr, col = to_csr(to_graph(NEIGHBORS))
    generator = torch.Generator().manual_seed(0)
    start = torch.full((20000,), 3)
    dials = (0.3, generator, backend)
    whole = walk_csr(rowptr, col, start, 4, *dials)[:, 1:]
    first = walk_csr(rowptr, col, start, 2, *dials)
    second = walk_csr(rowptr, col, start, 2, *dials, begin=first[:, -1])
    assert torch.equal(second[:, 0], first[:, -1])
    parts = torch.cat([first[:, 1:], second[:, 1:]], dim=1)
    base = 8 ** torch.arange(4)
    found, expected = (
        torch.bincount((trace * base).sum(dim=1), minlength=8**4) / 20000
        for trace in (parts, whole)
    )
    assert float((found - expected).abs().sum()) / 2 < 0.05
    still = walk_csr(rowptr, col, start, 3, 1.0, generator, backend, first[:, -1])
    assert torch.equal(still[:, 0], first[:, -1])
    assert (still[:, 1:] == 3).all()


def test_edges_are_never_sorted(monkeypatch):
    graph = proximity_graph(torch.randn(30, 4), 10, 3)
    for name in ("sort", "argsort", "unique"):
        monkeypatch.setattr(torch, name, None)
    random_walk_with_restart(graph, torch.arange(30), 10, 0.2)


def test_edgeless_graph():
    graph = Data(edge_index=torch.empty(2, 0, dtype=torch.long), num_nodes=3)
    for backend in ("torch", "auto"):
        trace = random_walk_with_restart(
            graph, torch.tensor([2]), 3, 0.5, backend=backend
        )
        assert trace.tolist() == [[2, 2, 2, 2]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"restart_prob": 1.5}, r"`restart_prob` .* between 0 and 1 \(got 1.5\)"),
        ({"restart_prob": float("nan")}, r"`restart_prob` .* \(got nan\)"),
        ({"num_steps": -1}, r"`num_steps` should not be negative \(got -1\)"),
        ({"start": torch.tensor([8])}, r"`start` .* between 0 and 7"),
        ({"start": torch.tensor([-1])}, r"`start` .* between 0 and 7"),
        ({"start": torch.tensor(0)}, r"`start` should be a one-dimensional"),
        ({"backend": "pyg"}, r"`backend` should be one of .*'torch'.*got 'pyg'"),
        ({"graph": UNSORTED}, "sorted by sou"),
        ({"graph": Data(num_nodes=3)}, "`graph` should have an `edge_index`"),
    ],
)
def test_bad_input(change, message):
    arguments = {
        "graph": to_graph(NEIGHBORS),
        "start": torch.tensor([0]),
        "num_steps": 5,
        "restart_prob": 0.2,
    }
    with pytest.raises(ValueError, match=message):
        random_walk_with_restart(**(arguments | change))


def test_without_torch_cluster(monkeypatch):
    monkeypatch.setattr(walk, "has_torch_cluster", lambda: False)
    graph = to_graph(NEIGHBORS)
    traces = [
        random_walk_with_restart(
            graph,
            torch.tensor([0]),
            50,
            0.2,
            generator=torch.Generator().manual_seed(0),
            backend=backend,
        )
        for backend in ("auto", "torch")
    ]
    assert torch.equal(*traces)
    with pytest.raises(ImportError, match="needs the package torch-cluster"):
        random_walk_with_restart(
            graph, torch.tensor([0]), 5, 0.2, backend="torch_cluster"
        )


@pytest.mark.parametrize("built_for_cuda", [False, True])
def test_torch_cluster_is_used_where_it_can_be(monkeypatch, built_for_cuda):
    monkeypatch.setattr(walk, "has_torch_cluster", lambda: True)
    monkeypatch.setattr(walk, "_built_for_cuda", lambda: built_for_cuda)
    cpu, cuda = torch.device("cpu"), torch.device("cuda", 0)
    assert walk.resolve_backend("auto", cpu) == "torch_cluster"
    expected = "torch_cluster" if built_for_cuda else "torch"
    assert walk.resolve_backend("auto", cuda) == expected
    assert walk.resolve_backend("torch_cluster", cuda) == "torch_cluster"


@pytest.mark.skipif(not walk.has_torch_cluster(), reason="no torch-cluster")
def test_torch_cluster_says_what_it_was_built_for():
    if torch.version.cuda is None:
        assert not walk._built_for_cuda()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_cuda_equals_cpu():
    graph = proximity_graph(torch.randn(100, 4), 50, 5)
    traces = [
        random_walk_with_restart(
            graph.to(device),
            torch.arange(100, device=device),
            50,
            0.2,
            generator=torch.Generator().manual_seed(0),
            backend="torch",
        ).cpu()
        for device in ("cpu", "cuda")
    ]
    assert torch.equal(*traces)
