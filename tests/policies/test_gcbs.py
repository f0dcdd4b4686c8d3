import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pyg_prosampler import ProSampler
from pyg_prosampler.policies import GCBSPolicy, gcbs
from pyg_prosampler.policies.gcbs import most_similar_pairs
from tests.reference_policies import (
    cuthill_mckee_chunks,
    similarity_matrix,
    top_quantile,
)


@given(st.integers(2, 40), st.integers(1, 900), st.integers(1, 200), st.integers(0, 99))
def test_most_similar_pairs_against_sorting(num_nodes, num_pairs, block, seed):
    generator = torch.Generator().manual_seed(seed)
    vectors = torch.randn(num_nodes, 3, generator=generator, dtype=torch.float64)
    scores = (vectors @ vectors.t()).triu(1)
    pairs = [(i, j) for i in range(num_nodes) for j in range(i + 1, num_nodes)]
    pairs.sort(key=lambda pair: -float(scores[pair]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gcbs, "_BLOCK_ELEMENTS", block)  # Many blocks.
        found = most_similar_pairs(vectors, num_pairs)
    assert set(map(tuple, found.t().tolist())) == set(pairs[:num_pairs])
    assert found.size(1) == min(num_pairs, len(pairs))


@given(st.integers(4, 30), st.floats(0.3, 0.95), st.integers(2, 8), st.integers(0, 99))
def test_against_dense_scipy(num_nodes, quantile, batch_size, seed):
    generator = torch.Generator().manual_seed(seed)
    embeddings = torch.randn(num_nodes, 4, generator=generator, dtype=torch.float64)
    policy = GCBSPolicy(quantile)
    prepared = policy.prepare(lambda: embeddings, generator)
    similarity = similarity_matrix(embeddings)
    assert prepared.nnz == 2 * policy.num_pairs(num_nodes)
    # The same numbers of instances as the policy gives them.
    state = generator.get_state()
    order = torch.randperm(num_nodes, generator=generator)
    least = similarity[prepared.toarray() > 0].min()
    kept = (similarity >= least) & ~np.eye(num_nodes, dtype=bool)
    assert (kept == prepared.toarray()).all()
    chunks = cuthill_mckee_chunks(kept[order][:, order], num_nodes)
    expected = order[chunks[0]].tolist()
    generator.set_state(state)
    everyone = torch.ones(num_nodes, dtype=torch.bool)
    batches = policy.batches(prepared, everyone, everyone, batch_size, 0, generator)
    # Every batch is a piece of that order.
    for batch in batches:
        first = expected.index(int(batch[0]))
        assert batch.tolist() == expected[first : first + len(batch)]


def test_the_quantile_is_that_of_numpy():
    embeddings = torch.randn(41, 5, dtype=torch.float64)  # 820 pairs.
    similarity = similarity_matrix(embeddings)
    found = GCBSPolicy(0.9).prepare(lambda: embeddings, torch.Generator())
    assert (found.toarray() > 0).tolist() == top_quantile(similarity, 0.9).tolist()


def test_clusters_are_found():
    centers = torch.eye(4).repeat_interleave(8, dim=0)
    embeddings = centers + 0.01 * torch.randn(32, 4)
    sampler = ProSampler(
        lambda: embeddings, 32, 8, policy=GCBSPolicy(0.8), num_warmup_epochs=0
    )
    for _ in range(3):
        assert sorted(sorted({i // 8 for i in batch}) for batch in sampler) == [
            [0], [1], [2], [3],
        ]  # fmt: skip


def test_default_number_of_pairs():
    assert GCBSPolicy().num_pairs(20000) == 1_000_000
    assert GCBSPolicy().num_pairs(188) == 188 * 18 // 2
    assert GCBSPolicy().num_pairs(2) == 1
    assert GCBSPolicy(0.999).num_pairs(3) == 1


@pytest.mark.parametrize("quantile", [0.0, 1.0, -1, 2])
def test_bad_input(quantile):
    with pytest.raises(ValueError, match=r"`quantile` should be between 0 and 1"):
        GCBSPolicy(quantile)
