import pytest
from typer.testing import CliRunner

from pyg_prosampler import cli


@pytest.fixture
def invoke(mini_root, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PROSAMPLER_MIRROR", (tmp_path / "nothing").as_uri())

    def call(*arguments, status=0):
        result = CliRunner().invoke(cli.app, [str(a) for a in arguments])
        assert result.exit_code == status, result.output
        return result

    return call
