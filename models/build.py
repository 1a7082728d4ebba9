"""Builds: the ways to build one design, each with polynomials of its own.

A build is how the PEs' scratchpads keep their words and how hard synthesis tries for their speed.
Only a PE differs with it (and, in macros, a row by ten flip-flops: decision 17): of all else there
is little, and it is what the clock waits for, so that the first recipe synthesizes it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product

from characterize.sample import RECIPES
from rtl_gen.components import KINDS, WITH_SCRATCHPADS
from rtl_gen.storage import FLIPFLOP, STORAGES


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """One way to build: of `rtl_gen.storage.STORAGES` and `characterize.sample.RECIPES`."""

    scratchpads: str = FLIPFLOP
    recipe: str = RECIPES[0]

    def __str__(self) -> str:
        return f"{self.scratchpads}, {self.recipe}"

    def component(self, kind: str) -> str:
        """The name that a kind of component goes by when it is built so: "pe.gated.fast"."""
        own = [self.scratchpads, self.recipe] if kind in WITH_SCRATCHPADS else [RECIPES[0]]
        return ".".join([kind, *own])


#: Every way to build, the plainest first.
BUILDS = tuple(
    Build(scratchpads=scratchpads, recipe=recipe)
    for recipe, scratchpads in product(RECIPES, STORAGES)
)

#: Name of a component as built -> its kind.
COMPONENTS = {build.component(kind): kind for build in BUILDS for kind in KINDS}


def complete(names: Iterable[str]) -> list[Build]:
    """The builds all of whose components are among these names."""
    known = set(names)
    return [build for build in BUILDS if known.issuperset(map(build.component, KINDS))]
