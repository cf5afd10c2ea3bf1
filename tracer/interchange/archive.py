"""The zip around a bundle: written so that the same run gives the same bytes, read as hostile.

Members are `manifest.json`, `trace.json` and `blobs/<sha256>`, nothing else. Nothing is ever
extracted to a path of the file's choosing.
"""

import hashlib
import os
import re
import struct
import zipfile
import zlib
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from tracer.errors import BadFileError

MANIFEST = "manifest.json"
TRACE = "trace.json"
_BLOB = re.compile(r"blobs/[0-9a-f]{64}\Z")
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest a zip can say; when it was exported is not content

MAX_FILE = 1 << 30
MAX_MEMBERS = 300_000
MAX_MEMBER = 512 << 20
MAX_TOTAL = 4 << 30
FREE_TOTAL = 64 << 20  # up to this size no ratio is suspicious
MAX_RATIO = 200
_DIRECTORY_ENTRY = 46 + 80  # bytes a member of ours takes in the zip's directory, and some


class ArchiveWriter:
    """Writes members one by one into a file beside `path`, which replaces it at the end."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._part = path.with_name(f".{path.name}.{os.getpid()}.part")
        self._blobs: set[str] = set()
        self.bytes = 0
        try:
            self._zip = zipfile.ZipFile(self._part, "w", zipfile.ZIP_DEFLATED)
        except OSError as error:
            raise BadFileError(
                f"can't write {path} ({error.strerror}): choose another place with -o"
            ) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._zip.close()
        if kind is None:
            self._part.replace(self._path)
        else:
            self._part.unlink(missing_ok=True)

    @property
    def blobs(self) -> int:
        """How many blobs were written."""
        return len(self._blobs)

    def blob(self, data: bytes) -> str:
        """Write a payload once; returns its name, the sha256."""
        name = hashlib.sha256(data).hexdigest()
        if name not in self._blobs:
            self._blobs.add(name)
            self.member(f"blobs/{name}", data)
        return name

    def member(self, name: str, data: bytes) -> None:
        """Write a member, with the same date and rights in every export."""
        info = zipfile.ZipInfo(name, _EPOCH)
        info.compress_type = zipfile.ZIP_DEFLATED
        info.create_system = 3  # as on Unix, wherever it is written
        info.external_attr = 0o644 << 16
        self.bytes += len(data)
        self._zip.writestr(info, data)


class ArchiveReader:
    """Reads members of a bundle within limits; every surprise is a BadFileError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = path.open("rb")
        except OSError as error:
            raise BadFileError(f"can't read {path} ({error.strerror}): check the name") from None
        try:
            _check_size(self._file, path)
            self._zip = zipfile.ZipFile(self._file)
            self._members = _checked_members(self._zip, path)
        except (zipfile.BadZipFile, ValueError, struct.error, NotImplementedError, EOFError):
            self._file.close()
            raise BadFileError(
                f"{path} is no tracer bundle or is damaged: export it again with `tracer export`"
            ) from None
        except BadFileError:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._zip.close()
        self._file.close()

    @property
    def blob_names(self) -> list[str]:
        """The sha256 of every blob in the file."""
        return [name.removeprefix("blobs/") for name in self._members if _BLOB.match(name)]

    def blob(self, name: str) -> bytes:
        """A payload; its content is checked against its name."""
        data = self.member(f"blobs/{name}")
        if hashlib.sha256(data).hexdigest() != name:
            raise BadFileError(
                f"{self.path} is damaged or was changed: payload {name[:12]} has another hash"
            )
        return data

    def member(self, name: str) -> bytes:
        """The bytes of a member, whatever size it claims to have."""
        info = self._members.get(name)
        if info is None:
            raise BadFileError(f"{self.path} is no tracer bundle: it has no {name[:80]}")
        try:
            with self._zip.open(info) as file:
                data = file.read(info.file_size + 1)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError):
            raise BadFileError(
                f"{self.path} is damaged ({name[:80]} can't be read): export it again"
            ) from None
        if len(data) != info.file_size:
            raise BadFileError(f"{self.path} is damaged: {name[:80]} has another size than it says")
        return data


def _check_size(file: BinaryIO, path: Path) -> None:
    """Refuse by the file's own size and its directory's, before the directory is read."""
    file.seek(0, os.SEEK_END)
    size = file.tell()
    if size > MAX_FILE:
        raise BadFileError(f"{path} is {size >> 20} MB: a bundle may be up to {MAX_FILE >> 20} MB")
    tail_length = min(size, 65_557)  # the end record with the longest comment
    file.seek(size - tail_length)
    tail = file.read(tail_length)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0:
        raise BadFileError(
            f"{path} is no tracer bundle: `tracer import` reads what `tracer export` wrote"
        )
    (directory,) = struct.unpack_from("<L", tail, at + 12)
    if directory == 0xFFFFFFFF or directory > MAX_MEMBERS * _DIRECTORY_ENTRY:
        raise BadFileError(f"{path} has too many members: a bundle may have {MAX_MEMBERS}")
    file.seek(0)


def _checked_members(archive: zipfile.ZipFile, path: Path) -> dict[str, zipfile.ZipInfo]:
    members: dict[str, zipfile.ZipInfo] = {}
    packed = total = 0
    for info in archive.infolist():
        name = info.filename
        if name not in (MANIFEST, TRACE) and not _BLOB.match(name):
            raise BadFileError(f"{path} is no tracer bundle: it holds {name[:80]!r}")
        if name in members or info.flag_bits & 0x1:
            raise BadFileError(f"{path} is no tracer bundle: {name[:80]} is there twice or locked")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise BadFileError(f"{path} is no tracer bundle: {name[:80]} is packed in another way")
        members[name] = info
        packed += info.compress_size
        total += info.file_size
        if info.file_size > MAX_MEMBER:
            raise BadFileError(f"{path} holds more than may be imported: {name[:80]} is too large")
    if len(members) > MAX_MEMBERS or total > MAX_TOTAL:
        raise BadFileError(f"{path} holds more than may be imported ({total >> 20} MB)")
    if total > FREE_TOTAL and total > MAX_RATIO * packed:
        raise BadFileError(
            f"{path} would unpack to {total >> 20} MB from {packed >> 10} kB: that is no recording"
        )
    return members
