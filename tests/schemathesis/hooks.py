"""What the fuzzing needs besides the document: the format of JSON text, and things that exist."""

import json
import os
import uuid
import zlib

import requests
import schemathesis
from hypothesis import strategies as st

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children, max_size=3),
    max_leaves=5,
)
schemathesis.openapi.format("json", values.map(json.dumps))

KEY = {"Authorization": os.environ["COUNTERFOIL_KEY"]}
GUILD, PERSON, TYPE = "990011223344556677", "990011223344556678", "fuzzed"


def make(case, path, **body):
    answer = requests.post(case.operation.base_url.rstrip("/") + path, json=body, headers=KEY)
    answer.raise_for_status()
    return answer.json()


def existing(case):
    """A new ticket, a person and a channel: what a request may name to succeed."""
    user = make(case, "/user/new", userDiscordId=PERSON)["user"]
    make(case, "/tickets/create/channel", ticketType=TYPE, guildId=GUILD, channelId=GUILD)
    claimer = {} if case.path == "/tickets/claim" else {"claimedBy": PERSON}
    ticket = make(case, "/tickets/create", ticketType=TYPE, guildId=GUILD, ticketOwner=PERSON, **claimer)["ticket"]
    return {
        "shortId": ticket["ticketShortId"],
        "ticketName": ticket["ticketName"],
        "ticketType": TYPE,
        "guildId": GUILD,
        "discordId": PERSON,
        "userId": user["userId"],
        "expectedVersion": ticket["version"],
    }


def new():
    """Ids and names that nothing has yet: with these a create succeeds."""
    ids = ("userId", "ticketId", "id", "ticketShortId", "ticketName")
    return {
        **{name: str(uuid.uuid4()) for name in ids},
        **{name: str(uuid.uuid4().int)[:18] for name in ("userDiscordId", "guildId")},
    }


@schemathesis.hook
def before_call(context, case, kwargs):
    """Lets about half of the valid requests name what exists, or create what does not."""
    if not case.meta or not case.meta.generation.mode.is_positive:
        return
    parts = [part for part in (case.path_parameters, case.query, case.body) if isinstance(part, dict)]
    if zlib.crc32(repr(parts).encode()) % 2:
        return
    creates = case.method == "POST" and not any("shortId" in part for part in parts)
    better = new() if creates else existing(case)
    for part in parts:
        part.update({name: better[name] for name in part if name in better})
