import itertools
import pickle

import pytest

from pyg_prosampler import LinearDecay


def test_default_is_the_published_one():
    decay = LinearDecay()
    values = [decay(epoch) for epoch in range(25)]
    assert values[0] == 0.2
    assert values[19:] == [0.05] * 6
    steps = [a - b for a, b in itertools.pairwise(values[:20])]
    assert steps == pytest.approx([0.15 / 19] * 19)


def test_single_epoch_and_pickle():
    assert LinearDecay(0.2, 0.1, num_epochs=1)(0) == 0.1
    assert pickle.loads(pickle.dumps(LinearDecay())) == LinearDecay()
    with pytest.raises(ValueError, match=r"`num_epochs` should be at least 1"):
        LinearDecay(num_epochs=0)
