import json
import subprocess
import sys
from dataclasses import fields

import pytest
from typer.testing import CliRunner

from pyg_prosampler import cli
from pyg_prosampler.config import PretrainConfig
from pyg_prosampler.records import RunFolder

SMALL = [
    "--num-epochs=2", "--batch-size=16", "--hidden-channels=4", "--num-layers=2",
    "--num-folds=5",
]  # fmt: skip


@pytest.fixture
def invoke(mini_root, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PROSAMPLER_MIRROR", (tmp_path / "nothing").as_uri())

    def call(*arguments, status=0):
        result = CliRunner().invoke(cli.app, [str(a) for a in arguments])
        assert result.exit_code == status, result.output
        return result

    return call


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


def test_pretrain_and_evaluate(invoke, mini_root, tmp_path):
    result = invoke(
        "pretrain", "MINI", "--root", mini_root, "--out", "o", "--seeds", "3", *SMALL,
        "--sampler", "knn",
    )  # fmt: skip
    assert "seed 3, untrained: accuracy" in result.stdout
    assert "seed 3, trained: accuracy" in result.stdout
    folder = tmp_path / "o" / "seed3"
    assert RunFolder(folder).read_config()["sampler"] == "knn"

    saved = invoke("evaluate", folder, "--num-folds", 5, "--seed", 3, "--json")
    scores = json.loads(saved.stdout)
    assert scores["fold_scores"] == RunFolder(folder).read_records()[-1]["fold_scores"]
    again = invoke(
        "evaluate", folder / "checkpoint.pt", "--num-folds", 5, "--seed", 3, "--json"
    )
    assert json.loads(again.stdout) == scores
    result = invoke(
        "evaluate", folder, "--num-folds", 5, "--protocol", "liblinear",
        "--num-repeats", 2,
    )  # fmt: skip
    assert "over seeds" in result.stdout
    assert "(liblinear)" in result.stdout


def test_default_folder_is_new(invoke, mini_root, tmp_path):
    invoke("pretrain", "MINI", "--root", mini_root, *SMALL)
    (folder,) = (tmp_path / "runs").iterdir()
    assert folder.name.startswith("pretrain-MINI-")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--batch-size", "99"], "Error: `batch_size` should be between 2 and 40"),
        (["--seeds", "a"], "Error: `seeds` should be distinct natural numbers"),
        (["--seeds", "1,1"], "Error: `seeds` should be distinct natural numbers"),
        (["--samplers", "uniform,x"], "Error: `sampler` should be one of"),
        (["--device", "tpu"], "Error: `device` 'tpu'"),
    ],
)
def test_errors(invoke, mini_root, tmp_path, arguments, message):
    result = invoke("compare", "MINI", "--root", mini_root, *arguments, status=1)
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "runs").exists()
    result = invoke("compare", "MINI", "--root", mini_root, *arguments, "-v", status=1)
    assert "Traceback" in result.stderr


def test_evaluate_errors(invoke, tmp_path):
    result = invoke("evaluate", "nowhere", status=1)
    assert (
        "'nowhere' does not exist; name the folder of a finished run" in result.stderr
    )
    RunFolder(tmp_path).save("other.pt", {"a": 1})
    result = invoke("evaluate", "other.pt", status=1)
    assert "neither embeddings nor a checkpoint" in result.stderr


def test_interrupt_leaves_finished_records(invoke, mini_root, tmp_path, monkeypatch):
    append = RunFolder.append

    def interrupting(self, record):
        append(self, record)
        if record["type"] == "epoch":
            raise KeyboardInterrupt

    monkeypatch.setattr(RunFolder, "append", interrupting)
    result = invoke(
        "pretrain", "MINI", "--root", mini_root, "--out", "o", *SMALL, status=130
    )
    assert "Interrupted; what was finished is in the run folder" in result.stderr
    records = RunFolder(tmp_path / "o" / "seed0").read_records()
    assert [record["type"] for record in records] == ["evaluation", "epoch"]


@pytest.mark.parametrize("command", ["pretrain", "compare", "evaluate"])
def test_help(invoke, command):
    text = " ".join(invoke(command, "--help").stdout.split())
    for field in fields(PretrainConfig) if command == "pretrain" else ():
        if field.name not in ("dataset", "seed"):
            assert f"--{field.name.replace('_', '-')}" in text
    assert "--help" in text


def test_the_installed_command():
    result = subprocess.run(
        [sys.executable, "-m", "pyg_prosampler.cli", "--help"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    for command in ("pretrain", "evaluate", "compare"):
        assert command in result.stdout
