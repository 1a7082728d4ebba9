"""How wrong a model is on samples that it was not fitted to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from models.component import ComponentModel
from models.features import Array, features
from models.fit_component import design_table
from models.metrics import derived, measured, segments_of
from models.validation import magnitude

if TYPE_CHECKING:
    from characterize.sample import Sample


def fresh_errors(
    model: ComponentModel, kind: str, arithmetic: str, samples: Sequence[Sample]
) -> dict[str, Array]:
    """Metric, sums over parts included -> error of the prediction in percent, one a sample.

    Parameters
    ----------
    samples : of one kind, arithmetic and build, those of the model.
    """
    clock_ns = np.array([sample.clock_ns for sample in samples])
    actual = measured(samples, segments_of(model.polynomials))
    found = model.evaluate(features(kind, design_table(kind, arithmetic, samples)))
    count = len(samples)
    predicted = {name: np.broadcast_to(values, (count,)) for name, values in found.items()}
    actual |= derived(kind, actual, clock_ns)
    predicted |= derived(kind, predicted, clock_ns)
    return {
        name: 100 * (predicted[name] - values) / magnitude(values)
        for name, values in actual.items()
        if name in predicted
    }
