import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare, hypergeom

from pyg_prosampler import knn_graph, proximity, proximity_graph
from pyg_prosampler.proximity import draw_candidates
from tests.reference_sampling import cosine, nearest_neighbors


@st.composite
def dials(draw):
    num_nodes = draw(st.integers(2, 30))
    num_candidates = draw(st.integers(1, num_nodes - 1))
    num_neighbors = draw(st.integers(1, num_candidates))
    return num_nodes, num_candidates, num_neighbors


@given(dials(), st.integers(0, 100))
def test_structure(dials, seed):
    num_nodes, num_candidates, num_neighbors = dials
    generator = torch.Generator().manual_seed(seed)
    embeddings = torch.randn(num_nodes, 4, generator=generator)
    graph = proximity_graph(
        embeddings, num_candidates, num_neighbors, generator=generator
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
    blocked = knn_graph(embeddings, 7)
    assert torch.equal(blocked.edge_index, whole.edge_index)
    graph = proximity_graph(embeddings, 20, 7)
    assert torch.equal(graph.edge_index[0], whole.edge_index[0])


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("num_candidates", [500, 2000, 3500, 4999])
def test_memory_is_bounded(num_candidates):
    code = f"""
import torch
from pyg_prosampler import proximity_graph

def memory(name):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if name in line) / 1024

embeddings = torch.randn(5000, 64, dtype=torch.float64)
proximity_graph(embeddings[:50], 20, 5)
before = memory("VmRSS")
proximity_graph(embeddings, {num_candidates}, 50)
print(memory("VmHWM") - before)
"""
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    outputs = 5000 * 50 * 24 / 2**20
    assert float(result.stdout) - outputs < 200


def test_neighbors_are_the_best_candidates():
    embeddings = torch.randn(30, 5)
    generator = torch.Generator().manual_seed(3)
    candidates = draw_candidates(
        torch.arange(30), 30, 10, torch.Generator().manual_seed(3)
    )
    graph = proximity_graph(embeddings, 10, 4, generator=generator)
    for i, found in enumerate(graph.edge_index[1].view(30, 4).tolist()):
        ranked = sorted(
            candidates[i].tolist(), key=lambda j: -cosine(embeddings[i], embeddings[j])
        )
        assert found == ranked[:4]


@pytest.mark.parametrize(("num_nodes", "num_candidates"), [(6, 2), (6, 4), (40, 7)])
def test_candidates_are_distinct_and_uniform(num_nodes, num_candidates):
    generator = torch.Generator().manual_seed(0)
    rows = torch.full((4000,), num_nodes // 2)
    candidates = draw_candidates(rows, num_nodes, num_candidates, generator)
    assert candidates.shape == (4000, num_candidates)
    assert (candidates.sort(dim=1)[0].diff(dim=1) > 0).all()
    counts = torch.bincount(candidates.view(-1), minlength=num_nodes)
    assert counts[num_nodes // 2] == 0
    others = torch.arange(num_nodes) != num_nodes // 2
    assert chisquare(counts[others].numpy()).pvalue > 1e-3


def test_every_candidate_set_is_equally_likely():
    generator = torch.Generator().manual_seed(0)
    candidates = draw_candidates(torch.zeros(6000).long(), 5, 2, generator)
    _, counts = (candidates * torch.tensor([10, 1])).sum(1).unique(return_counts=True)
    assert len(counts) == 6
    assert chisquare(counts.numpy()).pvalue > 1e-3


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


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_identical_embeddings(value):
    graph = proximity_graph(torch.full((20, 4), value), 10, 3)
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
