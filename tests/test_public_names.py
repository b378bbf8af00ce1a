"""The package's face: exactly these names, all importable, and nothing heavy before they are asked for."""

import subprocess
import sys
from importlib.metadata import version

import pytest

import selfhvd

pytestmark = pytest.mark.subprocess

NAMES = [
    "AdaptConfig", "AlignConfig", "DeblurConfig", "Deblurrer", "RestoreConfig", "RunFacts", "SceneConfig",
    "SharpConfig", "Stopped", "deblur", "inspect", "preset_config",
]  # fmt: skip


def test_all_is_exact():
    assert selfhvd.__all__ == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_name_is_importable(name):
    assert getattr(selfhvd, name).__name__ == name


def test_every_home_belongs_to_a_public_name():
    assert set(selfhvd._HOMES) == set(selfhvd.__all__)
    assert {name: getattr(selfhvd, name).__module__ for name in NAMES} == selfhvd._HOMES


def test_the_version_is_the_installed_one():
    assert selfhvd.__version__ == version("selfhvd")


def test_unknown_name():
    with pytest.raises(AttributeError, match="module 'selfhvd' has no attribute 'sharpen'"):
        _ = selfhvd.sharpen


def imported(code: str) -> set[str]:
    """The top modules that are loaded after `code` has run in a fresh interpreter."""
    code += "; import sys; print(*{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_the_package_does_not_import_torch():
    assert not imported("import selfhvd") & {"torch", "numpy", "cv2", "av"}


def test_the_video_side_needs_no_torch():
    """It is what the decoder's process imports."""
    assert "torch" not in imported("import selfhvd.video.process.worker")
