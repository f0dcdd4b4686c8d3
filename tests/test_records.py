import json
import re
import shutil
import subprocess
import sys
from importlib.machinery import ModuleSpec

import pytest
import torch

from pyg_prosampler import GINEncoder, records
from pyg_prosampler.records import RunFolder, environment, weights_digest


def test_round_trip(tmp_path):
    folder = RunFolder(tmp_path / "a" / "b")
    folder.write_config({"seed": 3})
    folder.append({"loss": 1.5})
    folder.append({"loss": 0.5})
    folder.save("embeddings.pt", {"embeddings": torch.eye(2), "labels": None})
    assert folder.read_config() == {"seed": 3}
    assert folder.read_records() == [{"loss": 1.5}, {"loss": 0.5}]
    assert torch.equal(folder.load("embeddings.pt")["embeddings"], torch.eye(2))
    names = sorted(path.name for path in folder.path.iterdir())
    assert names == ["config.json", "embeddings.pt", "records.jsonl"]


def test_a_line_cut_short_is_left_out(tmp_path):
    folder = RunFolder(tmp_path)
    folder.append({"epoch": 0})
    with (tmp_path / "records.jsonl").open("a") as file:
        file.write('{"epoch": 1, "lo')
    assert folder.read_records() == [{"epoch": 0}]


def test_an_interrupted_save_leaves_the_old_file(tmp_path):
    folder = RunFolder(tmp_path)
    folder.save("checkpoint.pt", {"a": 1})

    class Interrupting:
        def __reduce__(self):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        folder.save("checkpoint.pt", {"a": Interrupting()})
    assert folder.load("checkpoint.pt") == {"a": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.pt"]


def test_a_new_run_begins_new_records(tmp_path):
    folder = RunFolder(tmp_path)
    folder.append({"epoch": 0})
    for name in ("embeddings.pt", "checkpoint.pt"):
        folder.save(name, {})
    folder.write_config({})
    assert folder.read_records() == []
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]


def test_missing_files_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"has no config.json; name the folder"):
        RunFolder(tmp_path).read_config()


def test_environment_names_versions_and_machine():
    found = environment()
    assert found["versions"]["torch"] == torch.__version__
    assert found["machine"]["num_cores"] >= 1
    assert {"command", "time", "commit"} <= found.keys()
    json.dumps(found)


def test_environment_names_the_gpu_only_if_it_is_used(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"G of {device}")
    assert environment()["machine"]["gpu"] is None
    assert environment("cuda:1")["machine"]["gpu"] == "G of cuda:1"


def test_environment_names_the_command(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/somewhere/bin/prosampler", "compare", "MUTAG"])
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", None)
    assert environment()["command"] == "prosampler compare MUTAG"
    spec = ModuleSpec("benchmarks.graph.sweep", None)
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", spec)
    expected = "python -m benchmarks.graph.sweep compare MUTAG"
    assert environment()["command"] == expected


def test_digest_tells_weights_apart():
    torch.manual_seed(0)
    first = GINEncoder(3)
    torch.manual_seed(0)
    second = GINEncoder(3)
    assert weights_digest(first) == weights_digest(second)
    with torch.no_grad():
        second.convs[1].nn[0].weight[0, 0] += 1e-6
    assert weights_digest(first) != weights_digest(second)


@pytest.mark.skipif(shutil.which("git") is None, reason="no git")
def test_commit_is_marked_when_a_program_has_been_changed(tmp_path, monkeypatch):
    def git(*arguments):
        name = ["-c", "user.name=n", "-c", "user.email=e"]
        subprocess.run(["git", *name, *arguments], cwd=tmp_path, check=True)

    package = tmp_path / "package"
    package.mkdir()
    for path in (package / "records.py", tmp_path / "records.jsonl"):
        path.write_text("1\n")
    git("init", "-q")
    monkeypatch.setattr(records, "__file__", str(package / "records.py"))
    # As if installed within a checkout of something else.
    git("commit", "-q", "-m", "empty", "--allow-empty")
    assert environment()["commit"] is None
    git("add", ".")
    git("commit", "-q", "-m", "first")
    commit = environment()["commit"]
    assert re.fullmatch("[0-9a-f]{12}", commit)
    (tmp_path / "records.jsonl").write_text("2\n")
    (package / "new.py").write_text("")
    assert environment()["commit"] == commit
    (package / "records.py").write_text("2\n")
    assert environment()["commit"] == f"{commit}-dirty"
