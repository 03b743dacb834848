"""Which section and which prediction belong together."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gr2st import is_prediction_of

if TYPE_CHECKING:
    from gr2st_napari._expression import Expression
    from gr2st_napari._opening import Opened


def joined(section_side: Opened, prediction_side: Opened) -> Opened:
    """The section of one with the prediction of the other."""
    return replace(section_side, prediction=prediction_side.prediction, prediction_path=prediction_side.prediction_path)


def belong_together(opened: Opened) -> bool:
    """Whether the prediction is of this section, or one of the two is missing."""
    section, prediction = opened.section, opened.prediction
    return section is None or prediction is None or is_prediction_of(prediction, section)


def is_of_another_section(opened: Opened) -> bool:
    """Whether the prediction names another section of the open study."""
    section, prediction, study = opened.section, opened.prediction, opened.study
    if section is None or prediction is None or study is None or prediction.section == section.name:
        return False
    return prediction.section in study.names


def strangers(opened: Opened) -> str:
    """What to tell of a prediction that is not of this section."""
    assert opened.section is not None
    assert opened.prediction is not None
    return (
        f"The prediction is of section {opened.prediction.section}, not of {opened.section.name} as it is open here: "
        "open the section it was made for."
    )


def same_spots(one: Opened, other: Opened) -> bool:
    """Whether both show the same spots, so that layers can stay."""
    if one.section is None and other.section is None:
        same_slide = (one.slide and one.slide.path) == (other.slide and other.slide.path)
        return one.prediction is other.prediction and same_slide
    return one.section is other.section


def belongs(expression: Expression | None, opened: Opened) -> bool:
    """Whether an expression is that of what is open now, not of what was open a moment ago."""
    return (
        expression is not None and expression.section is opened.section and expression.prediction is opened.prediction
    )


def is_drawn(opened: Opened | None, expression: Expression | None) -> bool:
    """Whether all of what is open is on the canvas: a slide is there at once, its spots some turns later."""
    return opened is None or opened.is_slide_alone or belongs(expression, opened)
