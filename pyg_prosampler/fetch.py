r"""Raw files of data sets, from wherever they can be had."""

import difflib
import http.client
import importlib.util
import logging
import lzma
import os
import shutil
import tempfile
import urllib.parse
import urllib.request
import zipfile
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path, PurePosixPath

from torch_geometric.datasets import TUDataset

logger = logging.getLogger(__name__)

#: The data sets of the published result tables.
TU_DATASETS = (
    "IMDB-BINARY",
    "IMDB-MULTI",
    "COLLAB",
    "REDDIT-BINARY",
    "PROTEINS",
    "MUTAG",
    "NCI1",
)
_TIMEOUT = 20.0  # seconds without an answer from a server
_FETCH_ERRORS = (
    OSError,  # among them URLError, HTTPError, TimeoutError
    http.client.HTTPException,
    zipfile.BadZipFile,
    lzma.LZMAError,
    zlib.error,
    EOFError,
    RuntimeError,  # an encryption or a compression that zipfile does not know
)


def check_mirror(mirror: str | None) -> str | None:
    r"""Returns the mirror, or that of the environment, if its address is one."""
    origin = "`mirror`"
    if mirror is None:
        origin = "the environment variable PROSAMPLER_MIRROR"
        mirror = os.environ.get("PROSAMPLER_MIRROR") or None
    if mirror is None or mirror.lower().startswith(("https://", "file://")):
        return mirror
    remedy = "write https://HOST/FOLDER or file:///FOLDER"
    if "://" not in mirror:
        remedy = f"for a folder, write {Path(mirror).absolute().as_uri()}"
    raise ValueError(
        f"{origin} should be an https:// or file:// address (got {mirror!r}); {remedy}"
    )


def _raw_files(name: str) -> tuple[str, str]:
    return f"{name}_graph_indicator.txt", f"{name}_A.txt"


def is_local(folder: Path, name: str) -> bool:
    r"""Whether a folder holds the processed or the raw files of a data set."""
    if (folder / "processed" / "data.pt").is_file():
        return True
    return all((folder / "raw" / file).is_file() for file in _raw_files(name))


def fetch(name: str, root: Path, mirror: str | None) -> None:
    r"""Brings the raw files of a data set into :obj:`root/name/raw`, whole or
    not at all, from the first source that has it.

    Raises:
        FileNotFoundError: If none has; the message lists all of them.
    """
    raw = root / name / "raw"
    tried = [
        f"files in '{root / name}': neither processed/data.pt nor "
        + " and ".join(f"raw/{file}" for file in reversed(_raw_files(name)))
    ]
    sources: list[tuple[str, Callable[[Path], None]]] = []
    if mirror is None:
        tried.append("a mirror: none is set")
    for label, base in (("mirror", mirror), ("PyG's server", TUDataset.url)):
        if base is not None:
            url = f"{base.rstrip('/')}/{urllib.parse.quote(name)}.zip"
            sources.append((f"{label} {url}", partial(_download, url)))
    if name == "MUTAG":
        sources.append(("the grakel package", _copy_from_grakel))

    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root, prefix=f".{name}-") as scratch:
        for number, (source, fill) in enumerate(sources):
            folder = Path(scratch, str(number))
            folder.mkdir()
            logger.info("%s: trying %s", name, source)
            try:
                fill(folder)
                lacking = [f for f in _raw_files(name) if not (folder / f).is_file()]
                reason = f"lacks {' and '.join(lacking)}" if lacking else None
            except _FETCH_ERRORS as error:
                reason = str(error) or type(error).__name__
            if reason is None:
                _move(folder, raw, name)
                logger.info("%s: fetched from %s into '%s'", name, source, raw)
                return
            tried.append(f"{source}: {reason}")
            level = logging.WARNING if source.startswith("mirror") else logging.INFO
            logger.log(level, "%s: nothing from %s: %s", name, source, reason)
    raise FileNotFoundError(_explain(name, raw, tried))


def _download(url: str, folder: Path) -> None:
    archive = folder.with_suffix(".zip")
    with (
        urllib.request.urlopen(url, timeout=_TIMEOUT) as response,
        archive.open("wb") as file,
    ):
        shutil.copyfileobj(response, file)
    with zipfile.ZipFile(archive) as content:
        for member in content.infolist():
            # By its last component alone, so nothing lands outside the folder.
            file_name = PurePosixPath(member.filename).name
            if file_name.endswith(".txt"):
                with content.open(member) as src, (folder / file_name).open("wb") as to:
                    shutil.copyfileobj(src, to)


def _copy_from_grakel(folder: Path) -> None:
    spec = importlib.util.find_spec("grakel")  # does not import it
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError("not installed")
    source = Path(spec.submodule_search_locations[0], "tests", "data", "MUTAG")
    for file in source.glob("*.txt"):
        shutil.copyfile(file, folder / file.name)


def _move(folder: Path, raw: Path, name: str) -> None:
    raw.mkdir(parents=True, exist_ok=True)
    # The two files that make a raw folder complete come last.
    last = _raw_files(name)
    for file in sorted(folder.iterdir(), key=lambda file: file.name in last):
        file.replace(raw / file.name)


def _explain(name: str, raw: Path, tried: list[str]) -> str:
    remedies = [
        "pass `mirror=`, or set PROSAMPLER_MIRROR, to an https:// or file:// "
        f"address with {name}.zip inside",
        f"put the files of {name}.zip into '{raw}'",
    ]
    if name == "MUTAG":
        remedies.append("pip install 'pyg-prosampler[mutag]', which brings a copy")
    lines = [f"Data set '{name}' was not found. Tried in this order:"]
    lines += [f"  - {source}" for source in tried]
    lines += ["To go on, do one of these:"]
    lines += [f"  - {remedy}" for remedy in remedies]
    if name not in TU_DATASETS:
        close = difflib.get_close_matches(name.upper(), TU_DATASETS, n=1)
        hint = f"; did you mean '{close[0]}'?" if close else ""
        lines += [f"The data sets used here are {', '.join(TU_DATASETS)}{hint}"]
    return "\n".join(lines)
