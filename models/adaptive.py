"""When a group of samples is large enough: rounds of a design, judged by cross-validation.

What is decided depends on the samples alone, and on nothing but those of the group: a sweep that
was killed decides the same when it goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from characterize.groups import Group, Samples, Stop
from characterize.sample import Sample, Task
from models.fit_component import fit_component
from rtl_gen.components import KINDS

#: Why a group has no more rounds.
BAR_MET = "the bar is met"
NO_BETTER = "the error falls no more"
MOST = "the plan allows no more"
ALL = "all points are measured"
NONE = "nothing could be measured"
BUDGET = "the budget is spent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """Mean cross-validated errors in percent; None where nothing could be held out.

    Parameters
    ----------
    energy : of the busiest event or of an idle cycle, whichever is larger: the others are rare, and
        take little of the energy that the bar is about.
    """

    area: float | None
    energy: float | None
    period: float | None

    def worst(self, stop: Stop) -> float | None:
        """The largest error, in shares of its bar: at most 1 when all bars are met."""
        pairs = (
            (self.area, stop.area_percent),
            (self.energy, stop.energy_percent),
            (self.period, stop.period_percent),
        )
        shares = [error / bar for error, bar in pairs if error is not None]
        return max(shares, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """The samples that a group had after a round, and how wrong models of them are."""

    samples: int
    errors: Errors


@dataclass(slots=True, kw_only=True)
class Course:
    """How far a group is.

    Parameters
    ----------
    taken : of the group's tasks, those that are measured or to be measured now.
    before : those of them that earlier rounds have had.
    stopped : why there are no more rounds; "" as long as there are.
    """

    group: Group
    taken: int = 0
    before: int = 0
    rounds: list[Round] = field(default_factory=list)
    stopped: str = ""

    def __post_init__(self) -> None:
        self.taken = self.group.first

    def batch(self) -> tuple[Task, ...]:
        """What to measure in this round."""
        return self.group.tasks[self.before : self.taken]

    def judge(self, found: Sequence[Sample], samples: Samples, stop: Stop) -> None:
        """End the round: stop, or take the next batch.

        Parameters
        ----------
        found : all that could be measured of the tasks taken so far.
        """
        self.rounds.append(Round(samples=len(found), errors=errors(found)))
        self.stopped = verdict(self.rounds, stop) or self._end()
        if not self.stopped:
            self.before = self.taken
            self.taken = min(self.taken + samples.batch, len(self.group.tasks))

    def _end(self) -> str:
        if self.rounds[-1].samples == 0:
            return NONE
        if self.taken < len(self.group.tasks):
            return ""
        return MOST if self.group.endless else ALL


def errors(samples: Sequence[Sample]) -> Errors:
    """Fit models to a group's samples, and say how wrong they are on those held out."""
    if not samples:
        return Errors(area=None, energy=None, period=None)
    # The order must not matter, nor how the samples came.
    ordered = sorted(samples, key=lambda sample: sample.id)
    found = fit_component(ordered[0].component, ordered)[0].errors
    energies = [found[name].mean_percent for name in energies_of(ordered[0].component)]
    return Errors(
        area=found["area_um2"].mean_percent,
        energy=max((one for one in energies if one is not None), default=None),
        period=found["min_period_ns"].mean_percent,
    )


def energies_of(kind: str) -> tuple[str, str]:
    """The metrics that `Errors.energy` is of: the busiest event's energy and idling's."""
    events = KINDS[kind].events
    return f"energy_pj.{events[0]}", f"energy_pj.{events[-1]}"


def verdict(rounds: Sequence[Round], stop: Stop) -> str:
    """Why to stop after these rounds; "" if not.

    The error falls as long as one of the last two rounds' lies below the lowest of all before by
    the improvement asked for: cross-validated errors of few samples are noisy.
    """
    worst = [one.errors.worst(stop) for one in rounds]
    known = [one for one in worst if one is not None]
    if not known:
        return ""
    if known[-1] <= 1:
        return BAR_MET
    if len(known) < 3:
        return ""
    asked = (1 - stop.improvement_percent / 100) * min(known[:-2])
    return NO_BETTER if min(known[-2:]) > asked else ""
