"""POST /v1/read/stream: a line of JSON in, a line out, in order, as many as the client likes, in constant memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive, Scope, Send

from waqia.records import dump_row
from waqia.schema import Reading
from waqia.serve.answers import Answers
from waqia.serve.bodies import Item, decode, item, lines, media_type
from waqia.serve.queue import StoppingError
from waqia.serve.settings import Settings

AHEAD = 64  # lines taken in before the first of them is answered
BYTES_A_CHARACTER = 12  # of JSON at the most: an escaped pair of surrogates
MEDIA_TYPE = "application/x-ndjson"

_Waiting = tuple[Item, "asyncio.Future[Reading] | None"] | str  # a row to answer, or what the last row says


class StreamRead:
    """The endpoint (ASGI): one task takes lines in as long as there is room, another sends the answers."""

    def __init__(self, settings: Settings, answers: Callable[[], Answers]) -> None:
        self._settings, self._opened = settings, answers
        self._feeds: set[asyncio.Task[None]] = set()

    @property
    def _answers(self) -> Answers:
        return self._opened()

    def refuse(self) -> None:
        """Take no further line from anyone; what was taken is answered, and a last row says that the service stops."""
        for feed in self._feeds:
            feed.cancel()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        media_type(request, MEDIA_TYPE, "application/json", "application/jsonl")
        self._answers.check_open()
        waiting: asyncio.Queue[_Waiting] = asyncio.Queue(AHEAD)
        feed = asyncio.create_task(self._feed(request, waiting))
        self._feeds.add(feed)
        headers = [(b"content-type", MEDIA_TYPE.encode())]
        try:
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            async for row in self._rows(waiting, scope["state"]["seen"].fields):
                await send({"type": "http.response.body", "body": (dump_row(row) + "\n").encode(), "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            self._feeds.discard(feed)
            feed.cancel()
            while not waiting.empty():
                left = waiting.get_nowait()
                if not isinstance(left, str) and left[1] is not None:
                    left[1].cancel()

    async def _feed(self, request: Request, waiting: asyncio.Queue[_Waiting]) -> None:
        """Lines into the queue until they end; the last thing put there says how they ended ("" as they should)."""
        last = ""
        try:
            async for line in lines(self._chunks(request), BYTES_A_CHARACTER * self._settings.text_characters):
                if line is None or line.strip():
                    one = self._item(line)
                    asked = one.text, one.date, one.at_least
                    await waiting.put((one, None if one.fault else await self._answers.queue.submit_when_room(asked)))
        except TimeoutError:
            last = f"no line came for {self._settings.timeout:g} s; the lines before were answered"
        except ClientDisconnect:
            last = "the connection broke off"
        except (asyncio.CancelledError, StoppingError):
            last = "the service is stopping; send the lines that have no answer again"
        await waiting.put(last)

    async def _chunks(self, request: Request) -> AsyncIterator[bytes]:
        chunks = request.stream()
        while True:
            async with asyncio.timeout(self._settings.timeout):
                chunk = await anext(chunks, None)
            if chunk is None:
                return
            yield chunk

    def _item(self, line: bytes | None) -> Item:
        if line is None:
            return Item("", None, {}, f"the line is too long: a text may have {self._settings.text_characters} characters")
        try:
            return item(decode(line), self._settings, self._answers.labels)
        except ValueError as error:
            return Item("", None, {}, str(error))

    async def _rows(self, waiting: asyncio.Queue[_Waiting], told: dict[str, int]) -> AsyncIterator[dict[str, Any]]:
        number = 0
        while not isinstance(head := await waiting.get(), str):
            number += 1
            one, future = head
            yield {"row": number, **self._answers.row(one, await self._answers.reading(one, future), told)}
        if head:
            yield {"row": number + 1, "error": head}
