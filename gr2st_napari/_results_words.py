"""Results in words: rows of the table of models, their names, what is best, and what a reader must know. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gr2st import MODELS
from gr2st_napari._results import model_scores

if TYPE_CHECKING:
    from gr2st_napari._results import ModelScore, Ranking, Results, Score
    from gr2st_napari._state import Space

REFERENCE_TITLES = {
    "ridge": "Ridge regression",
    "knn": "Most similar patches",
    "mean": "Training mean",
    "depth-oracle": "Depth oracle",
}
REFERENCE_WORDS = {
    "ridge": "The yardstick: every model is compared with it, slide by slide.",
    "knn": "What copying the most similar training patches gives.",
    "mean": "What one gets without looking at the slide. It has no correlation: it says the same everywhere.",
    "depth-oracle": "No model: it is told how many counts each spot has, which a slide does not show. A model below it "
    "may have learned no more than where tissue is dense.",
}
PART_WORDS = {
    "no-type": "cell types of the spots",
    "no-functional": "neighbours of similar expression",
    "no-spatial": "neighbours on the slide",
    "no-retrieval": "retrieval from training slides",
    "no-regression": "regression by the network",
    "no-kernel": "kernel branch",
    "no-network": "network (kernel branch alone)",
    "no-context": "surroundings in the kernel branch",
    "no-bias": "learned similarity of expression",
    "no-own-threshold": "threshold of each spot's own",
    "no-gate-context": "surroundings seen by the gate",
    "no-type-shares": "shares of cell types",
    "no-programmes": "gene programmes",
    "no-choice": "choice of settings on inner patients",
    "no-scaling": "scaling within the slide",
}
NO_SCORE = "-"


@dataclass(frozen=True, slots=True)
class ModelLine:
    """One model in the table of results."""

    label: str
    texts: tuple[str, ...]
    tip: str
    is_best: bool = False
    is_oracle: bool = False
    can_be_chosen: bool = True


def title_of(label: str) -> str:
    """A row of a table in words: the model, and what is left out of it."""
    model, _, part = label.partition(".")
    title = REFERENCE_TITLES.get(model, MODELS[model].title if model in MODELS else model)
    return f"{title}, without {PART_WORDS.get(part, part)}" if part else title


def model_lines(results: Results, space: Space) -> tuple[ModelLine, ...]:
    """The table of models in one space."""
    return tuple(_model_line(found, results, space) for found in model_scores(results, space))


def warnings_of(results: Results) -> tuple[str, ...]:
    """What a reader of the numbers must know, a sentence each."""
    told = results.summary.get("warnings")
    said = [results.summary.get("warning")] if told is None else told
    return tuple(str(sentence) for sentence in said if sentence)


def verdict_sentence(results: Results | None, space: Space) -> str:
    """The best model, and how much better than ridge it is."""
    found = () if results is None else model_scores(results, space)
    best = next((score for score in found if score.is_best), None)
    if best is None:
        return "no model has a score."
    words = f"{title_of(best.label)} is best, PCC {number(best.score.mean)}"
    if best.gain is None or best.gain.mean is None:
        return f"{words}."
    return f"{words}, {best.gain.mean:+.3f} to ridge."


def ranking_words(ranking: Ranking) -> str:
    """What the scores of the Genes dock are then."""
    return f"PCC of {ranking.label} over {count(ranking.n_held_out, 'held-out slide')}"


def number(value: float | None) -> str:
    """A score; a dash where it is undefined."""
    return NO_SCORE if value is None else f"{value:.3f}"


def count(number: int, what: str) -> str:
    """``1 training``, ``2 trainings``."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def _model_line(found: ModelScore, results: Results, space: Space) -> ModelLine:
    gain = "" if found.gain is None else _gain(found.gain)
    texts = (found.label.replace(".", "\n"), _mean(found.score), gain)
    return ModelLine(
        found.label,
        texts,
        _model_tip(found, results, space),
        found.is_best,
        found.is_oracle,
        bool(results.sections(found.label)),
    )


def _model_tip(found: ModelScore, results: Results, space: Space) -> str:
    row = results.summary["models"][found.label]
    told = row["interval"][f"pcc_{space}"]
    drawn = "" if told is None else f"\n95 % interval over {count(told['n'], told['unit'].rstrip('s'))}"
    about = REFERENCE_WORDS.get(found.label, "")
    return "\n".join(filter(None, (title_of(found.label), about))) + drawn


def _mean(score: Score) -> str:
    """A score, its interval below it."""
    if score.low is None or score.high is None:
        return number(score.mean)
    return f"{number(score.mean)}\n[{score.low:.2f}, {score.high:.2f}]"


def _gain(score: Score) -> str:
    """A difference, its interval below it."""
    if score.mean is None:
        return NO_SCORE
    if score.low is None or score.high is None:
        return f"{score.mean:+.3f}"
    return f"{score.mean:+.3f}\n[{score.low:+.3f}, {score.high:+.3f}]"
