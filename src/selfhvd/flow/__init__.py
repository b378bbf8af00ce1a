"""Optical flow behind one interface; `FLOWS` is the table of what there is."""

from collections.abc import Callable

from selfhvd.flow.dis import Dis
from selfhvd.flow.predictor import Flow, FlowPredictor

FLOWS: dict[str, Callable[[], FlowPredictor]] = {"dis": Dis}

__all__ = ["FLOWS", "Dis", "Flow", "FlowPredictor"]
