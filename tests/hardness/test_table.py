from io import StringIO

import torch
from rich.console import Console

from pyg_prosampler.hardness import hardness, to_table
from pyg_prosampler.policies import KNNPolicy, UniformPolicy


def printed(reports, width=80):
    console = Console(width=width, file=StringIO())
    console.print(to_table(reports, "what batches are made of"))
    return console.file.getvalue()


def test_columns_are_reports():
    embeddings, labels = torch.randn(20, 3), torch.arange(20) % 2
    reports = {
        "uniform": hardness(UniformPolicy(), embeddings, labels, batch_size=4),
        "knn": hardness(KNNPolicy(), embeddings, labels, batch_size=4),
    }
    lines = printed(reports).splitlines()
    assert lines[0].split() == ["what", "batches", "are", "made", "of"]
    assert lines[1].split() == ["uniform", "knn"]
    report = reports["knn"]
    (line,) = (line for line in lines if line.startswith("neighbours found"))
    found = f"{report['neighbors_found']:.3f} / {report['neighbors_floor']:.3f}"
    assert line.rstrip().endswith(found)
    (line,) = (line for line in lines if line.startswith("  median"))
    assert line.split()[-1] == f"{report['similarity_quartiles'][1]:.3f}"
    (line,) = (line for line in lines if line.startswith("filled up"))
    assert line.split()[2:] == ["0.0%", "0.0%"]
    assert "0.500" in printed(reports)


def test_what_is_unknown_is_left_out():
    text = printed({"pairs": hardness([[0, 1]], torch.randn(3, 2))})
    assert "false negatives" not in text
    assert "filled up" not in text
    assert "66.7%" in text


def test_four_policies_fit_a_terminal():
    report = hardness([[0, 1]], torch.randn(3, 2), torch.tensor([0, 1, 1]))
    reports = dict.fromkeys(["uniform", "prosampler", "multi-start", "knn"], report)
    for line in printed(reports).splitlines():
        assert len(line.rstrip()) <= 80
        assert "…" not in line
