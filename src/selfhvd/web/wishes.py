"""Wishes: what a person may want of a job next, by what it is at now. The same wish twice is one wish."""

import time
from collections.abc import Callable

from selfhvd.web.record import Job, Settings, State, Wanted
from selfhvd.web.refused import Refused
from selfhvd.web.store import JobStore, state_of

Wish = Callable[[Job, State], Job]
"""From a job and its state to the job as it is wanted."""

_UNDER_WAY = (State.QUEUED, State.RUNNING)


def wish(store: JobStore, number: str, decide: Wish) -> Job | None:
    """Have a wish written down; None where there is no such job, `Refused` where it makes no sense now."""

    def at_once(job: Job) -> Job:
        return decide(job, state_of(job, store.folder(number)))

    return store.change(number, at_once)


def start(settings: Settings | None) -> Wish:
    """Restore the clip, by other settings where some are given."""

    def decide(job: Job, state: State) -> Job:
        asked = job.settings if settings is None else settings
        if state in _UNDER_WAY:
            if asked == job.settings:
                return job
            raise Refused(409, "It is under way with other settings; cancel it first.")
        if state in (State.PAUSING, State.CANCELLING):
            raise Refused(409, "It is still being stopped; try again in a moment.")
        if state == State.DONE and asked.deciding != job.settings.deciding:
            raise Refused(409, "A finished clip can be written again with another strength, quality or codec only; "
                          "for the rest take the clip once more.")  # fmt: skip
        anew = job.run + (state in (State.DONE, State.FAILED, State.CANCELLED))
        changes = {"wanted": Wanted.RUN, "settings": asked, "queued": time.time(), "run": anew}
        return job.model_copy(update=changes)

    return decide


def pause(job: Job, state: State) -> Job:
    """Stop, with all that was done saved."""
    if state in (State.PAUSED, State.PAUSING):
        return job
    if state not in _UNDER_WAY:
        raise Refused(409, f"It is {state}; only what waits or runs can be paused.")
    return job.model_copy(update={"wanted": Wanted.PAUSE})


def cancel(job: Job, state: State) -> Job:
    """Stop, and clear away what was done; a file that was only to be written again stays as it was."""
    if state in (State.CANCELLED, State.CANCELLING):
        return job
    if state in (State.DONE, State.FAILED):
        raise Refused(409, f"It is {state} already; remove it, if it is not wanted any more.")
    return job.model_copy(update={"wanted": Wanted.CANCEL})


def remove(job: Job, state: State) -> Job:
    """Stop, and remove it with all its files."""
    return job.model_copy(update={"wanted": Wanted.GONE})
