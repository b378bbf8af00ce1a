"""What errors advise: no option that the command does not have."""

import re
from pathlib import Path

import pytest

import selfhvd
from datasets_for_training import command, pairs, tables

pytestmark = pytest.mark.unchecked

SHARED = ("backbones", "datasets", "extensions", "flow", "method", "metrics", "ops", "restore", "synthesis", "system")
"""Folders whose errors reach commands with other options, and a training, whose settings stand in a recipe."""
OPTION = re.compile(r"(?<![\w-])--[A-Za-z][\w-]*")


def advised(run, name, said):
    """The options that are named in an error and that the command lacks."""
    return set(OPTION.findall(said)) - set(OPTION.findall(run(*name.split(), "--help").out))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"device": "tpu"}, 2),
        ({"device": "cuda:77"}, 5),
        ({"flow": {"name": "raft"}}, 6),
        ({"flow": {"name": "flowformer++"}}, 6),
        ({"flow": {"name": "dis", "weights": "some.safetensors"}}, 2),
        ({"network": {"backbone": "estrnn", "weights": "at-hand"}}, 6),
        ({"data": {"folder": "nowhere"}}, 3),
    ],
)
def test_of_train(run, tmp_path, monkeypatch, change, code):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    done = command(run, tmp_path, tables(pairs(tmp_path / "clips", ["a"])) | change)
    assert done.code == code, done.err
    assert not advised(run, "train", done.err), done.err


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("evaluate --dataset {clips} --device tpu", 2),
        ("evaluate --dataset {clips} --device cuda:77", 5),
        ("evaluate --dataset {clips} --align-flow raft", 6),
        ("evaluate {clips}/blur/a --flow raft", 6),
        ("evaluate --dataset {empty}", 3),
        ("evaluate {clips}/blur/a --sharp-labels {clips}", 2),
        ("benchmark --photos {empty} --out {folder}/out", 3),
        ("synthesize handheld {empty} {folder}/made", 3),
        ("synthesize goproshake {empty} {folder}/made", 3),
        ("synthesize goproshake {clips}/blur/a {clips}", 4),
        ("synthesize goproshake {clips}/blur/a {folder}/made --trajectory {folder}/none.txt", 3),
    ],
)
def test_of_the_others(run, tmp_path, monkeypatch, words, code):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (tmp_path / "empty").mkdir()
    places = {"clips": pairs(tmp_path / "clips", ["a"]), "empty": tmp_path / "empty", "folder": tmp_path}
    done = run(*words.format(**places).split())
    assert done.code == code and done.err.strip(), done.err
    name = " ".join(words.split()[: 2 if words.startswith("synthesize") else 1])
    assert not advised(run, name, done.err), done.err


def test_what_several_commands_share_names_no_option_at_all():
    root = Path(selfhvd.__file__).parent
    files = [path for folder in SHARED for path in (root / folder).rglob("*.py")] + [root / "weights/choose_flow.py"]
    sentence = re.compile(r"Error\(\s*(?:f?\"[^\"]*\"\s*)+")
    named = [
        f"{path.relative_to(root)}: {option}"
        for path in files
        for said in sentence.findall(path.read_text())
        for option in OPTION.findall(said)
    ]
    assert not named
