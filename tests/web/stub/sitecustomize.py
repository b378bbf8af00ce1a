"""In processes that are to run `selfhvd deblur`: a stand-in that takes a second, not ten, and behaves as the command.

In those that look at a clip: known numbers instead of what takes torch to find.

It lays the frames out and "restores" each by handing it on, tells its progress, hears SIGTERM, writes the result last.
`$STAND_IN_SECONDS` is what a frame takes. A clip whose name holds "poison" fails, one with "crash" dies.
"""

import json
import os
import signal
import sys
import time
import types


def stand_in() -> None:
    from pathlib import Path

    from selfhvd.run.places import finished_path, work_path
    from selfhvd.system.atomic import write_aside
    from selfhvd.video import Footage, ingest
    from selfhvd.video.frame_file import link_frame

    signal.signal(signal.SIGTERM, lambda *given: os._exit(143))
    source, destination = Path(sys.argv[2]), Path(sys.argv[sys.argv.index("-o") + 1])
    tell(stage="read", done=0, total=None)
    if "poison" in source.name:
        tell(error="This clip is poison; take another.", exit_code=3)
        os._exit(3)
    if "crash" in source.name:
        os.kill(os.getpid(), signal.SIGSEGV)
    work = work_path(destination)
    work.mkdir(exist_ok=True)
    footage = (
        Footage.load(work / "footage") if (work / "footage/footage.json").exists() else ingest(source, work / "footage")
    )
    (work / "restored").mkdir(exist_ok=True)
    for index in range(len(footage)):
        path = finished_path(work / "restored", index)
        if not path.exists():
            time.sleep(float(os.environ.get("STAND_IN_SECONDS", "0.02")))
            link_frame(footage.path(index), path)
        tell(stage="restore", done=index + 1, total=len(footage), eta_s=1.0)
    tell(message="A warning of the run.", level="warning")
    strength = next((float(w.partition("=")[2]) for w in sys.argv if w.startswith("--strength=")), 1.0)
    values = [10.0 + index for index in range(len(footage))]
    run = {
        "source": str(source),
        "destination": str(destination),
        "selection": {"sharpness": values, "blur": values, "sharp": [0], "verdict": "mixed"},
        "frames": len(footage),
        "sharpness_after": [2 * value for value in values],
        "left": 0,
        "strength": strength,
    }
    write_aside(destination.with_name(f"{destination.stem}.run.json"), json.dumps(run).encode())
    page = "<!doctype html><meta charset=utf-8><title>report</title><h1>Report</h1>" + str(destination)
    write_aside(destination.with_name(f"{destination.stem}.report.html"), page.encode())
    write_aside(destination, source.read_bytes() + f"strength {strength}".encode())
    with open(os.environ["STAND_IN_LOG"], "a") as log:
        log.write(f"{source.parents[1].name}\n")


def tell(**fields) -> None:
    sys.stderr.write(json.dumps(fields) + "\n")
    sys.stderr.flush()


if sys.orig_argv[2:5] == ["-m", "selfhvd", "deblur"]:
    fake = types.ModuleType("selfhvd.cli")
    fake.main = stand_in
    sys.modules["selfhvd.cli"] = fake


def module(name, **inside) -> None:
    sys.modules[name] = made = types.ModuleType(name)
    vars(made).update(inside)


if sys.orig_argv[2:4] == ["-m", "selfhvd.web.look"] and "--head" not in sys.orig_argv:
    from fractions import Fraction

    plain = types.SimpleNamespace
    found = plain(seconds=9.0, room=plain(total=10**6), stays=10**6, free=10**12, notes=(), codec="libx264")
    blur = plain(times=tuple(Fraction(n, 30) for n in range(6)), lengths=(0.5, 8.0, 9.0, 7.5, 0.4, float("inf")))
    module("selfhvd.forecast.forecast", forecast=lambda *given, **named: found)
    module("selfhvd.forecast.pace", measure_pace=lambda config: None)
    module("selfhvd.run.config", PRESETS=("fast", "balanced", "best"), preset_config=lambda name: None)
    module("selfhvd.extensions.selection", SharpConfig=lambda: plain(blurred_above=1.5))
    part = plain(start=Fraction(0), end=Fraction(5))
    module("selfhvd.run.preview", measure_blur=lambda *a, **n: blur, hardest=lambda *given: plain(part=part))
