"""Which stages are ended at once when a person stops a run, and which save first."""

import pytest

from selfhvd.errors import Stopped
from selfhvd.system.progress import Stage, silent, stoppable


@pytest.mark.parametrize("stage", [Stage.STAGE_ONE, Stage.STAGE_TWO, f"{Stage.STAGE_ONE}, clip 1 of 2"])
def test_learning_saves_first(stage):
    stoppable(silent, lambda: True)(stage, 1, 2)


@pytest.mark.parametrize("stage", [Stage.READ, Stage.RESTORE, "align", "align again, clip 2 of 2"])
def test_nothing_else_needs_to(stage):
    with pytest.raises(Stopped):
        stoppable(silent, lambda: True)(stage, 1, 2)
