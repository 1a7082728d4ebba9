"""Paths from component to component: by hand, and against every path written out one by one."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.paths import arrivals_of, needed, path_periods
from rtl_gen.interfaces import (
    CLOCK,
    CONNECTIONS,
    FALL,
    INTERFACES,
    MEMORIES,
    RESET,
    End,
    segment_name,
)

NOTHING: dict[str, dict[str, float]] = {kind: {} for kind in INTERFACES}
AT_ONCE = dict.fromkeys(MEMORIES.values(), 0.0)


def test_a_path_is_the_sum_of_its_segments() -> None:
    segments = {
        **NOTHING,
        "row": {"clock>here": 0.1},
        "node": {"beat>word": 0.3, "beat>active": 9.0},  # the latter is no way that there is
        "pe": {"word>clock": 0.5, "word>fall": 0.4, "order>clock": 0.2},
    }
    found = {name: float(value) for name, value in path_periods(segments, {}).items()}
    # The falling edge comes after half of the period: what must be there by then counts twice.
    assert found == pytest.approx({"pe.word": 2 * (0.1 + 0.3 + 0.4), "pe.order": 0.1 + 0.2})


def test_a_memory_s_word_comes_after_its_access_and_goes_on() -> None:
    segments = {
        **NOTHING,
        "bank": {"sram>clock": 0.2, "sram>word": 0.3},
        "collector": {"sums>clock": 0.4},
    }
    found = path_periods(segments, {"psum_sram": np.array([2.0, 3.0])})
    assert found["bank.sram"] == pytest.approx([2.2, 3.2])
    assert found["collector.sums"] == pytest.approx([2.7, 3.7])


def test_a_table_and_its_designs_one_by_one_agree() -> None:
    random = np.random.default_rng(0)
    table = {
        kind: {segment_name(*one): random.uniform(0, 1, 5) for one in known.segments()}
        for kind, known in INTERFACES.items()
    }
    together = path_periods(table, AT_ONCE)
    for i in range(5):
        one = {kind: {n: v[i] for n, v in known.items()} for kind, known in table.items()}
        alone = path_periods(one, AT_ONCE)
        assert {name: value[i] for name, value in together.items()} == alone


def paths(segments: dict[str, dict[str, float]], end: End) -> Iterator[tuple[float, frozenset]]:
    """Every path to a group of inputs: when it is there, and the (kind, segment) it goes along."""
    if end in MEMORIES:
        yield 0.0, frozenset()
    for (kind, out), sinks in CONNECTIONS.items():
        if end not in sinks:
            continue
        launch = segment_name(CLOCK, out)
        if launch in segments[kind]:
            yield segments[kind][launch], frozenset({(kind, launch)})
        for entry, leaves in INTERFACES[kind].through:
            way = segment_name(entry, out)
            if leaves == out and way in segments[kind]:
                for arrival, along in paths(segments, (kind, entry)):
                    yield arrival + segments[kind][way], along | {(kind, way)}


@st.composite
def some_segments(draw: st.DrawFn) -> dict[str, dict[str, float]]:
    """Some of all segments there are."""
    return {
        kind: draw(
            st.dictionaries(
                st.sampled_from([segment_name(*one) for one in known.segments()]),
                st.floats(0.01, 5.0),
            )
        )
        for kind, known in INTERFACES.items()
    }


@given(some_segments(), st.floats(0.0, 8.0))
def test_all_paths_one_by_one(segments: dict[str, dict[str, float]], shortest: float) -> None:
    """The longest of all paths is found, and every segment of one that is longer than a period is
    needed."""
    arrivals, periods = arrivals_of(segments, AT_ONCE), path_periods(segments, AT_ONCE)
    wanted = needed(segments, shortest)
    for kind, known in INTERFACES.items():
        for group in (*known.inputs, RESET):
            found = list(paths(segments, (kind, group)))
            assert ((kind, group) in arrivals) == bool(found)
            if found:
                assert float(arrivals[kind, group]) == pytest.approx(max(t for t, _ in found))
            needs = []
            for to, times in ((CLOCK, 1), (FALL, 2)):
                last = segment_name(group, to)
                if last in segments[kind]:
                    for arrival, along in found:
                        needs.append(times * (arrival + segments[kind][last]))
                        whole = along | {(kind, last)}
                        if needs[-1] > shortest + 1e-9:
                            assert all(name in wanted[place] for place, name in whole)
            if needs:
                assert float(periods[f"{kind}.{group}"]) == pytest.approx(max(needs))
    for kind, names in wanted.items():
        assert names <= segments[kind].keys()
