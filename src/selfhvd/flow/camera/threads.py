"""Threads for what neither torch nor OpenCV spreads over the cores: many small steps for each pair of images."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import cv2
import torch

Item = TypeVar("Item")
Result = TypeVar("Result")


def side_by_side(work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """`work` of each item, in order, in as many threads as torch was given; within each, torch and OpenCV have one.

    So the results are the same whatever the number of threads: OpenCV's DIS cuts its work differently for each number,
    and again where another thread keeps its helpers busy.
    """
    given, helpers = torch.get_num_threads(), cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        if given < 2 or not items:
            return [work(item) for item in items]
        with ThreadPoolExecutor(min(given, len(items)), initializer=torch.set_num_threads, initargs=(1,)) as pool:
            return list(pool.map(work, items))
    finally:
        cv2.setNumThreads(helpers)
        torch.set_num_threads(given)  # a thread's own number is also what threads begun later get
