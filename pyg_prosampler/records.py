r"""Run folders: what a run leaves on disk, whole at every moment."""

import hashlib
import json
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

_PACKAGES = (
    "pyg-prosampler", "torch", "torch-geometric", "torch-cluster", "torch-scatter",
    "numpy", "scikit-learn", "scipy",
)  # fmt: skip


class RunFolder:
    r"""Writes the files of one run:

    * :obj:`config.json`: the configuration, the command, versions and machine;
    * :obj:`records.jsonl`: one line for every epoch and every evaluation;
    * :obj:`checkpoint.pt`: the weights, with the configuration;
    * :obj:`embeddings.pt`: the embeddings, with the labels.

    A line is written at once, and a file appears under its name only when it is
    complete, so that an interrupted run leaves whatever it finished.

    Args:
        path (Path or str): The folder, created if need be.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.path.mkdir(parents=True, exist_ok=True)

    def write_config(self, config: dict[str, Any]) -> None:
        r"""Begins a run: removes what an earlier one has left, and writes
        :obj:`config.json`.
        """
        # The mark of a finished run goes first.
        for name in ("embeddings.pt", "checkpoint.pt", "records.jsonl"):
            (self.path / name).unlink(missing_ok=True)
        device = config.get("device", "cpu")
        self.write_json("config.json", {"config": config, **environment(device)})

    def write_json(self, name: str, value: Any) -> None:
        r"""Writes a JSON file."""
        with self._replacing(name) as temporary:
            temporary.write_text(json.dumps(value, indent=2) + "\n")

    def append(self, record: dict[str, Any]) -> None:
        r"""Appends a line to :obj:`records.jsonl`."""
        with (self.path / "records.jsonl").open("a") as file:
            file.write(json.dumps(record) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def save(self, name: str, value: dict[str, Any]) -> None:
        r"""Saves tensors and plain values by :meth:`torch.save`."""
        with self._replacing(name) as temporary:
            torch.save(value, temporary)

    def read_config(self) -> dict[str, Any]:
        r"""Returns the configuration of the run."""
        return json.loads(self._existing("config.json").read_text())["config"]

    def read_records(self) -> list[dict[str, Any]]:
        r"""Returns the records; a last line cut short is left out."""
        path = self.path / "records.jsonl"
        lines = path.read_text().split("\n")[:-1] if path.exists() else []
        return [json.loads(line) for line in lines]

    def load(self, name: str) -> dict[str, Any]:
        r"""Loads what :meth:`save` has saved."""
        return load_tensors(self._existing(name))

    def _existing(self, name: str) -> Path:
        path = self.path / name
        if not path.exists():
            raise FileNotFoundError(
                f"'{self.path}' has no {name}; name the folder of a finished run"
            )
        return path

    def _replacing(self, name: str) -> "_Replacing":
        return _Replacing(self.path / name)


def load_tensors(path: Path) -> dict[str, Any]:
    r"""Loads a file of :meth:`RunFolder.save`, tensors and plain values only."""
    return torch.load(path, map_location="cpu", weights_only=True)


class _Replacing:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.temporary = path.with_name(f".{path.name}.{os.getpid()}")

    def __enter__(self) -> Path:
        return self.temporary

    def __exit__(self, kind: type | None, *exc: object) -> None:
        if kind is None:
            self.temporary.replace(self.path)
        else:
            self.temporary.unlink(missing_ok=True)


def environment(device: str = "cpu") -> dict[str, Any]:
    r"""Returns the command, the time, the versions and the machine, with its GPU if
    that is the device.
    """
    return {
        "command": " ".join([_program(), *sys.argv[1:]]),
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "versions": {"python": platform.python_version(), **_versions()},
        "machine": {
            "system": platform.platform(),
            "processor": _processor(),
            "num_cores": os.cpu_count(),
            "num_threads": torch.get_num_threads(),
            "gpu": (
                torch.cuda.get_device_name(device)
                if torch.device(device).type == "cuda"
                else None
            ),
        },
    }


def weights_digest(module: torch.nn.Module) -> str:
    r"""Returns a short digest of a module's weights: equal weights, equal
    digest.
    """
    digest = hashlib.sha256()
    for name, value in module.state_dict().items():
        digest.update(name.encode())
        digest.update(_bytes(value))
    return digest.hexdigest()[:16]


def _bytes(value: Tensor) -> bytes:
    return (
        value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes()
    )


def _program() -> str:
    # Modules that are run by `python -m` have a specification, scripts have none.
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    return (
        Path(sys.argv[0]).name
        if spec is None
        else f"python -m {spec.name.removesuffix('.__main__')}"
    )


def _versions() -> dict[str, str | None]:
    versions: dict[str, str | None] = {}
    for name in _PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = None
    return versions


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(": ")[1] for line in lines if "model name" in line)
    except (OSError, StopIteration):
        return platform.processor()


def _commit() -> str | None:
    r"""The commit of the source, if it is a checkout, with a mark if a program has been
    changed. New records and the pages that show them change none.
    """
    # An installed package may lie within somebody else's checkout.
    if _git("ls-files", Path(__file__).name) is None:
        return None
    commit = _git("describe", "--always", "--abbrev=12")
    if commit and _git("status", "--porcelain", "-uno", "--", ":(top)*.py"):
        commit += "-dirty"
    return commit


def _git(*arguments: str) -> str | None:
    try:
        result = subprocess.run(
            ["git", *arguments],
            cwd=Path(__file__).parent, capture_output=True, text=True, timeout=10,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    return result.stdout.strip() or None
