from importlib import import_module

import pytest

from tests.cli.small import SMALL


def test_compare(invoke, mini_root, tmp_path):
    result = invoke(
        "compare", "MINI", "--root", mini_root, "--out", "o", "--seeds", "0,1", *SMALL
    )
    assert (
        "MINI: 40 graphs, 2 classes; node features: 1 channel, added by Constant"
        in (result.stdout)
    )
    for word in (
        "untrained",
        "uniform",
        "prosampler",
        "/ 0.500",
        "o/embeddings.png",
    ):
        assert word in result.stdout
    assert "epoch 2/2, loss" in result.stderr
    assert "restart 0.050, similarity" in result.stderr
    assert (tmp_path / "o" / "embeddings.png").stat().st_size > 5000
    assert (tmp_path / "o" / "summary.json").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--batch-size", "99"], "Error: `batch_size` should be between 2 and 40"),
        (["--seeds", "a"], "Error: `seeds` should be distinct natural numbers"),
        (["--seeds", "1,1"], "Error: `seeds` should be distinct natural numbers"),
        (["--samplers", "uniform,x"], "Error: `sampler` should be one of"),
        (["--device", "tpu"], "Error: `device` 'tpu'"),
        (
            ["--batch-size", "16", "--num-epochs", "0"],
            "Error: `num_epochs` should be at least 1",
        ),
    ],
)
def test_errors(invoke, mini_root, tmp_path, arguments, message):
    result = invoke("compare", "MINI", "--root", mini_root, *arguments, status=1)
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "runs").exists()
    result = invoke("compare", "MINI", "--root", mini_root, *arguments, "-v", status=1)
    assert "Traceback" in result.stderr


def test_bar_of_a_run_with_a_last_batch_of_one_graph(invoke, mini_root):
    result = invoke(
        "compare", "MINI", "--root", mini_root, "--out", "o", "--seeds", "0", *SMALL,
        "--samplers", "uniform", "--batch-size", "13",
    )  # fmt: skip
    assert "8/8" in result.stderr
    assert "epoch 2/2, loss" in result.stderr


def test_picture_names_the_framework(invoke, mini_root, tmp_path, monkeypatch):
    titles = []
    monkeypatch.setattr(
        # By this name, the package has the command itself.
        import_module("pyg_prosampler.cli.compare"),
        "draw_batches",
        lambda *arguments: titles.append(arguments[-1]),
    )
    for framework in ("graphcl", "mvgrl"):
        invoke(
            "compare", "MINI", "--root", mini_root, "--out", framework, "--seeds", "0",
            "--framework", framework, *SMALL,
        )  # fmt: skip
    assert titles == [f"MINI after 2 epochs of {name}" for name in ("GraphCL", "MVGRL")]
