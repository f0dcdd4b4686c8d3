import subprocess
import sys
from dataclasses import fields

import pytest

from pyg_prosampler.config import PretrainConfig


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
