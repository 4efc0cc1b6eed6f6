"""What a card says of its party: organisation, country, and where to reach it.

The party's own words, signed with its card: they prove nothing. Who it is, people find out when they compare
fingerprints, which cover organisation and country. A contact may change without that.
Decision 0070.
"""

from dataclasses import dataclass

from potluck.core.errors import UsageError
from potluck.core.visible import visible

LONGEST = {"organisation": 120, "country": 60, "contact": 200}
"""Letters of each text, at most."""


@dataclass(frozen=True, slots=True)
class About:
    """Three texts of one line, each "" where nothing is said."""

    organisation: str = ""
    country: str = ""
    contact: str = ""

    def verify(self) -> None:
        """Raises UsageError: a text is too long, more than a line, or has letters that do not show."""
        for name, text in self.document().items():
            if len(text) > LONGEST[name]:
                raise UsageError(f"{name} has {len(text)} letters, at most {LONGEST[name]} will do", hint="shorten it")
            if visible(text) != text or text != " ".join(text.split()):
                what = f"{name} has letters that do not show, a line break, or blanks beside a blank or at an end"
                raise UsageError(what, hint="plain text on one line, as it is to be read")

    def but(self, organisation: str | None, country: str | None, contact: str | None) -> "About":
        """With these texts in the place of its own; None keeps one. Raises as `verify`."""
        made = About(
            self.organisation if organisation is None else organisation,
            self.country if country is None else country,
            self.contact if contact is None else contact,
        )
        made.verify()
        return made

    def document(self) -> dict[str, str]:
        """Its texts by name."""
        return {"organisation": self.organisation, "country": self.country, "contact": self.contact}

    @property
    def where(self) -> str:
        """Organisation and country; "" where it says neither."""
        return ", ".join(filter(None, (self.organisation, self.country)))

    def words(self) -> str:
        """On one line, as on a screen; "" where it says nothing."""
        return "; ".join(filter(None, (self.where, self.contact and f"contact {self.contact}")))


NOTHING = About()
