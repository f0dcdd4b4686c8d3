import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pyg_prosampler import ProSampler
from pyg_prosampler.policies import NGAMEPolicy
from pyg_prosampler.policies.ngame import balanced_clusters


@given(
    st.integers(0, 60),
    st.integers(1, 12),
    st.sampled_from(["random", "equal", "copies"]),
    st.integers(0, 50),
)
def test_balance(num_nodes, cluster_size, kind, seed):
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(num_nodes, 3)).astype(np.float32)
    if kind == "equal":
        vectors[:] = 1
    elif kind == "copies":
        vectors = vectors[np.arange(num_nodes) % 3] if num_nodes > 2 else vectors
    generator = torch.Generator().manual_seed(seed)
    clusters = balanced_clusters(vectors, cluster_size, generator)
    num_full, num_left = divmod(num_nodes, cluster_size)
    sizes = sorted((len(cluster) for cluster in clusters), reverse=True)
    assert sizes == [cluster_size] * num_full + ([num_left] if num_left else [])
    assert sorted(i for c in clusters for i in c) == list(range(num_nodes))


def test_a_split_puts_the_most_decided_on_their_sides():
    # 2-means has the centres near 0 and 10; of the 9 left of the middle, the one
    # that is least so has to go right.
    values = np.array([0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 2, 9, 9.5, 10, 10.1, 10.2])
    values = np.append(values, [10.3, 10.4])
    vectors = np.stack([values, np.zeros(16)], axis=1)
    clusters = balanced_clusters(vectors, 8, torch.Generator().manual_seed(0))
    assert sorted(sorted(c.tolist()) for c in clusters) == [
        list(range(8)), list(range(8, 16)),
    ]  # fmt: skip


def test_clusters_are_found():
    # Eight groups in pairs of pairs.
    group = torch.arange(64) // 8
    centers = [torch.eye(num)[group * num // 8] for num in (2, 4, 8)]
    embeddings = torch.cat([4 * centers[0], 2 * centers[1], centers[2]], dim=1)
    embeddings += 0.001 * torch.randn(64, 14)

    def groups(cluster_size):
        sampler = ProSampler(
            lambda: embeddings, 64, 16, num_warmup_epochs=0,
            policy=NGAMEPolicy(cluster_size, double_every=None),
        )  # fmt: skip
        return [sorted(set(group[batch].tolist())) for batch in sampler]

    assert sorted(groups(16)) == [[0, 1], [2, 3], [4, 5], [6, 7]]
    assert [len(found) for found in groups(8)] == [2, 2, 2, 2]
    assert groups(8) != sorted(groups(16))
    assert sum(len(found) for found in groups(1)) > 24


def test_clusters_grow_up_to_the_batch_size():
    policy = NGAMEPolicy(8, double_every=4)
    sizes = [policy.cluster_size_at(epoch, 128) for epoch in (0, 3, 4, 12, 16, 10**9)]
    assert sizes == [8, 8, 16, 64, 128, 128]
    assert policy.cluster_size_at(0, 4) == 4
    assert NGAMEPolicy(8, double_every=None).cluster_size_at(99, 128) == 8


def test_batches_become_harder():
    embeddings = torch.randn(200, 3)
    sampler = ProSampler(
        lambda: embeddings, 200, 20, policy=NGAMEPolicy(1, double_every=1),
        num_warmup_epochs=0,
    )  # fmt: skip
    vectors = torch.nn.functional.normalize(embeddings)
    hardness = []
    for _ in range(6):
        batches = [vectors[batch] for batch in sampler]
        hardness.append(sum(float(b.mean(0).norm()) for b in batches) / 10)
    assert hardness[0] < hardness[2] < hardness[5]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0,), r"`cluster_size` should be at least 1 \(got 0\)"),
        ((8, 0), r"`double_every` should be at least 1 \(got 0\)"),
    ],
)
def test_bad_input(arguments, message):
    with pytest.raises(ValueError, match=message):
        NGAMEPolicy(*arguments)
