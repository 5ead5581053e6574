"""One member of a zip or tar archive (standard library only)."""

import gzip
import lzma
import shutil
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path

from neurocompare.fetching.failures import Failed

_BLOCK = 1 << 18
_DAMAGE = (
    zipfile.BadZipFile,
    gzip.BadGzipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    ValueError,
    NotImplementedError,
    RuntimeError,
)


class Damaged(Failed):
    """An archive that cannot be read."""


def extract(archive: Path, member: str, target: Path) -> None:
    """Copy one member of an archive; no name from inside the archive is ever used as a path.

    Parameters
    ----------
    archive : Path
        A zip or (compressed) tar archive.
    member : str
        The path inside the archive, or the end of that path if just one file ends so.
    target : Path
        Where to put the content.

    Raises
    ------
    Damaged
        If the file is no archive, or a broken one.
    Failed
        If not just one file matches.
    """
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as opened:
                infos = {info.filename: info for info in opened.infolist() if not info.is_dir()}
                with opened.open(infos[_matching(list(infos), member)]) as stream:
                    _copy(stream, target)
        elif tarfile.is_tarfile(archive):
            with tarfile.open(archive) as opened:
                infos = {info.name: info for info in opened if info.isfile()}
                with opened.extractfile(infos[_matching(list(infos), member)]) as stream:
                    _copy(stream, target)
        else:
            raise Damaged("not a zip or tar archive")
    except _DAMAGE as error:
        raise Damaged(f"damaged archive ({error})") from error
    except OSError as error:
        # The module for bz2 tells damage so, without a number; with one, it is the disk.
        if error.errno is not None:
            raise
        raise Damaged(f"damaged archive ({error})") from error


def _matching(names: list[str], member: str) -> str:
    if member in names:
        return member
    found = [name for name in names if name.endswith(f"/{member}")]
    if len(found) != 1:
        raise Failed(f"{len(found)} files in the archive match '{member}'")
    return found[0]


def _copy(stream, target: Path) -> None:
    with open(target, "wb") as file:
        shutil.copyfileobj(stream, file, _BLOCK)
