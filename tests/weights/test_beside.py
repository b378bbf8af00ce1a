"""What training leaves beside weights is passed over by stand-ins: nothing of it is imported, called or kept."""

import argparse
import datetime
import enum
import os
import pathlib
import sys
from collections import defaultdict, deque

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from selfhvd.backbones import EstRnn, EstRnnConfig
from selfhvd.errors import WeightsError
from selfhvd.weights import load_weights, unpickle
from selfhvd.weights.conversion import convert

ROOM = 2**28


class Options(dict):
    """As EasyDict, CfgNode and Lightning's AttributeDict."""

    def __getattr__(self, name):
        return self[name]


class Node:
    """As omegaconf's and every script's own configuration."""

    def __init__(self):
        self.__dict__["_content"] = {"lr": 1e-4}
        self.__dict__["_kinds"] = [dict, list, int, str]


class Phase(enum.Enum):
    TRAIN = 1


class Slotted:
    """Its state is no dict, and it is made with nothing: no stand-in is like it."""

    __slots__ = ("value",)

    def __init__(self):
        self.value = 1


class Asks:
    """Asks the unpickler to call `function(*given)`, and to give the result a state."""

    def __init__(self, function, *given, state=None):
        self.asked = (function, given) if state is None else (function, given, state)

    def __reduce__(self):
        return self.asked


BESIDE = {
    "a scalar of numpy": np.float64(31.5),
    "an array of numpy": np.arange(3.0),
    "the state of numpy's draws": (np.random.get_state(), np.random.default_rng(1), np.random.RandomState(2)),
    "a Namespace": argparse.Namespace(lr=0.1, data=pathlib.Path("data")),
    "a path": pathlib.PurePosixPath("/runs/1"),
    "times": [datetime.datetime(2024, 1, 1), datetime.timedelta(1), datetime.date(2024, 1, 1)],
    "a dict with a default": defaultdict(list, {"psnr": [31.0]}),
    "a deque": deque([1, 2, 3], maxlen=3),
    "options": Options(lr=0.1, inner=Options(a=1)),
    "a configuration": Node(),
    "an enum, also as a key": {Phase.TRAIN: 1, np.int64(3): 2, pathlib.PurePosixPath("x"): Phase.TRAIN},
    "a class": Node,
}


@pytest.mark.parametrize("older", [False, True])
@pytest.mark.parametrize("what", BESIDE)
def test_passed_over_and_named(tmp_path, what, older):
    content = {"args": BESIDE[what], "state_dict": {"a": torch.ones(2)}, "after": 3}
    torch.save(content, tmp_path / "x.pth", _use_new_zipfile_serialization=not older)
    told = unpickle.extract(tmp_path / "x.pth", tmp_path / "out", ROOM)
    assert told["tensors"] == 1 and told["beside"], told
    assert torch.equal(load_file(tmp_path / "out")["a"], torch.ones(2))


def test_weights_inside_a_dict_of_another_class(tmp_path):
    torch.save({"state_dict": Options(a=torch.ones(2))}, tmp_path / "x.pth")
    assert unpickle.extract(tmp_path / "x.pth", tmp_path / "out", ROOM)["tensors"] == 1


def test_what_no_stand_in_is_like_is_refused(tmp_path):
    torch.save({"state_dict": {"a": torch.ones(2)}, "x": Slotted()}, tmp_path / "x.pth")
    told = unpickle.extract(tmp_path / "x.pth", tmp_path / "out", ROOM)
    assert told["fault"] == "unsafe" and told["asks"][0].endswith(".Slotted")


@pytest.mark.slow
def test_it_is_said(tmp_path):
    network, said = EstRnn(EstRnnConfig(features=4, blocks=1)), []
    args = argparse.Namespace(lr=0.1, when=datetime.datetime(2024, 1, 1), data=pathlib.PurePosixPath("x"), d=list)
    torch.save({"args": args, "state_dict": network.state_dict()}, tmp_path / "x.pth")
    assert convert(tmp_path / "x.pth", tmp_path / "y.safetensors", tell=said.append) == "estrnn"
    assert load_weights(tmp_path / "y.safetensors", "estrnn")
    assert len(said) == 1 and "passed over and nothing of them was run (argparse.Namespace" in said[0], said
    assert said[0].endswith("and 1 more).")


# Nothing of it runs


@pytest.fixture
def trap(tmp_path, monkeypatch):
    """A module of other people whose import, whose class and whose unpickling leave a mark."""
    mark = tmp_path / "it-ran"
    leave = f"open({str(mark)!r}, 'w').close()"
    (tmp_path / "trapmodule.py").write_text(
        f"{leave}\nclass Trap:\n    def __init__(self, *a):\n        {leave}\n"
        f"    def __setstate__(self, state):\n        {leave}\ndef spring(*a):\n    {leave}\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    import trapmodule

    yield trapmodule, mark
    sys.modules.pop("trapmodule", None)


def test_a_class_of_other_people_is_not_imported_nor_called(tmp_path, trap):
    module, mark = trap
    content = {"state_dict": {"a": torch.ones(2)}, "meta": Asks(module.Trap, 1, state={"x": 1}), "t": module.Trap()}
    torch.save(content, tmp_path / "x.pth")
    del sys.modules["trapmodule"]
    mark.unlink()
    told = unpickle.extract(tmp_path / "x.pth", tmp_path / "out", ROOM)
    assert told == {"tensors": 1, "beside": ["trapmodule.Trap"]}
    assert not mark.exists() and "trapmodule" not in sys.modules


def test_the_trap_is_real(tmp_path, trap):
    module, mark = trap
    torch.save({"meta": Asks(module.Trap, 1)}, tmp_path / "x.pth")
    mark.unlink()
    torch.load(tmp_path / "x.pth", weights_only=False)
    assert mark.exists()


REFUSED = {
    "a function of other people": lambda trap, mark: Asks(trap.spring),
    "numpy's own exec": lambda trap, mark: Asks(np.testing.runstring, f"open({mark!r}, 'w')", {}),
    "a payload inside a Namespace": lambda trap, mark: argparse.Namespace(x=Asks(os.system, f"touch '{mark}'")),
    "a payload as what a class is made with": lambda trap, mark: Asks(trap.Trap, Asks(os.system, f"touch '{mark}'")),
    "a payload as the state of a number": lambda trap, mark: Asks(
        np.dtype, "f8", state=Asks(eval, f"open({mark!r}, 'w')")
    ),
    "a class of Python": lambda trap, mark: Asks(pathlib.Path.touch, pathlib.PurePosixPath(mark)),
}


@pytest.mark.parametrize("older", [False, True])
@pytest.mark.parametrize("what", REFUSED)
def test_payloads_among_what_is_passed_over(tmp_path, trap, what, older):
    module, mark = trap
    content = {"state_dict": {"a": torch.ones(2)}, "meta": REFUSED[what](module, str(mark))}
    torch.save(content, tmp_path / "x.pth", _use_new_zipfile_serialization=not older)
    mark.unlink()
    told = unpickle.extract(tmp_path / "x.pth", tmp_path / "out", ROOM)
    assert told["fault"] == "unsafe" and told["asks"], told
    assert not mark.exists() and not (tmp_path / "out").exists()


def test_a_state_that_hides_what_a_dict_can_do(tmp_path):
    """What a file puts onto a stand-in is data, also under the names of methods."""
    hidden = Asks(Options, state={"items": Node, "keys": 1, "__class__": Node, "get": None})
    torch.save({"state_dict": hidden, "params": {"a": torch.ones(2)}}, tmp_path / "x.pth")
    assert unpickle.extract(tmp_path / "x.pth", tmp_path / "out", ROOM)["tensors"] == 1


@pytest.mark.parametrize("name", ["os.System", "posix.Fork", "subprocess.Popen", "commands.Popen", "torch.hub.Loader"])
def test_no_class_of_python_or_pytorch_stands_in(name):
    assert not unpickle._may_stand_in(name)


@pytest.mark.slow
def test_a_whole_network_says_what_to_save(tmp_path):
    torch.save(torch.nn.Linear(2, 2), tmp_path / "x.pth")
    with pytest.raises(
        WeightsError, match=r"a whole network .*\(torch.nn.modules.linear.Linear\).*save its state_dict"
    ):
        convert(tmp_path / "x.pth", tmp_path / "y.safetensors")
