"""What was found before long work is begun: sentences, a time, and what stands in the way; without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from gr2st.config import first_fault
from gr2st.errors import DataError

Kind = Literal["good", "note", "warning", "fault"]
Subject = Literal["files", "genes", "memory", "disk", "time", "device", "weights", "slide"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; a fault stands in the way."""

    kind: Kind
    subject: Subject
    sentence: str


@dataclass(frozen=True, slots=True)
class Preflight:
    """All that was looked at.

    Attributes
    ----------
    findings : tuple of Finding
        In the order in which they were looked at.
    seconds : float or None
        How long the work will take, from steps that were timed; None where a fault came first.
    trainings : int
        How many models will be trained; those of inner folds are not counted.
    """

    findings: tuple[Finding, ...]
    seconds: float | None
    trainings: int

    @property
    def can_start(self) -> bool:
        """Whether nothing stands in the way."""
        return all(finding.kind != "fault" for finding in self.findings)

    def as_json(self) -> dict[str, Any]:
        """The same as JSON holds it."""
        return asdict(self)

    @classmethod
    def of_json(cls, told: Mapping[str, Any]) -> Preflight:
        """What `as_json` gave; DataError where it is something else."""
        try:
            return _ADAPTER.validate_python(dict(told))
        except ValidationError as error:
            raise DataError(f"This is no answer of a look ahead: {first_fault(error)}.") from error


_ADAPTER = TypeAdapter(Preflight)


def time_in_words(seconds: float) -> str:
    """As people say it: "less than a minute", "about 3 minutes", "about 2 hours", "about 3 days"."""
    if seconds < 50:
        return "less than a minute"
    for unit, size in (("day", 86400.0), ("hour", 3600.0), ("minute", 60.0)):
        count = round(seconds / size)
        if seconds >= 2 * size or (unit == "minute"):
            return f"about {count} {unit}{'' if count == 1 else 's'}"
    raise AssertionError("a minute is the last unit")


def size_in_words(size: float) -> str:
    """Bytes as people say them: "12 MB", "1.4 GB"."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{max(1, round(size / 1e6))} MB"
