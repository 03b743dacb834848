"""What the user wants, what is known and what is happening in one viewer: it speaks (psygnal), and knows no Qt."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias, get_args

from psygnal import SignalGroupDescriptor

from gr2st_napari._evaluation import Desk
from gr2st_napari._gene_shelf import Shelf
from gr2st_napari._regions import Sheet
from gr2st_napari._runs import RunsSeen
from gr2st_napari._sketching import Sketched
from gr2st_napari._slides import SlideSheet
from gr2st_napari._spot import Why
from gr2st_napari._study import Draft
from gr2st_napari._training import TrainDraft, Training

if TYPE_CHECKING:
    from pathlib import Path

    from gr2st_napari._classes import Classes
    from gr2st_napari._expression import Expression
    from gr2st_napari._gene_facts import GeneFacts
    from gr2st_napari._opening import Opened
    from gr2st_napari._panels import Display
    from gr2st_napari._results import Ranking

Mode: TypeAlias = Literal["measured", "predicted", "side by side", "difference", "swipe", "flicker"]
MODES: tuple[Mode, ...] = get_args(Mode)

Measure: TypeAlias = Literal["expression", "spread", "disagreement", "distance"]
MEASURES: tuple[Measure, ...] = get_args(Measure)

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
    measure : str
        "expression", or how far its predicted values can be trusted.
    limits : (low, high) or None
        Colour limits kept for every gene, map and section; None takes percentiles of the values shown.
    bound : float or None
        The same for differences: from minus to plus this.
    log : bool
        Whether values are shown on their logarithmic scale, or as parts per 10,000.
    colour_by : str
        What is shown in the place of genes: a key of `gr2st_napari._classes.offers`; empty for genes.
    hidden : frozenset of str
        Classes that are not drawn; empty text is what has no class.
    n_clusters : int
        How many, where spots are coloured by clusters.
    flicker_s : float
        Seconds for which each of two maps is shown where they take turns.
    clip : float
        Percent of the spots left out at each end when the limits are automatic.
    """

    gene: str = ""
    members: tuple[str, ...] = ()
    mode: Mode = "measured"
    space: Space = "spot"
    measure: Measure = "expression"
    limits: Limits | None = None
    bound: float | None = None
    log: bool = True
    clip: float = 1.0
    colormap: str = "viridis"
    colour_by: str = ""
    hidden: frozenset[str] = frozenset()
    n_clusters: int = 6
    flicker_s: float = 0.8


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
    """Work that closing the window ends: its name for people, its folder, and options of `gr2st resume` for it.

    What has no folder cannot go on without the window. All goes on where it was when it is started again.
    """

    name: str
    folder: Path | None = None
    options: tuple[str, ...] = ()


@dataclass(eq=False)
class State:
    """The one state of a viewer; every dock reads it and speaks to it.

    `divider` is where one map ends and the other begins in "swipe": 0 to the left of all spots, 1 to the right.
    """

    events: ClassVar[SignalGroupDescriptor] = SignalGroupDescriptor()

    wish: Wish = Wish()
    opened: Opened | None = None
    expression: Expression | None = None
    facts: GeneFacts | None = None
    shelf: Shelf = field(default_factory=Shelf)
    classes: Classes | None = None
    spot: int | None = None
    divider: float = 0.5
    job: Job = Job()
    problem: Problem | None = None
    shown: Display | None = None
    notes: tuple[str, ...] = ()
    saved: Path | None = None
    draft: Draft = field(default_factory=Draft)
    train_draft: TrainDraft = field(default_factory=TrainDraft)
    training: Training = field(default_factory=Training)
    runs: RunsSeen = field(default_factory=RunsSeen)
    sketched: Sketched = field(default_factory=Sketched)
    desk: Desk = field(default_factory=Desk)
    evaluating: Job = Job()
    ranking: Ranking | None = None
    sheet: Sheet = field(default_factory=Sheet)
    why: Why = field(default_factory=Why)
    slide: SlideSheet = field(default_factory=SlideSheet)
