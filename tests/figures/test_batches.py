import re
import statistics

import pytest
import torch

from pyg_prosampler.figures import draw_batches
from pyg_prosampler.hardness import mean_similarity
from pyg_prosampler.policies import RandomWalkPolicy
from pyg_prosampler.sampler import ProSampler


@pytest.mark.parametrize("suffix", ["png", "svg"])
@pytest.mark.parametrize("labels", [torch.arange(40) % 3, None])
def test_draws(tmp_path, suffix, labels):
    path = tmp_path / f"picture.{suffix}"
    embeddings = torch.randn(40, 6)
    draw_batches(
        embeddings, labels, RandomWalkPolicy(20, 5), 3, 8, 0, path, "forty graphs"
    )
    assert path.stat().st_size > 5000


def test_batches_shown_are_those_of_median_similarity(tmp_path):
    embeddings = torch.randn(40, 6)
    policy = RandomWalkPolicy(20, 5)
    path = tmp_path / "picture.svg"
    draw_batches(embeddings, None, policy, 3, 8, 0, path, "forty graphs")
    sampler = ProSampler(
        lambda: embeddings, 40, 8, policy=policy, num_warmup_epochs=0, seed=0
    )
    sampler.set_epoch(3)
    similarities = [mean_similarity(embeddings[batch]) for batch in sampler]
    assert len(set(similarities)) == 5
    expected = "one ProSampler batch, mean similarity {:.3f}"
    assert expected.format(statistics.median(similarities)) in drawn_texts(path)


def drawn_texts(path):
    return re.findall(r"<!-- (.*?) -->", path.read_text())
