import numpy as np
import torch

from pyg_prosampler.figures import draw_walk


def test_arrows_and_numbers():
    points = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [3.0, 3.0]])
    data = {
        "points": points,
        "shares": np.array([0.5, 0.25]),
        "labels": torch.tensor([0, 1, 1, 0]),
        "trace": [2, 0, 0, 2, 1],
        "is_restart": [False, False, False, True, False],
        "restart_prob": 0.2,
    }
    (ax,) = draw_walk(data, "MUTAG").axes
    numbers = {t.get_text(): t.get_position() for t in ax.texts if t.get_text()}
    assert numbers == {"1": (0.0, 1.0), "2": (0.0, 0.0), "3": (1.0, 0.0)}
    arrows = [t for t in ax.texts if not t.get_text()]
    ends = [
        (tuple(arrow.xyann), tuple(arrow.xy), arrow.arrow_patch.get_linestyle())
        for arrow in arrows
    ]
    # Staying in place is no arrow.
    assert ends == [
        ((0.0, 1.0), (0.0, 0.0), "-"),
        ((0.0, 0.0), (0.0, 1.0), "--"),
        ((0.0, 1.0), (1.0, 0.0), "-"),
    ]
    assert "50% of the variance" in ax.get_xlabel()
    assert "25% of the variance" in ax.get_ylabel()
    labels = ax.get_legend_handles_labels()[1]
    assert labels == ["class 0", "class 1", "move to a neighbour", "restart"]
    data["labels"] = None
    (ax,) = draw_walk(data, "MUTAG").axes
    assert ax.get_legend_handles_labels()[1][0] == "graph"
