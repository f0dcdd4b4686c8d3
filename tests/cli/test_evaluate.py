from pyg_prosampler.records import RunFolder


def test_evaluate_errors(invoke, tmp_path):
    result = invoke("evaluate", "nowhere", status=1)
    assert (
        "'nowhere' does not exist; name the folder of a finished run" in result.stderr
    )
    RunFolder(tmp_path).save("other.pt", {"a": 1})
    result = invoke("evaluate", "other.pt", status=1)
    assert "neither embeddings nor a checkpoint" in result.stderr
