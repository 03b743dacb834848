"""Build hook: the sample study goes into the wheel; an editable install finds it in the checkout instead."""

from __future__ import annotations

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class SampleDataHook(BuildHookInterface):  # type: ignore[type-arg]
    """Adds ``sample_data`` to a standard wheel.

    In an editable wheel the same files would make a second ``gr2st`` folder beside the redirecting import hook.
    """

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before it builds."""
        if version == "standard":
            build_data["force_include"]["sample_data"] = "gr2st/sample_data"
