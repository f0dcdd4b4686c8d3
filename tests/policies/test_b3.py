import importlib.util
import sys

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pyg_prosampler import ProSampler
from pyg_prosampler.policies import B3Policy
from tests.reference_policies import mutual_pairs, similarity_matrix

needs_metis = pytest.mark.skipif(
    importlib.util.find_spec("pymetis") is None, reason="no pymetis"
)


def test_says_what_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "pymetis", None)
    with pytest.raises(ImportError, match="`B3Policy` needs the package pymetis"):
        B3Policy()


@needs_metis
@given(st.integers(3, 30), st.integers(0, 8), st.integers(1, 12), st.integers(0, 99))
@needs_metis
def test_graph_against_brute_force(num_nodes, num_skipped, num_kept, seed):
    num_skipped = min(num_skipped, num_nodes - 2)
    generator = torch.Generator().manual_seed(seed)
    embeddings = torch.randn(num_nodes, 5, generator=generator)
    policy = B3Policy(num_skipped, num_kept)
    graph = policy.prepare(lambda: embeddings, generator).tocoo()
    expected = mutual_pairs(similarity_matrix(embeddings), num_skipped, num_kept)
    assert set(zip(*map(list, graph.coords), strict=True)) == expected


@needs_metis
def test_clusters_are_found_and_shared_out():
    # Eight groups of eight: a batch of sixteen has two of them, not neighbours.
    centers = torch.eye(8).repeat_interleave(8, dim=0)
    embeddings = centers + 0.01 * torch.randn(64, 8)
    sampler = ProSampler(
        lambda: embeddings, 64, 16, policy=B3Policy(0, 7, 8), num_warmup_epochs=0
    )
    groups = [sorted(i // 8 for i in batch) for batch in sampler]
    assert all(len(set(group)) == 2 for group in groups)


@needs_metis
def test_the_seed_decides():
    embeddings = torch.randn(600, 3)
    epochs = []
    for seed in (0, 0, 1):
        sampler = ProSampler(
            lambda: embeddings, 600, 30, policy=B3Policy(2, 20, 15), seed=seed,
            num_warmup_epochs=0,
        )  # fmt: skip
        epochs.append(list(sampler))
    assert epochs[0] == epochs[1] != epochs[2]


@needs_metis
def test_the_most_similar_are_kept_apart():
    # Pairs of twins, within two groups: groups share a batch, twins do not
    # more often than chance has it.
    centers = torch.eye(2).repeat_interleave(32, dim=0)
    twins = torch.randn(32, 2).repeat_interleave(2, dim=0)
    embeddings = centers + 0.1 * twins + 0.0001 * torch.randn(64, 2)
    graph = B3Policy(1, 12).prepare(lambda: embeddings, torch.Generator())
    pairs = torch.arange(64).view(-1, 2)
    assert graph.toarray()[pairs[:, 0], pairs[:, 1]].sum() == 0
    assert graph.toarray()[:32, 32:].sum() == 0
    assert graph.nnz > 64


@needs_metis
def test_uniform_at_clusters_of_one():
    embeddings = torch.eye(2).repeat_interleave(200, dim=0)
    embeddings = embeddings + 0.01 * torch.randn(400, 2)
    sampler = ProSampler(
        lambda: embeddings, 400, 20, policy=B3Policy(0, 10, 1), num_warmup_epochs=0
    )
    same = [
        (torch.tensor(batch).view(-1, 1) < 200) == (torch.tensor(batch) < 200)
        for batch in sampler
    ]
    share = torch.stack(same).float().mean(dim=0)
    assert float((share.sum() - 20) / 380) == pytest.approx(0.5, abs=0.05)


@needs_metis
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((-1,), r"`num_skipped` should be at least 0 \(got -1\)"),
        ((1, 0), r"`num_neighbors` should be at least 1 \(got 0\)"),
        ((1, 1, 0), r"`cluster_size` should be at least 1 \(got 0\)"),
    ],
)
@needs_metis
def test_bad_input(arguments, message):
    with pytest.raises(ValueError, match=message):
        B3Policy(*arguments)


@needs_metis
def test_nobody_left_to_keep():
    policy = B3Policy(num_skipped=9)
    with pytest.raises(ValueError, match=r"`num_skipped` .* less than 9.*got 9"):
        policy.prepare(lambda: torch.randn(10, 2), torch.Generator())
