import http.client
import importlib.util
import logging
import os
import sys
import threading
import urllib.request
import zipfile
import zlib
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch_geometric.transforms as T
from torch_geometric.data import InMemoryDataset
from torch_geometric.datasets import TUDataset
from torch_geometric.utils import degree

from pyg_prosampler import datasets, fetch
from pyg_prosampler.datasets import (
    describe_node_features,
    load_dataset,
    node_feature_transform,
)

DATA = Path(
    os.environ.get("PROSAMPLER_TEST_DATA")
    or Path(__file__).resolve().parents[2] / "shared" / "data"
)
with_data = pytest.mark.skipif(
    not (DATA / "tudataset").is_dir(), reason="no data sets on this machine"
)

# A path of three nodes, two nodes without an edge, a triangle with a tail. (PyG's
# reader would lose a graph without edges at the end.)
EDGES = [(1, 2), (2, 3), (6, 7), (7, 8), (8, 6), (6, 9)]
MINI = {
    "A": "".join(f"{i}, {j}\n{j}, {i}\n" for i, j in EDGES),
    "graph_indicator": "1\n" * 3 + "2\n" * 2 + "3\n" * 4,
    "graph_labels": "-1\n1\n1\n",
}
NODE_LABELS = {"node_labels": "0\n1\n0\n2\n2\n1\n0\n1\n1\n"}


def write_raw(folder: Path, name: str, content: dict[str, str]) -> None:
    folder.mkdir(parents=True)
    for key, text in content.items():
        (folder / f"{name}_{key}.txt").write_text(text)


def write_zip(folder: Path, name: str, content: dict[str, str]) -> str:
    """Writes NAME.zip and returns its folder's address."""
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(folder / f"{name}.zip", "w", zipfile.ZIP_LZMA) as file:
        for key, text in content.items():
            file.writestr(f"{name}//{name}_{key}.txt", text)
        file.writestr(f"{name}/README.txt", "made up")
    return folder.as_uri()


@pytest.fixture(autouse=True)
def no_other_source(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test reaches the network, this machine's settings or its packages."""
    monkeypatch.delenv("PROSAMPLER_MIRROR", raising=False)
    monkeypatch.setattr(TUDataset, "url", (tmp_path / "server").as_uri())
    install_grakel(monkeypatch, None)


def install_grakel(monkeypatch: pytest.MonkeyPatch, folder: Path | None) -> None:
    spec = None
    if folder is not None:
        spec = ModuleSpec("grakel", None, is_package=True)
        spec.submodule_search_locations = [str(folder)]
    util = SimpleNamespace(find_spec=lambda name: spec if name == "grakel" else None)
    monkeypatch.setattr(fetch, "importlib", SimpleNamespace(util=util))


@pytest.fixture
def mirror(tmp_path: Path) -> str:
    return write_zip(tmp_path / "mirror", "MINI", MINI)


# Sources ####################################################################


def test_mirror_argument_and_environment(
    tmp_path: Path,
    mirror: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO, "pyg_prosampler"):
        dataset = load_dataset("MINI", tmp_path / "one", mirror=mirror)
    assert isinstance(dataset, TUDataset)
    assert len(dataset) == 3
    assert [data.num_nodes for data in dataset] == [3, 2, 4]
    assert [data.num_edges for data in dataset] == [4, 0, 8]
    assert [int(data.y) for data in dataset] == [0, 1, 1]
    assert f"fetched from mirror {mirror}/MINI.zip" in caplog.text
    assert sorted(path.name for path in (tmp_path / "one").iterdir()) == ["MINI"]

    monkeypatch.setenv("PROSAMPLER_MIRROR", f"{mirror}/")
    assert len(load_dataset("MINI", str(tmp_path / "two"))) == 3


def test_argument_goes_before_the_environment(
    tmp_path: Path, mirror: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_zip(tmp_path / "other", "MINI", {**MINI, **NODE_LABELS})
    monkeypatch.setenv("PROSAMPLER_MIRROR", (tmp_path / "other").as_uri())
    dataset = load_dataset("MINI", tmp_path / "root", mirror=mirror)
    assert dataset.num_node_labels == 0


def test_local_files_go_before_the_mirror(
    tmp_path: Path, mirror: str, caplog: pytest.LogCaptureFixture
) -> None:
    root = tmp_path / "root"
    write_raw(root / "MINI" / "raw", "MINI", {**MINI, **NODE_LABELS})
    with caplog.at_level(logging.INFO, "pyg_prosampler"):
        assert load_dataset("MINI", root, mirror=mirror).num_features == 3
    assert f"found in '{root / 'MINI'}'" in caplog.text
    # The processed file alone is enough, and no empty raw folder comes back.
    for file in (root / "MINI" / "raw").iterdir():
        file.unlink()
    (root / "MINI" / "raw").rmdir()
    assert load_dataset("MINI", root, mirror=mirror).num_features == 3
    assert not (root / "MINI" / "raw").exists()


def test_the_mirror_goes_before_the_server(
    tmp_path: Path, mirror: str, caplog: pytest.LogCaptureFixture
) -> None:
    server = write_zip(tmp_path / "server", "MINI", {**MINI, **NODE_LABELS})
    assert load_dataset("MINI", tmp_path / "one", mirror=mirror).num_features == 1
    assert load_dataset("MINI", tmp_path / "two").num_features == 3
    # A mirror that lacks the file is named, and the next source is asked.
    missing = (tmp_path / "empty").as_uri()
    assert load_dataset("MINI", tmp_path / "three", mirror=missing).num_features == 3
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert f"nothing from mirror {missing}/MINI.zip" in caplog.text
    assert server not in caplog.text


def test_grakel_comes_last_and_is_not_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "grakel"
    write_raw(package / "tests" / "data" / "MUTAG", "MUTAG", MINI)
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(fetch, "importlib", importlib)
    assert load_dataset("MUTAG", tmp_path / "one").num_node_labels == 0
    assert "grakel" not in sys.modules

    write_zip(tmp_path / "server", "MUTAG", {**MINI, **NODE_LABELS})
    assert load_dataset("MUTAG", tmp_path / "two").num_node_labels == 3

    with pytest.raises(FileNotFoundError) as error:
        load_dataset("MINI", tmp_path / "three")
    assert "the grakel package" not in str(error.value)


def test_grakel_without_its_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_grakel(monkeypatch, tmp_path)
    with pytest.raises(FileNotFoundError, match="the grakel package: lacks MUTAG_"):
        load_dataset("MUTAG", tmp_path / "root")


@pytest.mark.skipif(
    importlib.util.find_spec("grakel") is None, reason="grakel is not installed"
)
def test_the_real_grakel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "importlib", importlib)
    assert len(load_dataset("MUTAG", tmp_path)) == 188


# Failures ###################################################################


def test_nothing_answers(tmp_path: Path) -> None:
    missing = (tmp_path / "missing").as_uri()
    with pytest.raises(FileNotFoundError) as error:
        load_dataset("MUTAG", tmp_path / "root", mirror=f"{missing}/")
    message = str(error.value)
    sources = [
        str(tmp_path / "root" / "MUTAG"),
        f"mirror {missing}/MUTAG.zip",
        f"PyG's server {TUDataset.url}/MUTAG.zip",
        "the grakel package: not installed",
    ]
    places = [message.index(source) for source in sources]
    assert places == sorted(places)
    assert message.count("No such file or directory") == 2
    raw = tmp_path / "root" / "MUTAG" / "raw"
    for remedy in ("PROSAMPLER_MIRROR", f"into '{raw}'", "pyg-prosampler[mutag]"):
        assert remedy in message
    assert "did you mean" not in message
    assert list((tmp_path / "root").iterdir()) == []


def test_misspelt_name_gets_a_hint(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as error:
        load_dataset("imdb_binary", tmp_path)
    message = str(error.value)
    assert "did you mean 'IMDB-BINARY'?" in message
    assert all(name in message for name in fetch.TU_DATASETS)
    assert "a mirror: none is set" in message


@pytest.mark.parametrize("name", ["../MINI", "..", "", "a/b", "a\\b", "/etc", ".x"])
def test_names_that_are_paths_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="`name` should be the plain name"):
        load_dataset(name, tmp_path / "root")
    assert list(tmp_path.iterdir()) == []


def test_unsupported_mirrors_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match=r"`mirror` should .* \(got 'ftp://host'\)"):
        load_dataset("MINI", tmp_path, mirror="ftp://host")
    with pytest.raises(ValueError, match=f"write {tmp_path.as_uri()}"):
        load_dataset("MINI", tmp_path, mirror=str(tmp_path))
    monkeypatch.setenv("PROSAMPLER_MIRROR", "http://host")
    with pytest.raises(ValueError, match="variable PROSAMPLER_MIRROR should"):
        load_dataset("MINI", tmp_path)


def test_archives_that_do_not_fit(tmp_path: Path, mirror: str) -> None:
    root, archive = tmp_path / "root", tmp_path / "mirror" / "MINI.zip"
    whole = archive.read_bytes()
    flipped = bytearray(whole)
    flipped[80] ^= 255
    for content in (whole[:-60], b"<html>not found</html>", b"", bytes(flipped)):
        archive.write_bytes(content)
        with pytest.raises(FileNotFoundError, match="'MINI' was not found"):
            load_dataset("MINI", root, mirror=mirror)
        assert list(root.iterdir()) == []
    write_zip(tmp_path / "mirror", "MINI", {"graph_labels": "1\n"})
    lacking = r"MINI\.zip: lacks MINI_graph_indicator\.txt and MINI_A\.txt"
    with pytest.raises(FileNotFoundError, match=lacking):
        load_dataset("MINI", root, mirror=mirror)


def test_archive_members_stay_in_their_folder(tmp_path: Path, mirror: str) -> None:
    with zipfile.ZipFile(tmp_path / "mirror" / "MINI.zip", "a") as file:
        file.writestr("../../outside.txt", "outside")
        file.writestr("MINI/program.py", "outside")
    load_dataset("MINI", tmp_path / "a" / "root", mirror=mirror)
    inside = tmp_path / "a" / "root" / "MINI" / "raw"
    assert [p.parent for p in tmp_path.rglob("outside.txt")] == [inside]
    assert list(tmp_path.rglob("program.py")) == []


@pytest.mark.parametrize("step", ["copyfileobj", "unzip", "move"])
def test_interrupted_fetch_leaves_nothing_half_done(
    tmp_path: Path, mirror: str, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    root = tmp_path / "root"

    def interrupt(*args: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        if step == "copyfileobj":
            patch.setattr(fetch.shutil, "copyfileobj", interrupt)
        elif step == "unzip":
            patch.setattr(zipfile.ZipFile, "infolist", interrupt)
        else:  # after the third of four files has been moved
            calls = iter([Path.replace] * 3 + [interrupt])
            patch.setattr(Path, "replace", lambda *args: next(calls)(*args))
        with pytest.raises(KeyboardInterrupt):
            load_dataset("MINI", root, mirror=mirror)
    assert [path.name for path in root.glob(".*")] == []
    assert not (root / "MINI" / "raw" / "MINI_A.txt").exists()
    assert len(load_dataset("MINI", root, mirror=mirror)) == 3


@pytest.fixture
def web_server(tmp_path: Path) -> Iterator[str]:
    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *args: Any) -> None:
            pass

        def do_GET(self) -> None:
            if "CUT" not in self.path:
                return super().do_GET()
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"PK\3\4")
            return None

    (tmp_path / "web").mkdir()
    handler = partial(Handler, directory=str(tmp_path / "web"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_over_http(
    tmp_path: Path, web_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TUDataset, "url", web_server)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    write_zip(tmp_path / "web", "MINI", MINI)
    assert len(load_dataset("MINI", tmp_path / "root")) == 3
    with pytest.raises(FileNotFoundError, match=r"OTHER\.zip: HTTP Error 404"):
        load_dataset("OTHER", tmp_path / "root")
    with pytest.raises(FileNotFoundError, match=r"CUT\.zip: File is not a zip"):
        load_dataset("CUT", tmp_path / "root")


@pytest.mark.parametrize(
    "failure",
    [
        TimeoutError("timed out"),
        http.client.BadStatusLine("nonsense"),
        NotImplementedError("That compression method is not supported"),
        RuntimeError("File is encrypted"),
        zlib.error("invalid block type"),
        EOFError(),
    ],
    ids=lambda failure: type(failure).__name__,
)
def test_whatever_fails_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    def urlopen(url: str, timeout: float) -> None:
        assert 0 < timeout <= 30
        raise failure

    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    reason = str(failure) or type(failure).__name__
    with pytest.raises(FileNotFoundError, match=rf"MINI\.zip: {reason}"):
        load_dataset("MINI", tmp_path / "root")


def test_the_root_may_start_at_home(
    tmp_path: Path, mirror: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    load_dataset("MINI", "~/root", mirror=mirror)
    assert (tmp_path / "root" / "MINI" / "raw" / "MINI_A.txt").is_file()
    assert not (tmp_path / "~").exists()


# Node features ##############################################################


def test_constant_is_the_default(
    tmp_path: Path, mirror: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "pyg_prosampler"):
        dataset = load_dataset("MINI", tmp_path, mirror=mirror)
    assert dataset.transform is None
    assert all(torch.equal(d.x, torch.ones(d.num_nodes, 1)) for d in dataset)
    text = "1 channel, added by Constant(value=1.0)"
    assert describe_node_features(dataset) == text
    assert f"node features: {text}" in caplog.text


def test_one_hot_degree(tmp_path: Path, mirror: str) -> None:
    dataset = load_dataset("MINI", tmp_path, mirror=mirror, node_features="degree")
    assert dataset.num_features == 4  # degrees 0 to 3
    assert dataset[2].x.argmax(dim=1).tolist() == [3, 2, 2, 1]
    assert dataset[1].x.argmax(dim=1).tolist() == [0, 0]
    assert describe_node_features(dataset) == "4 channels, added by OneHotDegree(3)"


@pytest.mark.parametrize("node_features", ["constant", "degree"])
def test_features_are_those_of_the_transform(
    tmp_path: Path, mirror: str, monkeypatch: pytest.MonkeyPatch, node_features: str
) -> None:
    plain = load_dataset("MINI", tmp_path, mirror=mirror, node_features=None)
    plain.transform = node_feature_transform(plain, node_features)
    stored = load_dataset("MINI", tmp_path, node_features=node_features)
    monkeypatch.setattr(datasets, "_MAX_STORED_BYTES", 0)
    lazy = load_dataset("MINI", tmp_path, node_features=node_features)
    assert stored.transform is None
    assert repr(lazy.transform) == repr(plain.transform)
    for data_set in (stored, lazy, stored.copy(), stored[torch.arange(3)]):
        assert data_set.num_features == plain.num_features
        for found, expected in zip(data_set, plain, strict=True):
            assert found.to_dict().keys() == expected.to_dict().keys()
            assert torch.equal(found.x, expected.x)
        assert describe_node_features(data_set) == describe_node_features(plain)
    # What is on disk stays as it was.
    assert load_dataset("MINI", tmp_path, node_features=None)[0].x is None


def test_nothing_is_added_on_request(tmp_path: Path, mirror: str) -> None:
    dataset = load_dataset("MINI", tmp_path, mirror=mirror, node_features=None)
    assert dataset.transform is None
    assert dataset[0].x is None
    assert describe_node_features(dataset) == "none"


@pytest.mark.parametrize("node_features", ["constant", "degree", None])
def test_node_labels_stay_alone(tmp_path: Path, node_features: str | None) -> None:
    write_raw(tmp_path / "MINI" / "raw", "MINI", {**MINI, **NODE_LABELS})
    dataset = load_dataset("MINI", tmp_path, node_features=node_features)
    assert dataset.transform is None
    assert dataset[0].x.tolist() == [[1, 0, 0], [0, 1, 0], [1, 0, 0]]
    assert describe_node_features(dataset) == "3 channels, one-hot node labels"


def test_degrees_beside_node_labels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_raw(tmp_path / "MINI" / "raw", "MINI", {**MINI, **NODE_LABELS})
    text = "7 channels, 4 of them added by OneHotDegree(3)"
    for most in (2**28, 0):  # In memory, and at every access.
        monkeypatch.setattr(datasets, "_MAX_STORED_BYTES", most)
        dataset = load_dataset("MINI", tmp_path, node_features="with-degree")
        labels = load_dataset("MINI", tmp_path)
        for data, own in zip(dataset, labels, strict=True):
            assert torch.equal(data.x[:, :3], own.x)
            degrees = degree(data.edge_index[0], data.num_nodes).long()
            assert torch.equal(data.x[:, 3:].argmax(dim=1), degrees)
            assert (data.x[:, 3:].sum(dim=1) == 1).all()
        assert describe_node_features(dataset) == text


def test_degrees_are_all_there_is_without_node_labels(
    tmp_path: Path, mirror: str
) -> None:
    dataset = load_dataset("MINI", tmp_path, mirror=mirror, node_features="with-degree")
    assert describe_node_features(dataset) == "4 channels, added by OneHotDegree(3)"


def test_features_come_before_the_users_transform(tmp_path: Path, mirror: str) -> None:
    def double(data: Any) -> Any:
        data.x = 2 * data.x
        return data

    dataset = load_dataset("MINI", tmp_path, mirror=mirror, transform=double)
    assert dataset[0].x.tolist() == [[2], [2], [2]]
    text = "1 channel, added by Constant(value=1.0), "
    assert describe_node_features(dataset).startswith(text)
    dataset = load_dataset("MINI", tmp_path, node_features="degree", transform=double)
    assert dataset[0].x.tolist() == [[0, 2, 0, 0], [0, 0, 2, 0], [0, 2, 0, 0]]


def test_pre_transform_is_saved(tmp_path: Path, mirror: str) -> None:
    dataset = load_dataset(
        "MINI", tmp_path, mirror=mirror, pre_transform=T.Constant(value=3.0)
    )
    assert dataset.transform is None  # the data set has features by now
    assert dataset[1].x.tolist() == [[3], [3]]
    assert describe_node_features(dataset) == "1 channel, as stored"


def test_unknown_node_features(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"`node_features` should .* \(got 'random'\)"):
        load_dataset("MINI", tmp_path, node_features="random")


class InMemory(InMemoryDataset):
    def __init__(self, data_list: list[Any]) -> None:
        super().__init__()
        self.data, self.slices = self.collate(data_list)


def test_max_degree_of_any_data_set(tmp_path: Path, mirror: str) -> None:
    mini = load_dataset("MINI", tmp_path, mirror=mirror, node_features=None)
    for keep in ([0], [1], [0, 1], [2, 1, 0]):
        graphs = [mini[i] for i in keep]
        expected = max(int(degree(g.edge_index[0], g.num_nodes).max()) for g in graphs)
        transform = node_feature_transform(InMemory(graphs), "degree")
        assert isinstance(transform, T.OneHotDegree)
        assert transform.max_degree == expected


# Real data ##################################################################

COUNTS = {  # graphs, mean nodes, mean edges, class sizes, node labels
    "MUTAG": (188, 17.93, 39.59, [63, 125], 7),
    "IMDB-BINARY": (1000, 19.77, 193.06, [500, 500], 0),
    "PROTEINS": (1113, 39.06, 145.63, [663, 450], 3),
}


@with_data
@pytest.mark.parametrize("name", COUNTS)
def test_real_data(name: str, tmp_path: Path) -> None:
    mirror = (DATA / "tudataset").as_uri()
    dataset = load_dataset(name, tmp_path, mirror=mirror)
    graphs, nodes, edges, classes, labels = COUNTS[name]
    assert len(dataset) == graphs
    assert sum(d.num_nodes for d in dataset) / graphs == pytest.approx(nodes, abs=5e-3)
    assert sum(d.num_edges for d in dataset) / graphs == pytest.approx(edges, abs=5e-3)
    assert torch.cat([d.y for d in dataset]).bincount().tolist() == classes
    assert dataset.num_node_labels == labels
    assert dataset.num_features == max(labels, 1)
    if not labels:
        dataset = load_dataset(name, tmp_path, node_features="degree")
        largest = max(int(degree(d.edge_index[0]).max()) for d in dataset)
        assert dataset.num_features == largest + 1
