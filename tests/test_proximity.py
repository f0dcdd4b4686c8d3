import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components
from scipy.stats import chisquare, hypergeom

from pyg_prosampler import (
    knn_graph,
    proximity,
    proximity_graph,
    random_walk_with_restart,
)
from pyg_prosampler.candidates import draw_candidates, numpy_generator
from tests.reference_sampling import cosine, nearest_neighbors


@st.composite
def dials(draw):
    num_nodes = draw(st.integers(2, 30))
    num_candidates = draw(st.integers(1, num_nodes - 1))
    num_neighbors = draw(st.integers(1, num_candidates))
    return num_nodes, num_candidates, num_neighbors


@given(dials(), st.sampled_from(["independent", "shared"]), st.integers(0, 100))
def test_structure(dials, candidates, seed):
    num_nodes, num_candidates, num_neighbors = dials
    generator = torch.Generator().manual_seed(seed)
    embeddings = torch.randn(num_nodes, 4, generator=generator)
    graph = proximity_graph(
        embeddings,
        num_candidates,
        num_neighbors,
        candidates=candidates,
        generator=generator,
    )
    assert graph.num_nodes == num_nodes
    row, col = graph.edge_index
    expected = torch.arange(num_nodes).repeat_interleave(num_neighbors)
    assert torch.equal(row, expected)
    assert not graph.has_self_loops()
    assert graph.coalesce().num_edges == num_nodes * num_neighbors
    for i, j, weight in zip(
        row.tolist(), col.tolist(), graph.edge_weight.tolist(), strict=True
    ):
        assert weight == pytest.approx(
            cosine(embeddings[i], embeddings[j]), rel=1e-4, abs=1e-5
        )
    weight = graph.edge_weight.view(num_nodes, -1)
    assert (weight.diff(dim=1) <= 0).all()  # Nearest first.


@pytest.mark.parametrize("num_neighbors", [1, 3, 11])
def test_knn_graph_equals_reference(num_neighbors):
    embeddings = torch.randn(12, 5, dtype=torch.float64)
    graph = knn_graph(embeddings, num_neighbors)
    expected = nearest_neighbors(embeddings, num_neighbors)
    assert graph.edge_index[1].view(12, -1).tolist() == expected


def test_all_candidates_give_the_knn_graph():
    embeddings = torch.randn(20, 5)
    graph = proximity_graph(embeddings, 19, 4)
    assert torch.equal(graph.edge_index, knn_graph(embeddings, 4).edge_index)


def test_row_blocks_do_not_change_the_result(monkeypatch):
    embeddings = torch.randn(50, 5)
    whole = knn_graph(embeddings, 7)
    monkeypatch.setattr(proximity, "_BLOCK_ELEMENTS", 150)
    monkeypatch.setattr(proximity, "_BLOCK_ROWS", 1)
    blocked = knn_graph(embeddings, 7)
    assert torch.equal(blocked.edge_index, whole.edge_index)
    graph = proximity_graph(embeddings, 20, 7)
    assert torch.equal(graph.edge_index[0], whole.edge_index[0])


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    ("num_nodes", "num_candidates", "candidates", "bound"),
    [
        (5000, 500, "independent", 200),
        (5000, 2000, "independent", 200),
        (5000, 3500, "independent", 200),
        (5000, 4999, "independent", 200),
        (60000, 50, "independent", 200),
        # A thirtieth of what two million may take.
        (60000, 500, "shared", 120),
    ],
)
def test_memory_is_bounded(num_nodes, num_candidates, candidates, bound):
    code = f"""
import torch
from pyg_prosampler import proximity_graph

def memory(name):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if name in line) / 1024

embeddings = torch.randn({num_nodes}, 64, dtype=torch.float32)
for candidates in ("independent", "shared"):
    proximity_graph(embeddings[:500], 20, 5, candidates=candidates)
before = memory("VmRSS")
proximity_graph(embeddings, {num_candidates}, 50, candidates="{candidates}")
print(memory("VmHWM") - before)
"""
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    outputs = num_nodes * 50 * 20 / 2**20
    assert float(result.stdout) - outputs < bound


@pytest.mark.parametrize("num_candidates", [5, 10, 25])  # One by one, or in blocks.
def test_neighbors_are_the_best_candidates(num_candidates):
    embeddings = torch.randn(30, 5)
    rng = numpy_generator(torch.Generator().manual_seed(3))
    candidates = draw_candidates(np.arange(30), 30, num_candidates, rng)
    generator = torch.Generator().manual_seed(3)
    graph = proximity_graph(embeddings, num_candidates, 4, generator=generator)
    for i, found in enumerate(graph.edge_index[1].view(30, 4).tolist()):
        ranked = sorted(
            candidates[i].tolist(), key=lambda j: -cosine(embeddings[i], embeddings[j])
        )
        assert found == ranked[:4]


@pytest.mark.parametrize("num_candidates", [5, 10, 25])
def test_equals_are_neighbors_as_they_are_drawn(num_candidates):
    # Of candidates with equal scores the first ones, in whichever way they are found.
    embeddings = torch.eye(3)[torch.arange(30) % 3]
    rng = numpy_generator(torch.Generator().manual_seed(3))
    candidates = draw_candidates(np.arange(30), 30, num_candidates, rng)
    generator = torch.Generator().manual_seed(3)
    graph = proximity_graph(embeddings, num_candidates, 4, generator=generator)
    for i, found in enumerate(graph.edge_index[1].view(30, 4).tolist()):
        ranked = sorted(candidates[i].tolist(), key=lambda j: ((i - j) % 3 != 0, j))
        assert found == ranked[:4]


def shared(embeddings, num_candidates, num_neighbors, seed=0):
    return proximity_graph(
        embeddings,
        num_candidates,
        num_neighbors,
        candidates="shared",
        generator=torch.Generator().manual_seed(seed),
    )


@pytest.mark.parametrize("rows", [3, 128])
def test_shared_candidates_are_distinct_and_uniform(monkeypatch, rows):
    # With as many neighbours as candidates, the graph shows the candidates.
    monkeypatch.setattr(proximity, "_SHARED_ROWS", rows)
    counts = np.zeros((8, 8), dtype=int)
    sets = {}
    for seed in range(3000):
        graph = shared(torch.ones(8, 2), 3, 3, seed)
        found = graph.edge_index[1].view(8, 3)
        for i, row in enumerate(found.tolist()):
            assert i not in row
            assert len(set(row)) == 3
            counts[i, row] += 1
        drawn = tuple(sorted(found[5].tolist()))
        sets[drawn] = sets.get(drawn, 0) + 1
    for i in range(8):
        assert chisquare(np.delete(counts[i], i)).pvalue > 1e-4
    assert len(sets) == 35  # Three out of seven.
    assert chisquare(list(sets.values())).pvalue > 1e-4


def test_shared_neighbors_are_the_best_candidates():
    embeddings = torch.randn(300, 5)
    everyone = shared(embeddings, 40, 40).edge_index[1].view(300, 40)
    graph = shared(embeddings, 40, 7)
    for i, found in enumerate(graph.edge_index[1].view(300, 7).tolist()):
        ranked = sorted(
            everyone[i].tolist(), key=lambda j: -cosine(embeddings[i], embeddings[j])
        )
        assert found == ranked[:7]
        assert graph.edge_weight[7 * i] == pytest.approx(
            cosine(embeddings[i], embeddings[found[0]]), abs=1e-5
        )


def test_everybody_is_a_shared_candidate_equally_often():
    graph = shared(torch.randn(2000, 4), 500, 500)
    counts = torch.bincount(graph.edge_index[1], minlength=2000)
    assert counts.sum() == 2000 * 500
    assert (counts - 500).abs().max() <= 128


def test_a_shared_graph_looks_like_an_independent_one():
    generator = torch.Generator().manual_seed(0)
    embeddings = torch.randn(6000, 8, generator=generator)
    facts = {}
    for candidates in ("independent", "shared"):
        graph = proximity_graph(
            embeddings, 300, 15, candidates=candidates, generator=generator
        )
        indegree = torch.bincount(graph.edge_index[1], minlength=6000).double()
        adjacency = csr_array(
            (np.ones(graph.num_edges), graph.edge_index.numpy()), shape=(6000, 6000)
        )
        _, label = connected_components(adjacency, connection="strong")
        starts = torch.arange(0, 6000, 60)
        traces = random_walk_with_restart(graph, starts, 200, 0.05, generator=generator)
        facts[candidates] = {
            "similarity": float(graph.edge_weight.mean()),
            "spread": float(indegree.std()),
            "component": np.bincount(label).max() / 6000,
            "visited": np.mean([len(row.unique()) for row in traces]),
        }
    for name, expected in facts["independent"].items():
        assert facts["shared"][name] == pytest.approx(expected, rel=0.05), name


def test_candidates_are_shared_in_large_graphs(monkeypatch):
    monkeypatch.setattr(proximity, "_SHARED_FROM", 60)
    for num_nodes, expected in ((59, "independent"), (60, "shared")):
        edges = [
            proximity_graph(
                torch.ones(num_nodes, 2),
                20,
                20,
                candidates=candidates,
                generator=torch.Generator().manual_seed(0),
            ).edge_index
            for candidates in ("auto", expected)
        ]
        assert torch.equal(*edges)


def test_proposition_1():
    # The probability that all K neighbours are among the S most similar is that
    # at least K of the M candidates are, which are drawn without replacement.
    num_nodes, num_close, num_candidates, num_neighbors = 400, 60, 40, 4
    angles = torch.linspace(0, 3, num_nodes, dtype=torch.float64)
    embeddings = torch.stack([angles.cos(), angles.sin()], dim=1)
    generator = torch.Generator().manual_seed(1)
    hits = []
    for _ in range(300):
        graph = proximity_graph(
            embeddings, num_candidates, num_neighbors, generator=generator
        )
        # The similarity to node 0 falls with the index.
        hits.append(bool((graph.edge_index[1, :num_neighbors] <= num_close).all()))
    law = hypergeom(num_nodes - 1, num_close, num_candidates)
    expected = law.sf(num_neighbors - 1)
    assert np.mean(hits) == pytest.approx(
        expected, abs=4 * np.sqrt(expected * (1 - expected) / 300)
    )
    # The published bound holds up to its approximation.
    share = 1 - num_close / num_nodes
    assert expected > (1 - share**num_candidates) ** num_neighbors - 0.15


@pytest.mark.parametrize(
    "dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64]
)
def test_dtypes(dtype):
    graph = proximity_graph(torch.randn(20, 4).to(dtype), 10, 3)
    expected = torch.float64 if dtype == torch.float64 else torch.float32
    assert graph.edge_weight.dtype == expected
    assert graph.edge_weight.abs().max() <= 1.0 + 1e-5


def test_same_generator_state_same_graph():
    embeddings = torch.randn(50, 4)
    graphs = [
        proximity_graph(
            embeddings, 10, 3, generator=torch.Generator().manual_seed(seed)
        ).edge_index
        for seed in (0, 0, 1)
    ]
    assert torch.equal(graphs[0], graphs[1])
    assert not torch.equal(graphs[0], graphs[2])


def test_generator_leaves_the_global_state():
    state = torch.get_rng_state()
    proximity_graph(torch.ones(50, 4), 10, 3, generator=torch.Generator())
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("candidates", ["independent", "shared"])
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_identical_embeddings(value, candidates):
    graph = proximity_graph(torch.full((20, 4), value), 10, 3, candidates=candidates)
    assert graph.num_edges == 60
    assert graph.edge_weight.tolist() == pytest.approx([value] * 60)


def test_too_many_candidates_are_clipped_with_a_notice():
    with pytest.warns(UserWarning, match=r"clipped from 50 to the 9 other"):
        graph = proximity_graph(torch.randn(10, 4), 50, 20)
    assert graph.num_edges == 90


@pytest.mark.parametrize(
    ("embeddings", "num_candidates", "num_neighbors", "message"),
    [
        (torch.randn(5, 2), 0, 1, r"`num_candidates` should be at least 1 \(got 0\)"),
        (torch.randn(5, 2), 2, 3, r"`num_neighbors` should be between 1 and .* = 2"),
        (torch.randn(5, 2), 2, 0, r"`num_neighbors` should be between 1"),
        (torch.randn(5), 2, 1, r"`embeddings` should be .* matrix .*shape \[5\]"),
        (torch.ones(5, 2).long(), 2, 1, r"`embeddings` .* torch.int64"),
        (torch.randn(1, 2), 2, 1, r"`embeddings` should have at least 2 rows"),
        (
            torch.tensor([[0.0], [torch.nan], [1.0], [torch.inf]]),
            2,
            1,
            r"NaN or infinite for 2 of 4 graphs \(indices 1, 3\)",
        ),
    ],
)
def test_bad_input(embeddings, num_candidates, num_neighbors, message):
    with pytest.raises(ValueError, match=message):
        proximity_graph(embeddings, num_candidates, num_neighbors)


def test_unknown_candidates():
    with pytest.raises(ValueError, match=r"`candidates` should be one of .*'own'"):
        proximity_graph(torch.randn(5, 2), 2, 1, candidates="own")


def test_large_but_finite_embeddings():
    graph = proximity_graph(torch.full((20, 4), 2e38), 10, 3)
    assert graph.num_edges == 60


def test_knn_graph_bad_input():
    with pytest.raises(ValueError, match="`num_neighbors` should be at least 1"):
        knn_graph(torch.randn(5, 2), 0)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_cuda_equals_cpu():
    embeddings = torch.randn(200, 8)
    graphs = [
        proximity_graph(
            embeddings.to(device), 50, 5, generator=torch.Generator().manual_seed(0)
        )
        for device in ("cpu", "cuda")
    ]
    assert graphs[1].edge_index.is_cuda
    assert torch.equal(graphs[0].edge_index, graphs[1].edge_index.cpu())
