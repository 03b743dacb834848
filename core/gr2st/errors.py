"""Every error a user of gr2st may meet.

::

    Gr2stError
    ├── DataError (ValueError)        a file, table or value is not what it should be
    │   └── SectionInvalid            all findings about one section or study, one per line
    ├── UnknownName (LookupError)     a name that is in no registry, study or gene list
    ├── WeightsMissing                an encoder whose weights are not on this machine
    ├── RecipeMismatch                a model and data that were prepared differently
    ├── TrainingFailed                training cannot go on (not finite, out of memory)
    ├── WorkerLost                    a process or machine that computed was killed
    ├── StorageError (OSError)        a result could not be written
    └── Cancelled                     the user asked for an end

None derives from RuntimeError: worker threads of the Qt world swallow those. Every class takes one message, so that
each survives pickling between processes.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class Gr2stError(Exception):
    """Base of all errors raised on purpose. The message is written for the user."""


class DataError(Gr2stError, ValueError):
    """A file, a table or a value is not what it should be."""


class SectionInvalid(DataError):
    """A section or study with problems; the message lists all of them, one per line."""

    @classmethod
    def of(cls, name: str, findings: Iterable[str]) -> SectionInvalid:
        """Build the error from the name of what was read and its findings."""
        listed = list(findings)
        count = "1 problem" if len(listed) == 1 else f"{len(listed)} problems"
        return cls(f"{name} has {count}:\n" + "\n".join(f"  - {finding}" for finding in listed))


class UnknownName(Gr2stError, LookupError):
    """A name nobody registered; the message offers the nearest known one."""

    @classmethod
    def of(cls, kind: str, name: str, known: Iterable[str]) -> UnknownName:
        """Build the error for `name`, which is no known `kind` (for example "encoder")."""
        names = sorted(known)
        near = difflib.get_close_matches(name, names, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        shown = ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
        return cls(f"No {kind} is called {name!r}.{hint} Known: {shown or 'none'}.")


class WeightsMissing(Gr2stError):
    """The weights of an encoder are not on this machine; the message says how to get them."""


class RecipeMismatch(Gr2stError):
    """A stored model or result was made with another recipe, format or data than the one at hand."""


class TrainingFailed(Gr2stError):
    """Training cannot go on; the message says at which step and why."""


class WorkerLost(Gr2stError):
    """What computed a result was killed before it could answer, again and again."""


class StorageError(Gr2stError, OSError):
    """A result could not be written; nothing half-written is left behind."""


class Cancelled(Gr2stError):
    """The user asked for an end; what was complete before is kept."""
