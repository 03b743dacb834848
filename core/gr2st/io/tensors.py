"""Files of tensors: safetensors, or torch's own read as tensors alone. No code from a file is ever run."""

from __future__ import annotations

import pickle
import re
import zipfile
from typing import TYPE_CHECKING, Any, TypeAlias

from gr2st.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from torch import Tensor

    State: TypeAlias = dict[str, Tensor]

NAMED = 3
"""Names of parameters that an error shows."""

_OBJECT = re.compile(r"GLOBAL (\S+)")


def read_tensors(path: Path, *, inside: Sequence[str] = ()) -> State:
    """Tensors by name; large files are mapped, not read, so leave the file in place while they are used.

    Parameters
    ----------
    path : Path
        A .safetensors file, or one that torch wrote.
    inside : sequence of str
        Keys below which a training script may have put them, beside its epoch and its optimiser.

    Raises
    ------
    DataError
        It is neither, is damaged, holds something else than tensors by name, or Python objects that only code of the
        file could make.
    """
    content = _content(path)
    if isinstance(content, dict):
        content = next((content[key] for key in inside if isinstance(content.get(key), dict)), content)
    if isinstance(content, dict) and content and all(_is_tensor(value) for value in content.values()):
        return content
    keys = f" with {_some(sorted(map(str, content)))}" if isinstance(content, dict) and content else ""
    raise DataError(
        f"{path} holds {type(content).__name__}{keys}, wanted tensors by name: get the published file again."
    )


def faults_of(wanted: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> list[str]:
    """What keeps some tensors from filling a network: how many are missing, unexpected, of another shape, and which."""
    faults = {
        "missing": sorted(set(wanted) - set(found)),
        "unexpected": sorted(set(found) - set(wanted)),
        "of another shape": [
            f"{name} {tuple(found[name].shape)} for {tuple(wanted[name].shape)}"
            for name in sorted(set(wanted) & set(found))
            if found[name].shape != wanted[name].shape
        ],
    }
    return [f"{len(names)} {fault} ({_some(names)})" for fault, names in faults.items() if names]


def _content(path: Path) -> Any:
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except pickle.UnpicklingError as error:
        raise DataError(f"{path} holds no weights that can be read{_why_refused(error)}") from error
    # What a damaged pickle makes torch raise depends on where it is damaged.
    except (SafetensorError, RuntimeError, OSError, EOFError, ValueError, LookupError) as error:
        told = str(error).strip().split("\n", 1)[0].rstrip(".") or type(error).__name__
        raise DataError(f"{path} holds no weights that can be read ({told}): get the file again.") from error


def _why_refused(error: pickle.UnpicklingError) -> str:
    match = _OBJECT.search(str(error))
    if match is None:
        return " (it is no file of torch, or is damaged): get the file again."
    return (
        f": it holds Python objects ({match[1]}), which code would have to make, and no code from a file is run here. "
        'Where the file was made, save its tensors alone: torch.save(model.state_dict(), "weights.pt").'
    )


def _is_tensor(value: Any) -> bool:
    from torch import Tensor

    return isinstance(value, Tensor)


def _some(names: list[str]) -> str:
    return ", ".join(names[:NAMED]) + (", ..." if len(names) > NAMED else "")
