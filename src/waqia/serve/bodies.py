"""Bodies in: read with a bound on size and time, and the texts they ask about proved one by one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from waqia.document.facts import parse_date
from waqia.errors import ConfigError, RecordError
from waqia.labels import LabelSet
from waqia.model.calibration import AtLeast, Calibration
from waqia.schema import Reading
from waqia.serve.guard import RefusedError
from waqia.serve.settings import Settings

OURS = ("text", *Reading.__dataclass_fields__)  # never carried along from a request
DRAIN = 8  # times the bound that is read and thrown away, so that ordinary clients get to see the answer


@dataclass(frozen=True, slots=True)
class Item:
    """A text that was asked about; `carried` are its other fields, `fault` says why it cannot be read."""

    text: str
    date: str | None
    carried: dict[str, Any]
    fault: str | None = None
    status: int = 422  # of a request that holds this item alone, if it has a fault
    at_least: AtLeast = None


async def body(request: Request, settings: Settings) -> bytes:
    """The whole body; RefusedError 413 where it is too long, 408 where it does not come in time."""
    raw = bytearray()
    size = 0
    try:
        async with asyncio.timeout(settings.timeout):
            async for chunk in request.stream():
                size += len(chunk)
                if size > DRAIN * settings.body_bytes:
                    break
                if size <= settings.body_bytes:
                    raw += chunk
    except TimeoutError:
        raise RefusedError(408, f"the body did not come within {settings.timeout:g} s") from None
    if size > settings.body_bytes:
        raise RefusedError(413, f"the body has more than {settings.body_bytes} bytes; send fewer texts at once, or use /v1/read/stream")
    return bytes(raw)


def media_type(request: Request, *allowed: str) -> None:
    """RefusedError 415 unless the body says that it is one of the media types.

    A page of another site can send a form or plain text without asking, JSON it cannot.
    """
    found = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if found not in allowed:
        raise RefusedError(415, f"content-type is {found or 'missing'!r}, expected {' or '.join(allowed)}")


def decode(raw: bytes) -> Any:
    """JSON from bytes; ValueError says what is wrong without quoting any of it."""
    try:
        return json.loads(raw.decode("utf-8-sig"), parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise ValueError(f"byte {error.start} is no UTF-8") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"no JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise ValueError("no JSON: nested too deep") from None


def _no_constant(name: str) -> Any:
    raise ValueError(f"no JSON: {name} is no number of JSON")


def items(fields: Any, settings: Settings, labels: LabelSet) -> tuple[list[Item], bool]:
    """The items of a request, and whether it asked about many; RefusedError 422 or 413 where the request itself is wrong."""
    if not isinstance(fields, dict) or ("text" in fields) == ("texts" in fields):
        raise RefusedError(422, 'expected {"text": …} for one text or {"texts": […]} for many')
    if "text" in fields:
        one = item(fields, settings, labels)
        if one.fault is not None:
            raise RefusedError(one.status, one.fault)
        return [one], False
    rows = fields["texts"]
    if not set(fields) <= {"texts", "at_least"} or not isinstance(rows, list):
        beside = "texts must be a list, with nothing but at_least beside it: ids and dates belong to each text"
        raise RefusedError(422, beside + ', {"text": …, "date": …}')
    common = fields.get("at_least")
    if (fault := _no_threshold(common, labels)) is not None:
        raise RefusedError(422, fault)
    if len(rows) > settings.texts:
        raise RefusedError(413, f"{len(rows)} texts in one request, {settings.texts} are allowed; send several, or use /v1/read/stream")
    return [item(row, settings, labels, at_least=common) for row in rows], True


def item(row: Any, settings: Settings, labels: LabelSet, *, at_least: AtLeast = None) -> Item:
    """One text, given as text or as an object with `text` and perhaps `date` and `at_least`; what is wrong with it stands in `fault`."""
    if isinstance(row, str):
        row = {"text": row}
    if not isinstance(row, dict):
        return Item("", None, {}, f"found {type(row).__name__}, expected text or an object with text")
    carried = {key: value for key, value in row.items() if key not in OURS}
    text, date = row.get("text"), row.get("date")
    if not isinstance(text, str):
        return Item("", None, carried, f"text is {type(text).__name__}, expected text")
    if len(text) > settings.text_characters:
        return Item("", None, carried, f"the text has {len(text)} characters, {settings.text_characters} are allowed; cut it", 413)
    try:
        parse_date(date)
    except RecordError as error:
        return Item("", None, carried, str(error))
    asked = row["at_least"] if row.get("at_least") is not None else at_least
    if (fault := _no_threshold(asked, labels)) is not None:
        return Item("", None, carried, fault)
    return Item(text, date, carried, at_least=asked)


def _no_threshold(asked: Any, labels: LabelSet) -> str | None:
    try:
        Calibration.plain(labels).at_least(asked)
        return None
    except ConfigError as error:
        return str(error)


async def lines(chunks: AsyncIterator[bytes], limit: int) -> AsyncIterator[bytes | None]:
    """The lines of a stream without their ends, never holding more than `limit` bytes of one; None stands for a line above it."""
    held, skipping = bytearray(), False
    async for chunk in chunks:
        *whole, rest = chunk.split(b"\n")
        for part in whole:
            long = skipping or len(held) + len(part) > limit
            yield None if long else bytes(held + part)
            held, skipping = bytearray(), False
        skipping = skipping or len(held) + len(rest) > limit
        held = bytearray() if skipping else held + rest
    if held or skipping:
        yield None if skipping else bytes(held)
