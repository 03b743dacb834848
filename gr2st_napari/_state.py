"""What the user wants, what is known and what is happening in one viewer: it speaks (psygnal), and knows no Qt."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias, get_args

from psygnal import SignalGroupDescriptor

from gr2st_napari._evaluation import Desk
from gr2st_napari._gene_shelf import Shelf
from gr2st_napari._regions import Sheet
from gr2st_napari._runs import RunsSeen
from gr2st_napari._slides import SlideSheet
from gr2st_napari._study import Draft
from gr2st_napari._training import TrainDraft, Training

if TYPE_CHECKING:
    from pathlib import Path

    from gr2st_napari._expression import Expression
    from gr2st_napari._gene_facts import GeneFacts
    from gr2st_napari._opening import Opened
    from gr2st_napari._resolve import Display
    from gr2st_napari._results import Ranking

Mode: TypeAlias = Literal["measured", "predicted", "side by side", "difference"]
MODES: tuple[Mode, ...] = get_args(Mode)

Space: TypeAlias = Literal["spot", "gene"]
SPACES: tuple[Space, ...] = get_args(Space)
Limits: TypeAlias = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Wish:
    """What the user asks to see.

    Attributes
    ----------
    gene : str
        Empty until a section is known; the name of a list of genes where `members` are shown.
    members : tuple of str
        Genes whose mean z-score is shown in the place of one gene; empty for one gene.
    limits : (low, high) or None
        Colour limits fixed by hand; None takes percentiles of the values shown.
    clip : float
        Percent of the spots left out at each end when the limits are automatic.
    """

    gene: str = ""
    members: tuple[str, ...] = ()
    mode: Mode = "measured"
    space: Space = "spot"
    limits: Limits | None = None
    clip: float = 1.0
    colormap: str = "viridis"


@dataclass(frozen=True, slots=True)
class Job:
    """What the worker (or the reading thread) is doing; an empty label means it is idle."""

    label: str = ""
    done: int = 0
    total: int = 0
    note: str = ""
    request: int | None = None
    is_stopping: bool = False

    @property
    def is_running(self) -> bool:
        return bool(self.label)


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that went wrong: one sentence for the user, the rest behind a button."""

    sentence: str
    details: str = ""


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A training or an evaluation at work: its name for people, its folder, and options of `gr2st resume` for it."""

    name: str
    folder: Path
    options: tuple[str, ...] = ()


@dataclass(eq=False)
class State:
    """The one state of a viewer; every dock reads it and speaks to it."""

    events: ClassVar[SignalGroupDescriptor] = SignalGroupDescriptor()

    wish: Wish = Wish()
    opened: Opened | None = None
    expression: Expression | None = None
    facts: GeneFacts | None = None
    shelf: Shelf = field(default_factory=Shelf)
    spot: int | None = None
    job: Job = Job()
    problem: Problem | None = None
    shown: Display | None = None
    notes: tuple[str, ...] = ()
    draft: Draft = field(default_factory=Draft)
    train_draft: TrainDraft = field(default_factory=TrainDraft)
    training: Training = field(default_factory=Training)
    runs: RunsSeen = field(default_factory=RunsSeen)
    desk: Desk = field(default_factory=Desk)
    evaluating: Job = Job()
    ranking: Ranking | None = None
    sheet: Sheet = field(default_factory=Sheet)
    slide: SlideSheet = field(default_factory=SlideSheet)
