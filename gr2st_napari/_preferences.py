"""What the user prefers, from napari's own Preferences: a page of ours, declared in the manifest."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

PLUGIN, PAGE = "gr2st-napari", "maps"


@dataclass(frozen=True, slots=True)
class Preferences:
    """How maps look at first; the Genes dock changes it for the slide in view.

    Attributes
    ----------
    colormap : name of one of `gr2st.COLOUR_MAPS`
    space : "spot" or "gene"
    clip : float
        Percent of the spots left out at each end of automatic colour limits.
    """

    colormap: str = "viridis"
    space: str = "spot"
    clip: float = 1.0


class PreferenceKeeper:
    """Reads the page, and tells `changed` what the user changes on it while a window is open."""

    def __init__(self, changed: Callable[[dict[str, Any]], None]) -> None:
        self._page, self._changed = _page(), changed
        self._known = self.preferences
        if self._page is not None:
            self._page.events.connect(self._on_changed)

    @property
    def preferences(self) -> Preferences:
        """As they are now; defaults where napari does not know the plugin (it is used from a script)."""
        page = self._page
        return Preferences() if page is None else Preferences(**{name: getattr(page, name) for name in _NAMES})

    def close(self) -> None:
        """Listen no more."""
        if self._page is not None:
            self._page.events.disconnect(self._on_changed)

    def _on_changed(self, _event: Any) -> None:
        # The dialog writes the whole page at once, and its news name no field.
        before, self._known = asdict(self._known), self.preferences
        changes = {name: value for name, value in asdict(self._known).items() if value != before[name]}
        if changes:
            self._changed(changes)


_NAMES = tuple(field.name for field in fields(Preferences))


def _page() -> Any:
    from napari.settings import get_plugin_settings

    found = get_plugin_settings().get(PLUGIN)
    return getattr(found, PAGE, None)
