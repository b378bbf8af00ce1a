"""The paper's orders (tables 2, 6, B and C) and its supervised bound on made clips, every row in one table.

    python bench/orders.py OUT --photos FOLDER [--seeds 3] [--only ROW ...]

Run again, it goes on. OUT/table-orders.md is what docs/ablations.md shows.
"""

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path

import torch

from selfhvd.cli.reproduce import write_table
from selfhvd.research.reproduce import TABLES, Site, Size, on_made_clips, run_table
from selfhvd.research.reproduce.rows import Row, Table

SIZE = Size(train=24, test=8, frames=24, width=256, height=144, steps=1500, crop=64, window=6)
CHANGES = ("method.frames=12", "method.stage_one.bfloat16=true", "method.stage_two.bfloat16=true")


def shake(number: str, name: str, called: str) -> Row:
    """A row of a table where it learns from GoProShake."""
    row = next(row for row in TABLES[number].rows if row.name == name)
    return Row(called, tuple(result for result in row.results if result.place.name == "GoProShake"))


def rows() -> tuple[Row, ...]:
    """In the order in which they are worth waiting for."""
    both = shake("2", "both", "SEVD + SCSCM")
    one = replace(both.results[0].setup, changes=("method.stage_two.steps=0",))
    return (
        Row("stage 1", (replace(both.results[0], setup=one, paper=(("psnr", ""), ("ssim", ""))),)),
        both,
        shake("2", "none", "none"),
        shake("2", "SCSCM only", "SCSCM only"),
        shake("2", "SEVD only", "SEVD only"),
        shake("6", "random removal", "random removal"),
        shake("6", "RSCR without SIS", "RSCR without SIS"),
        shake("1", "BasicVSR++, supervised", "supervised"),
        shake("B", "none", "no mask"),
        shake("B", "occlusion", "occlusion mask"),
        shake("B", "uncertainty", "uncertainty mask"),
        shake("C", "1", "1 update"),
        shake("C", "3", "3 updates"),
    )


ORDERS = (
    ("stage 1", "SEVD + SCSCM"), ("none", "SEVD only"), ("none", "SCSCM only"), ("SEVD only", "SEVD + SCSCM"),
    ("SCSCM only", "SEVD + SCSCM"), ("random removal", "RSCR without SIS"), ("RSCR without SIS", "SEVD + SCSCM"),
    ("no mask", "occlusion mask"), ("no mask", "uncertainty mask"), ("occlusion mask", "SEVD + SCSCM"),
    ("uncertainty mask", "SEVD + SCSCM"), ("1 update", "SEVD + SCSCM"), ("SEVD + SCSCM", "supervised"),
)  # fmt: skip


def main() -> None:
    """Make what is missing, row by row over the seeds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--steps", type=int, default=SIZE.steps)
    parser.add_argument("--set", nargs="*", default=[], dest="change")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    chosen = tuple(row for row in rows() if not asked.only or row.name in asked.only)
    names = {row.name for row in chosen}
    orders = tuple(order for order in ORDERS if names.issuperset(order))
    table = on_made_clips(Table("orders", "The paper's orders on made clips (BasicVSR++ reduced)", chosen, orders))
    site = Site(asked.out, asked.out, (*CHANGES, *asked.change), small=replace(SIZE, steps=asked.steps))
    started = time.monotonic()
    findings = run_table(table, site, asked.seeds, photos=asked.photos, tell=print)
    sys.stdout.write(write_table(table, site, asked.seeds, findings, time.monotonic() - started))


if __name__ == "__main__":
    main()
