"""Builds: the ways to build one design, each with polynomials of its own.

A build is how the PEs' scratchpads keep their words and how hard synthesis tries for speed. Only a
PE differs with the first (and, in macros, a row by ten flip-flops: decision 17), so that other
components are known by the second alone.
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
        scratchpads = [self.scratchpads] if kind in WITH_SCRATCHPADS else []
        return ".".join([kind, *scratchpads, self.recipe])


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
