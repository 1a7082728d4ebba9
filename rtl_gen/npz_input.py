"""The one way npz archives from users are read: integers only, errors that name the file."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtl_gen.errors import UserError
from rtl_gen.formats.checks import as_integers


def load_integers(path: Path | str) -> dict[str, NDArray[np.int64]]:
    """All arrays of an npz archive, by name, as int64.

    Raises
    ------
    UserError
        When the file can't be read, is damaged or no archive, or holds what is not integers.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()  # numpy alone does not read every byte, nor every checksum
            if damaged is not None:
                raise zipfile.BadZipFile(f"{damaged} is damaged")
        with np.load(Path(path), allow_pickle=False) as data:
            arrays = {name: np.asarray(data[name]) for name in data.files}
    except Exception as error:  # both raise a dozen kinds over damaged bytes
        raise UserError(f"{path} must be a readable npz archive: {error}") from error
    return {name: as_integers(f"{path}: {name}", array) for name, array in arrays.items()}
