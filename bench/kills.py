"""Kill runs at random moments and run the same again: does the same come out?

    python bench/kills.py [KILLS]

Two clips (64x48, 12 frames, PNG frames out; 160x96, 24 frames, a video out), a preset that learns. A run that nothing
stops says what is right: the SHA-256 of all frames handed to the writer. Each trial starts the same run, ends it by
SIGKILL at a random moment, up to three times, then lets it finish, and compares. Prints a table. Runs are forks of this
process, which has torch loaded: starting it takes longer than the runs.
"""

import hashlib
import multiprocessing
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent / "tests"
CLIPS = {"64x48, 12 frames": (12, 64, 48, "frames"), "160x96, 24 frames": (24, 160, 96, "out.mp4")}


def deblur(source: Path, target: Path, log: Path) -> None:
    """What a run does; it tells `log` its stages, and in the end the digest of its frames."""
    import selfhvd
    from clips_for_tests import quick

    digest = hashlib.sha256()
    with log.open("w", buffering=1) as told:
        selfhvd.deblur(
            source,
            target,
            config=quick("balanced", steps=12),
            on_progress=lambda stage, done, total: told.write(f"{stage}\n"),
            on_frame=lambda index, frame: digest.update(frame.tobytes()),
        )
        told.write(digest.hexdigest())


class Run:
    """One process that deblurs."""

    def __init__(self, source: Path, target: Path) -> None:
        self.log, self.started = source.with_suffix(".log"), time.monotonic()
        self.log.unlink(missing_ok=True)
        self.process = multiprocessing.get_context("fork").Process(target=deblur, args=(source, target, self.log))
        self.process.start()

    def kill_after(self, seconds: float) -> str | None:
        """Kill it then; the stage it was in, None if it had ended before."""
        self.process.join(seconds)
        self.process.kill()
        self.process.join()
        if self.process.exitcode == 0:
            return None
        assert self.process.exitcode == -signal.SIGKILL, self.process.exitcode
        stages = self.log.read_text().splitlines() if self.log.exists() else []
        return stages[-1] if stages else "start"

    def end(self) -> tuple[str, float]:
        """The digest of its frames, and how long it took."""
        self.process.join()
        assert self.process.exitcode == 0, self.process.exitcode
        return self.log.read_text().splitlines()[-1], time.monotonic() - self.started


def content(target: Path) -> str:
    """Of PNG frames; a video's bytes differ from run to run."""
    if target.is_file():
        return "video"
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(target.iterdir()))).hexdigest()


def left_over(target: Path) -> list[str]:
    """What lies in the folder that should not."""
    allowed = {"clip.mp4", "clip.log", target.name, f"{target.stem}.report.html", f"{target.stem}.run.json"}
    return sorted({path.name for path in target.parent.iterdir()} - allowed)


def remove(target: Path) -> None:
    shutil.rmtree(target) if target.is_dir() else target.unlink(missing_ok=True)


def trial(source: Path, target: Path, right: tuple[str, str], seconds: float, draw: random.Random) -> tuple[str, bool]:
    """One run killed up to three times; in which stages, and whether all was well in the end."""
    stages: list[str] = []
    for _ in range(draw.choice([1, 1, 2, 3])):
        stage = Run(source, target).kill_after(draw.uniform(0.02, 1.0) * seconds)
        if stage is None:
            break
        stages.append(stage)
    if target.exists() and not (target.parent / f".{target.name}.selfhvd").exists():
        same = content(target) == right[1]  # it was done, or was clearing away, when it was killed
        left = [name for name in left_over(target) if not name.endswith("-done")]
    else:
        digest, _ = Run(source, target).end()
        same, left = (digest, content(target)) == right, left_over(target)
    remove(target)
    return ", ".join(stages) or "none: it was faster", same and not left


def main() -> None:
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    sys.path.insert(0, str(TESTS))
    import cv2
    import torch

    import selfhvd.run.job  # noqa: F401 - loaded before the processes part
    from clips_for_tests import film, views

    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    draw, bad = random.Random(0), 0
    print("| clip | trial | killed in | same frames, nothing left |\n|---|---|---|---|")
    for name, (count, width, height, output) in CLIPS.items():
        with tempfile.TemporaryDirectory() as folder:
            source = film(Path(folder) / "clip.mp4", views(count, width, height))
            target = Path(folder) / output
            digest, seconds = Run(source, target).end()
            right = digest, content(target)
            remove(target)
            done, number = 0, 0
            while done < kills // len(CLIPS):
                stages, well = trial(source, target, right, seconds, draw)
                done += 0 if stages.startswith("none") else stages.count(",") + 1
                number += 1
                bad += not well
                print(f"| {name} | {number} | {stages} | {'yes' if well else 'NO'} |", flush=True)
            print(f"| {name} | all: {done} kills, a whole run took {seconds:.1f} s | | |", flush=True)
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
