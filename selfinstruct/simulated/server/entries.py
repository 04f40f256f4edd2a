"""The cached answers of one simulated server, each as the bytes to send, found by the request's bytes."""

import hashlib
import json
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from selfinstruct.simulated.mind.draws import chance
from selfinstruct.simulated.server.replies import Reply
from selfinstruct.simulated.server.requests import Refused
from selfinstruct.simulated.server.sending import Prepared
from selfinstruct.simulated.settings import SimulatedSettings

_CACHE_BYTES = 64 * 2**20

Answering = Callable[[dict[str, Any], SimulatedSettings, bytes], Reply]


@dataclass(frozen=True)
class Entry:
    """A prepared answer: the digest of the canonical request, the body and the whole response."""

    digest: bytes
    request_id: str
    body: bytes
    malformed: int
    prompt_tokens: int
    completion_tokens: int
    reserved_tokens: int
    response: Prepared


class Entries:
    """The most recent answers, up to 64 MiB; others are composed again, with the same result."""

    def __init__(self, settings: SimulatedSettings):
        self._settings = settings
        self._entries: OrderedDict[bytes, Entry] = OrderedDict()
        self._bytes = 0

    def find(self, raw: bytes, answering: Answering) -> Entry:
        """Find or compose the answer to a request's bytes; raises Refused."""
        key = hashlib.sha256(raw).digest() + answering.__name__.encode()
        if entry := self._entries.get(key):
            self._entries.move_to_end(key)
            return entry
        try:
            body = json.loads(raw)
            canonical = json.dumps(body, sort_keys=True, separators=(",", ":"))
        except (ValueError, RecursionError) as error:
            raise Refused(400, "We could not parse the JSON body of your request.") from error
        if not isinstance(body, dict):
            raise Refused(400, "The body of a request must be a JSON object.")
        digest = hashlib.sha256(canonical.encode()).digest()
        reply = answering(body, self._settings, digest)
        name = f"req_{digest[:16].hex()}"
        data = json.dumps(reply.body, separators=(",", ":")).encode()
        usage = reply.body["usage"]
        entry = self._entries[key] = Entry(
            digest=digest,
            request_id=name,
            body=data,
            malformed=reply.malformed,
            prompt_tokens=usage["prompt_tokens"],
            completion_tokens=usage["completion_tokens"],
            reserved_tokens=reply.reserved_tokens,
            response=Prepared(data, name),
        )
        self._bytes += len(data)
        while self._bytes > _CACHE_BYTES and len(self._entries) > 1:
            self._bytes -= len(self._entries.popitem(last=False)[1].body)
        return entry

    def check(self, entry: Entry) -> None:
        """Raise Refused for a request that is refused at every attempt."""
        limit = self._settings.too_long_tokens
        if limit and entry.prompt_tokens > limit:
            message = f"This model's maximum context length is {limit} tokens. However, your messages resulted in "
            raise Refused(400, f"{message}{entry.prompt_tokens} tokens.", "messages", "context_length_exceeded")
        if self._settings.poison_share and chance(entry.digest, "poison") < self._settings.poison_share:
            raise Refused(400, "This request cannot be processed.")
