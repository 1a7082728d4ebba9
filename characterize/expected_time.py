"""How long a measurement will take, judged by those there are."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from characterize.sample import Sample, Task, task_of
from rtl_gen.components import MEASURED
from rtl_gen.formats import arithmetic

#: What few samples leave open stays near zero: slopes, and nearer yet what is an arithmetic's own.
RIDGE, OWN_RIDGE = 0.1, 3.0


class ExpectedTime:
    """Seconds that a task takes: a power law of its sizes for each component, fitted to samples.

    Parameters
    ----------
    samples : whose manifests say how long they took.
    """

    def __init__(self, samples: Iterable[Sample] = ()) -> None:
        self._known: dict[str, list[tuple[Task, float]]] = {}
        for sample in samples:
            self.learn(sample)

    def learn(self, sample: Sample) -> None:
        """One more sample."""
        seconds = sum(sample.manifest.get("seconds", {}).values())
        if seconds > 0:
            self._known.setdefault(sample.component, []).append((task_of(sample), seconds))

    def of(self, task: Task) -> float:
        """Seconds to expect, 0 when no sample of the component is known.

        Of another arithmetic than those known, the wider words are all that is seen.
        """
        known = self._known.get(task.component)
        if not known:
            return 0.0
        arithmetics = sorted({one.arithmetic for one, _ in known})
        rows = np.array([_sizes(one, arithmetics) for one, _ in known])
        logs = np.log([seconds for _, seconds in known])
        means, mean = rows.mean(axis=0), logs.mean()
        centred = rows - means
        ridge = [RIDGE] * (rows.shape[1] - len(arithmetics)) + [OWN_RIDGE] * len(arithmetics)
        square = centred.T @ centred + np.diag(ridge)
        slopes = np.linalg.solve(square, centred.T @ (logs - mean))
        return math.exp(mean + (_sizes(task, arithmetics) - means) @ slopes)


def _sizes(task: Task, arithmetics: list[str]) -> NDArray[np.float64]:
    """Logarithms of the sizes, and which arithmetic."""
    numbers = arithmetic(task.arithmetic)
    sizes = [task.parameters[name] for name in MEASURED[task.component].fields]
    sizes.append(numbers.activation_bits * numbers.weight_bits)
    return np.array([*np.log(sizes), *(float(task.arithmetic == name) for name in arithmetics)])
