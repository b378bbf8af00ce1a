"""Build the sdist and, from it, the wheel; look into that; install it into a fresh environment; run the demo there.

    python bench/wheel.py [dist]

The fresh environment borrows the dependencies of the one that runs this, for they are gigabytes: it shows that what the
wheel holds is whole and runs, not that the dependencies it names are enough. Those of the extra `train` are hidden.
"""

import email.message
import os
import subprocess
import sys
import sysconfig
import tempfile
import tomllib
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
HIDDEN = ("lightning_fabric", "tomli_w")


def build(dist: Path) -> Path:
    """The wheel, made from the sdist."""
    subprocess.run([sys.executable, "-m", "build", "--outdir", dist, ROOT], check=True, stdout=subprocess.DEVNULL)
    stem = f"{PROJECT['name']}-{PROJECT['version']}"
    assert (dist / f"{stem}.tar.gz").is_file()
    return dist / f"{stem}-py3-none-any.whl"


def check_contents(wheel: Path) -> None:
    """Every tracked file of the package, and nothing else but the metadata."""
    listed = subprocess.run(["git", "ls-files", "src/selfhvd"], cwd=ROOT, check=True, capture_output=True, text=True)
    wanted = {name.removeprefix("src/") for name in listed.stdout.split()}
    for name in ("py.typed", "data/lite.safetensors", "report/page.css", "report/page.html", "report/page.js"):
        assert f"selfhvd/{name}" in wanted, name
    with zipfile.ZipFile(wheel) as archive:
        assert archive.testzip() is None
        held = set(archive.namelist())
        (info,) = {name.split("/")[0] for name in held if ".dist-info/" in name}
        metadata = email.message_from_bytes(archive.read(f"{info}/METADATA"))
        entry_points = archive.read(f"{info}/entry_points.txt").decode()
    packed = {name for name in held if not name.startswith(f"{info}/")}
    assert packed == wanted, f"not tracked or not packed: {sorted(packed ^ wanted)}"
    check_metadata(metadata, entry_points)


def check_metadata(metadata: email.message.Message, entry_points: str) -> None:
    assert (metadata["Name"], metadata["Version"]) == (PROJECT["name"], PROJECT["version"])
    assert (metadata["Requires-Python"], metadata["License-Expression"]) == (
        PROJECT["requires-python"],
        PROJECT["license"],
    )
    assert set(metadata.get_all("Provides-Extra")) == set(PROJECT["optional-dependencies"])
    always = [need for need in metadata.get_all("Requires-Dist") if "extra ==" not in need]
    assert len(always) == len(PROJECT["dependencies"]) and not any(
        "fabric" in need or "tomli" in need for need in always
    )
    assert "selfhvd = selfhvd.__main__:main" in entry_points


def install(wheel: Path, folder: Path) -> Path:
    """A fresh environment with the wheel; its folder of commands."""
    venv.create(folder, with_pip=False)
    paths = sysconfig.get_paths(vars={"base": str(folder), "platbase": str(folder)})
    packages = Path(paths["purelib"])
    (packages / "borrowed.pth").write_text("\n".join(path for path in sys.path if path.endswith("site-packages")))
    for name in HIDDEN:
        (packages / f"{name}.py").write_text("raise ImportError(__name__)\n")
    commands = Path(paths["scripts"])
    pip = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        commands / "python",
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
    ]
    subprocess.run([*pip, "--ignore-installed", wheel], check=True)
    return commands


def run_there(commands: Path, folder: Path) -> None:
    """The demo, far from the sources."""
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def run(*words: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(w) for w in words], cwd=folder, env=clean, text=True, capture_output=True, check=False
        )

    where = run(commands / "python", "-c", "import selfhvd; print(selfhvd.__file__)").stdout.strip()
    assert Path(where).is_relative_to(folder), f"{where} is not the wheel's"
    assert run(commands / "selfhvd", "--version").stdout.strip().endswith(PROJECT["version"])
    demo = run(commands / "selfhvd", "demo", "--output", "demo", "--quiet")
    assert demo.returncode == 0, demo.stderr
    assert (folder / "demo" / "side_by_side.png").stat().st_size > 0
    (folder / "recipe.toml").write_text('[data]\nfolder = "nowhere"\n')
    refused = run(commands / "selfhvd", "train", "recipe.toml", "--out", "run")
    assert refused.returncode == 2 and "pip install '.[train]'" in refused.stderr, refused.stderr


def main(dist: Path) -> None:
    wheel = build(dist)
    check_contents(wheel)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        run_there(install(wheel, folder / "env"), folder)
    print(f"{wheel}: whole, and the demo runs from it")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "dist"))
