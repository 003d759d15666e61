"""Streams one file from one company's system to the other's: counted, hashed, and stopped where it must not go on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace

from integrations.canonical import Attachment, FileTrace, Written
from integrations.connectors.errors import (
    ConnectorError,
    FileGone,
    FileSizeWrong,
    FileTooLarge,
    Garbled,
    Gone,
)
from integrations.connectors.protocol import Connector, FileDraft
from integrations.engine.effects import CarryFile
from integrations.mapping.files import too_large


class Passing(Iterator[bytes]):
    """A file's chunks on their way, counted and hashed.

    Raises FileSizeWrong at the first byte over what the file's system announced: the receiver was told that length, so
    what it has got is not a whole request and comes to nothing.  What the file's own system says is marked as such.
    """

    def __init__(self, chunks: Iterator[bytes], size_bytes: int) -> None:
        self._chunks = chunks
        self._announced = size_bytes
        self._hash = hashlib.sha256()
        self._count = 0
        # Read before the receiver is called: where there is no file, nothing is begun there.
        self._first: bytes | None = self._next()

    def __next__(self) -> bytes:
        chunk, self._first = self._first, None
        if chunk is None:
            chunk = self._next()
        if chunk is None:
            raise StopIteration
        self._hash.update(chunk)
        return chunk

    def _next(self) -> bytes | None:
        try:
            chunk = next(self._chunks, None)
        except Gone as error:
            gone = FileGone("It was taken away before it could be carried.", status=error.status)
            gone.is_of_source = True
            raise gone from error
        except ConnectorError as error:
            error.is_of_source = True
            raise
        if chunk is None and self._count < self._announced:
            short = Garbled("The file ended before its time.")
            short.is_of_source = True
            raise short
        self._count += len(chunk or b"")
        if self._count > self._announced:
            raise FileSizeWrong("It is longer than its own system says, so it was not carried.")
        return chunk

    @property
    def trace(self) -> FileTrace | None:
        """What travelled; None while not all of it has."""
        if self._count < self._announced or self._first is not None:
            return None
        return FileTrace(self._hash.hexdigest(), self._count)


def carry(call: CarryFile, source: Connector, target: Connector) -> Written:
    """Stream the file; it never rests here.  FileTooLarge before anything is opened.

    An error that leaves the outcome unknown holds the trace when all of the file had left.
    """
    attachment = call.attachment
    assert attachment is not None
    limit_bytes = call.limit_bytes or target.capabilities.max_attachment_bytes
    if attachment.size_bytes > limit_bytes:
        raise FileTooLarge(too_large(limit_bytes).reason)
    if call.text is not None:
        chunks = iter([call.text.encode()])
    else:
        chunks = source.open_attachment(attachment)
    passing = Passing(chunks, attachment.size_bytes)
    try:
        written = target.attach(call.remote_id, _draft(call, attachment, passing, limit_bytes))
    except ConnectorError as error:
        error.file = passing.trace if error.outcome_unknown else None
        raise
    return replace(written, file=passing.trace)


def _draft(call: CarryFile, attachment: Attachment, chunks: Iterator[bytes], limit_bytes: int) -> FileDraft:
    return FileDraft(
        name=attachment.name,
        content_type=attachment.content_type,
        size_bytes=attachment.size_bytes,
        chunks=chunks,
        is_public=call.is_public,
        marker=call.marker,
        limit_bytes=limit_bytes,
    )
