"""The fields of settings as a form needs them: words, tip, kind, range and choices. No Qt; read from the settings."""

from __future__ import annotations

import types
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, Union, get_args, get_origin

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic.fields import FieldInfo

    from gr2st import Settings

Kind: TypeAlias = Literal["switch", "whole", "number", "choice", "text"]

_KINDS: dict[Any, Kind] = {bool: "switch", int: "whole", float: "number", str: "text"}
_SPELLED = {"um": "µm", "px": "px", "mse": "MSE", "id": "ID"}


@dataclass(frozen=True, slots=True)
class Field:
    """One field of settings.

    Attributes
    ----------
    name : str
        As in files and on the command line.
    words : str
        The same for people.
    tip : str
        Description, range and name.
    low, high : float or None
        The range; None where it is open.
    choices : tuple of str
    may_be_none : bool
    start : value
        What to begin with where it is none and is to be given.
    """

    name: str
    words: str
    tip: str
    kind: Kind
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    may_be_none: bool = False
    start: Any = None


def fields_of(settings: type[Settings], leave_out: Sequence[str] = ()) -> tuple[Field, ...]:
    """The fields that hold one value each, in their order."""
    found = (_field(name, info) for name, info in settings.model_fields.items() if name not in leave_out)
    return tuple(field for field in found if field is not None)


def shown(value: Any) -> str:
    """A number as it is typed: as short as it can be without losing a digit."""
    if isinstance(value, float):
        short = f"{value:g}"
        return short if float(short) == value else repr(value)
    return str(value)


def _field(name: str, info: FieldInfo) -> Field | None:
    """None where the field holds more than one value, as other settings or a list do."""
    kind, may_be_none = _without_none(info.annotation)
    choices = tuple(map(str, get_args(kind))) if get_origin(kind) is Literal else ()
    if not choices and kind not in _KINDS:
        return None
    low, high = _bound(info, "ge", "gt"), _bound(info, "le", "lt")
    return Field(
        name=name,
        words=_words(name),
        tip="\n".join(line for line in (info.description, _range(info), f"In files: {name}") if line),
        kind="choice" if choices else _KINDS[kind],
        low=low,
        high=high,
        choices=choices,
        may_be_none=may_be_none,
        start=_start(kind, info.default, low) if not choices else choices[0],
    )


def _without_none(annotation: Any) -> tuple[Any, bool]:
    if get_origin(annotation) not in (Union, types.UnionType):
        return annotation, False
    kinds = [kind for kind in get_args(annotation) if kind is not types.NoneType]
    return (kinds[0] if len(kinds) == 1 else None), True


def _start(kind: Any, default: Any, low: float | None) -> Any:
    if default is not None:
        return default
    return kind(low if low else 1)


def _bound(info: FieldInfo, *names: str) -> float | None:
    found = [getattr(rule, name) for rule in info.metadata for name in names if hasattr(rule, name)]
    return found[0] if found else None


def _range(info: FieldInfo) -> str:
    """The range in words, "" where every number is allowed."""
    said = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
    parts = [
        f"{words} {shown(getattr(rule, name))}"
        for name, words in said.items()
        for rule in info.metadata
        if hasattr(rule, name)
    ]
    return f"{', '.join(parts).capitalize()}." if parts else ""


def _words(name: str) -> str:
    words = " ".join(_SPELLED.get(word, word) for word in name.split("_"))
    return words[0].upper() + words[1:] if words[0] != "µ" else words
