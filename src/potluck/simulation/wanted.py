"""What is asked of a simulation, and what of it cannot be."""

from dataclasses import dataclass

from potluck.core.errors import UsageError

MOST = 1_000_000
"""More clients than any plan means."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A simulation of a plan.

    sites: clients that there are; None: as many as the split finds. cohort: that take part in a round; None: all.
    split: how rows come to clients (`splits`). seed: public, of the split, cohorts, and noise. noise_cohort: of how
    many clients a real round would be; None: the cohort. every: rounds from one look at held-out rows to the next.
    processes: that train; memory: bytes that rows and training may take, None: no bound; card: whether it trains on the
    machine's graphics card.
    """

    sites: int | None = None
    cohort: int | None = None
    split: str = "even"
    seed: int = 0
    noise_cohort: int | None = None
    every: int = 1
    processes: int = 1
    memory: int | None = None
    card: bool = False

    def __post_init__(self) -> None:
        for name, least in (("sites", 2), ("cohort", 1), ("every", 1), ("processes", 1), ("memory", 1)):
            found = getattr(self, name)
            if found is not None and found < least:
                raise UsageError(f"{name} has to be at least {least}", where="simulate", hint=f"it is {found}")
        if (self.sites or 0) > MOST:
            raise UsageError(f"more than {MOST:,} sites", where="simulate", hint="fewer, with cohorts of some of them")
        if self.card and self.processes > 1:
            raise UsageError("one process has the graphics card", where="simulate", hint="leave out --processes")

    def cohort_of(self, sites: int) -> int:
        """How many of so many clients take part in a round. Raises UsageError: more than there are."""
        if self.cohort is not None and self.cohort > sites:
            hint = "at most as many as there are"
            raise UsageError(f"a cohort of {self.cohort} of {sites} sites", where="simulate", hint=hint)
        return self.cohort or sites

    def noise_of(self, cohort: int) -> int:
        """Of how many clients a real round would be. Raises UsageError: fewer than the cohort."""
        if self.noise_cohort is not None and self.noise_cohort < cohort:
            what = f"a noise cohort of {self.noise_cohort}, below the cohort of {cohort}"
            raise UsageError(what, where="simulate", hint="it says how many clients a real round would have")
        return self.noise_cohort or cohort
