"""Plans of evaluations as JSON, out and in without loss: what a window sends to its worker."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from gr2st.config import first_fault
from gr2st.errors import DataError
from gr2st.evaluation.crossval import Plan
from gr2st.registry import MODELS

_ADAPTER = TypeAdapter(Plan)


def plan_of_json(asked: Mapping[str, Any]) -> Plan:
    """The plan that JSON describes: fields of `Plan`, those left out as they are by default.

    Raises
    ------
    UnknownName
        Settings for a model that is not registered.
    DataError
        A field is missing, unknown or not what it should be; the first one is named.
    """
    unknown = set(asked) - {field.name for field in dataclasses.fields(Plan)}
    if unknown:
        raise DataError(f"This plan of an evaluation cannot be used: it has no field {', '.join(sorted(unknown))}.")
    config = asked.get("config", {})
    if not isinstance(config, Mapping):
        raise DataError("This plan of an evaluation cannot be used: config must hold the settings of each model.")
    try:
        settings = {name: type(MODELS[name].config).model_validate(fields) for name, fields in config.items()}
        return _ADAPTER.validate_python({**asked, "config": settings})
    except ValidationError as error:
        raise DataError(f"This plan of an evaluation cannot be used: {first_fault(error)}.") from error


def json_of_plan(plan: Plan) -> dict[str, Any]:
    """The plan as JSON holds it."""
    told: dict[str, Any] = _ADAPTER.dump_python(plan, mode="json", serialize_as_any=True)
    return told
