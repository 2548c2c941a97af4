"""The hub over HTTP: the mailbox for members, and studies and evidence for people on the same machine.

Until people have identities of their own, the hub listens on its own machine only, so whoever proposes a study or
reads evidence is already there. Every message of a member is signed.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.middleware.trustedhost import TrustedHostMiddleware
from fastapi.responses import JSONResponse

from vitrail.errors import LedgerError, NodeError, NotTaken, StoreError, VitrailError, WireError
from vitrail.hub.exchange import Exchange, envelope_of
from vitrail.hub.learn import advance
from vitrail.hub.registry import Registry
from vitrail.hub.status import evidence, evidence_list, status
from vitrail.study.signed import read
from vitrail.study.study import Study
from vitrail.study.word import Digest
from vitrail.transport import MAX_POST_BYTES, Message

T = TypeVar("T")
log = logging.getLogger(__name__)


class Bell:
    """Wakes the polls that wait for a message."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Event] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    def ring(self) -> None:
        """Wake everybody; from any thread."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._wake)

    async def first(self, look: Callable[[], Awaitable[Sequence[T]]], seconds: float) -> Sequence[T]:
        """What ``look`` finds, at once or after a ring; nothing after ``seconds``."""
        self._loop = asyncio.get_running_loop()
        rung, until = asyncio.Event(), self._loop.time() + seconds
        self._waiting.add(rung)
        try:
            while True:
                rung.clear()  # before looking: a ring in between must not be lost
                if (found := await look()) or self._loop.time() >= until:
                    return found
                with suppress(TimeoutError):
                    await asyncio.wait_for(rung.wait(), until - self._loop.time())
        finally:
            self._waiting.discard(rung)

    def _wake(self) -> None:
        for waiting in self._waiting:
            waiting.set()


class Hub:
    """A hub at work: one thread takes studies on, one after the other, so that no two steps of a study cross."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.bell = Bell()
        self.exchange = Exchange(registry, self.advance)
        self._worker = ThreadPoolExecutor(1, "learn")

    def advance(self, study: Digest) -> None:
        """Take a study on, soon."""
        self._worker.submit(self._advance, study)

    def resume(self) -> None:
        """Take every study on: after a crash, each goes on from what the database holds."""
        for study in self.registry.studies():
            self.advance(study)

    def stop(self) -> None:
        """Finish what was begun. Were it cut short, the next start would take it up."""
        self._worker.shutdown()

    def _advance(self, study: Digest) -> None:
        try:
            advance(self.registry, study)
        except Exception as error:  # one study's trouble must not stop the others
            log.exception("A study could not go on.")
            self.registry.fail(study, f"An error in the hub itself ({type(error).__name__}); see its log.")
        self.bell.ring()


def service(hub: Hub) -> FastAPI:
    """The hub as an application."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        hub.resume()
        yield
        hub.stop()

    app = FastAPI(title="Vitrail hub", openapi_url=None, lifespan=lifespan)
    app.state.hub = hub
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])  # no name of a web site
    app.add_exception_handler(VitrailError, _problem)
    app.include_router(routes)
    return app


routes = APIRouter()


@routes.get("/")
def hub(request: Request) -> Response:
    """Which hub this is: the id of its key."""
    return JSONResponse({"hub": _hub(request).registry.key.public.id})


@routes.post("/messages")
async def post(request: Request) -> Response:
    """A member's envelope; 200 once the hub has it for good."""
    envelope = envelope_of(await _content(request))
    await run_in_threadpool(_hub(request).exchange.take, envelope)
    return JSONResponse({"taken": True})


@routes.post("/poll")
async def poll(request: Request) -> Response:
    """A member's messages, at once or when there are any."""
    hub, envelope = _hub(request), envelope_of(await _content(request))
    asked = await run_in_threadpool(hub.exchange.checked, envelope)

    async def look() -> Sequence[Message]:
        return await run_in_threadpool(hub.registry.messages, asked.member, asked.after)

    messages = await hub.bell.first(look, asked.wait)
    return JSONResponse({"messages": [{"seq": each.seq, "envelope": each.envelope} for each in messages]})


@routes.post("/studies")
async def propose(request: Request) -> Response:
    """A study to put to all members; its id."""
    hub, study = _hub(request), read(await _content(request), "study", Study)
    identity = await run_in_threadpool(hub.registry.propose, study)
    hub.advance(identity)
    return JSONResponse({"study": identity})


@routes.get("/studies")
def studies(request: Request) -> Response:
    """How far every study is."""
    registry = _hub(request).registry
    return JSONResponse([status(registry, study) for study in registry.studies()])


@routes.get("/studies/{study}")
def study_status(request: Request, study: str) -> Response:
    """How far a study is."""
    return JSONResponse(status(_hub(request).registry, study))


@routes.get("/evidence")
def all_evidence(request: Request) -> Response:
    """What evidence there is."""
    return JSONResponse(evidence_list(_hub(request).registry))


@routes.get("/evidence/{name}")
def one_evidence(request: Request, name: str) -> Response:
    """One signed evidence with its study, by the id of either."""
    return JSONResponse(evidence(_hub(request).registry, name))


def _hub(request: Request) -> Hub:
    hub: Hub = request.app.state.hub
    return hub


async def _content(request: Request) -> bytes:
    """The request's body, up to the largest message. Only as JSON: a page in a browser may not send that elsewhere."""
    if request.headers.get("content-type") != "application/json":
        raise WireError("The message is not sent as application/json.", "Send it so.")
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > MAX_POST_BYTES:
            raise WireError("The message is too large.", "Send less than 16 MiB.")
    return bytes(content)


STATUS: dict[type[Exception], int] = {
    WireError: 400, NotTaken: 403, NodeError: 404, StoreError: 503, LedgerError: 503,
}  # fmt: skip
"""The HTTP status of each kind of problem: 4xx where the request is wrong for good, 503 where the hub is unwell."""


def _problem(_: Request, error: Exception) -> Response:
    what, do = (error.what, error.do) if isinstance(error, VitrailError) else ("", "")
    return JSONResponse({"what": what, "do": do}, STATUS.get(type(error), 422))
