"""Optical flow behind one interface; `FLOWS` is the table of what there is."""

from collections.abc import Callable

from selfhvd.flow.camera import CameraFirst
from selfhvd.flow.dis import Dis
from selfhvd.flow.predictor import Flow, FlowPredictor

FLOWS: dict[str, Callable[[], FlowPredictor]] = {"dis": lambda: CameraFirst(Dis())}

__all__ = ["FLOWS", "CameraFirst", "Dis", "Flow", "FlowPredictor"]
