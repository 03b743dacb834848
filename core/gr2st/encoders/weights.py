"""Where the weights of an encoder lie on this machine, which ones they are, and how they get here."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from gr2st.encoder_specs import SAFETENSORS, TORCH_FILE, TimmFacts
from gr2st.errors import DataError, Gr2stError, StorageError, WeightsMissing
from gr2st.io.store import file_digest
from gr2st.types import Progress, Steps

if TYPE_CHECKING:
    from gr2st.registry import EncoderSpec

INSTALL = "pip install 'gr2st-napari[encoders]'"


def weights_dir() -> Path:
    """Folder of weights the user put there: GR2ST_WEIGHTS, or ``weights`` in the user's data folder."""
    base = os.environ.get("GR2ST_WEIGHTS")
    return Path(base) if base else Path(platformdirs.user_data_dir("gr2st", appauthor=False)) / "weights"


def facts_of(spec: EncoderSpec) -> TimmFacts:
    """The facts for timm of an encoder; DataError for one that is built without weights."""
    if spec.timm is None:
        raise DataError(f"The encoder {spec.name!r} is built without weights; there are none to find or to download.")
    return spec.timm


def find_weights(spec: EncoderSpec) -> Path | None:
    """The file of the encoder's weights: in `weights_dir`, else in the hub's cache; None where there is neither.

    Nothing is downloaded.
    """
    facts = facts_of(spec)
    own = (weights_dir() / spec.name / name for name in (SAFETENSORS, TORCH_FILE))
    return next((path for path in own if path.is_file()), None) or _in_hub_cache(facts)


def need_weights(spec: EncoderSpec) -> Path:
    """The file of the encoder's weights.

    Raises
    ------
    WeightsMissing
        They are not on this machine; the message lists the steps that bring them here.
    """
    path = find_weights(spec)
    if path is None:
        raise WeightsMissing(_how_to_get(spec))
    return path


def encoder_version(spec: EncoderSpec) -> str:
    """The encoder's version, with the digest of its weights file: other weights are another encoder.

    Raises
    ------
    WeightsMissing
        As `need_weights`.
    """
    return f"{spec.version}-{_digest(need_weights(spec))}" if spec.needs_weights else spec.version


def download_weights(spec: EncoderSpec) -> Steps[Path]:
    """Download the published weights with the user's own login into the hub's cache.

    Returns
    -------
    Path
        The file; where it was here already, nothing is downloaded.

    Raises
    ------
    DataError
        The encoder has no weights, huggingface_hub is not installed, or the hub did not give the file.
    WeightsMissing
        The licence was not accepted, or nobody is logged in.
    StorageError
        No space, or no permission.
    """
    facts = facts_of(spec)
    stage = f"Downloading the weights of {spec.name}"
    yield Progress(stage, 0, 1, note=f"{facts.files[0]} of {facts.hub}")
    path = find_weights(spec) or _from_hub(spec, facts)
    yield Progress(stage, 1, 1)
    return path


def _from_hub(spec: EncoderSpec, facts: TimmFacts) -> Path:
    try:
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError
    except ImportError as error:
        raise DataError(f"Downloading needs huggingface_hub, which is not installed: {INSTALL}.") from error
    try:
        return Path(hf_hub_download(facts.hub, facts.files[0]))
    except (GatedRepoError, RepositoryNotFoundError) as error:
        raise WeightsMissing(f"The hub refused {facts.hub} to this login.\n{_how_to_get(spec)}") from error
    except PermissionError as error:
        raise StorageError(f"The weights of {spec.name} could not be written: {error}.") from error
    except Gr2stError:
        raise
    # Hub, network and transfer raise errors of several libraries, which have nothing in common.
    except Exception as error:
        raise DataError(
            f"{facts.files[0]} of {facts.hub} could not be downloaded: {first_line(error)}. Try again when the hub "
            f"can be reached, or put the file into {weights_dir() / spec.name}."
        ) from error


def _in_hub_cache(facts: TimmFacts) -> Path | None:
    try:
        from huggingface_hub import try_to_load_from_cache
    except ImportError:
        return None
    found = (try_to_load_from_cache(facts.hub, name) for name in facts.files)
    return next((Path(path) for path in found if isinstance(path, str)), None)


def _how_to_get(spec: EncoderSpec) -> str:
    """What was wanted, what was found, and the steps to take, one per line."""
    facts = facts_of(spec)
    steps = [f"{'accept' if spec.gated else 'read'} the licence at {facts.page}"]
    steps += ["hf auth login"] if spec.gated else []
    steps += [f"gr2st encoders --download {spec.name}"]
    listed = "\n".join(f"  {number}. {step}" for number, step in enumerate(steps, start=1))
    return (
        f"The weights of the encoder {spec.name!r} are not on this machine (licence: {spec.licence}).\n"
        f"Looked for {SAFETENSORS} or {TORCH_FILE} in {weights_dir() / spec.name}, and for {facts.hub} in the "
        f"hub's cache; found neither. To get them:\n{listed}\n"
        f"Or put {' or '.join(facts.files)} of that page into {weights_dir() / spec.name}."
    )


def _digest(path: Path) -> str:
    stat = path.stat()
    return _digest_once(path, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=16)
def _digest_once(path: Path, size: int, changed: int) -> str:
    """Digest of a file of this size and time: gigabytes are read once, however often it is asked."""
    return file_digest(path)


def first_line(error: Exception) -> str:
    """What went wrong in one line, for the middle of a sentence."""
    return str(error).strip().split("\n", 1)[0].rstrip(".") or type(error).__name__
