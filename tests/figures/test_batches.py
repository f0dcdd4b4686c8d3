import pytest
import torch

from pyg_prosampler.figures import draw_batches
from pyg_prosampler.policies import RandomWalkPolicy


@pytest.mark.parametrize("suffix", ["png", "svg"])
@pytest.mark.parametrize("labels", [torch.arange(40) % 3, None])
def test_draws(tmp_path, suffix, labels):
    path = tmp_path / f"picture.{suffix}"
    embeddings = torch.randn(40, 6)
    draw_batches(
        embeddings, labels, RandomWalkPolicy(20, 5), 3, 8, 0, path, "forty graphs"
    )
    assert path.stat().st_size > 5000
