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
# The routes where what is named must not be there yet.
CREATES = ("/tickets/create", "/tickets/create/channel", "/user/new")
# What a ticket must be for its command to succeed, where it is not an open one with a claimer.
STATES = {"/tickets/claim": {}, "/tickets/rate": {"closed": True}, "/tickets/reopen": {"closed": True}}


def base_of(case):
    return case.operation.base_url.rstrip("/")


def make(case, path, **body):
    answer = requests.post(base_of(case) + path, json=body, headers=KEY)
    answer.raise_for_status()
    return answer.json()


def existing(case):
    """A new ticket, a person and a channel: what a request may name to succeed."""
    user = make(case, "/user/new", userDiscordId=PERSON)["user"]
    make(case, "/tickets/delete/channel", ticketType=TYPE, guildId=GUILD)
    make(case, "/tickets/create/channel", ticketType=TYPE, guildId=GUILD, channelId=GUILD)
    make(case, "/blocks/delete", guildId=GUILD, discordId=PERSON)
    make(case, "/blocks/delete", guildId=GUILD, discordId=PERSON, ticketType=TYPE)
    state = STATES.get(case.path, {"claimedBy": PERSON})
    made = make(case, "/tickets/create", ticketType=TYPE, guildId=GUILD, ticketOwner=PERSON, **state)["ticket"]
    ticket = make(case, "/tickets/update", shortId=made["ticketShortId"], labels=["fuzzed"])["ticket"]
    if case.path.startswith("/keys/"):
        key = {"keyId": make(case, "/keys/create", name="fuzzed", scope="read")["key"]["keyId"]}
    else:
        key = {}
    return {
        **key,
        "shortId": ticket["ticketShortId"],
        "ticketName": ticket["ticketName"],
        "ticketType": TYPE,
        "guildId": GUILD,
        "discordId": PERSON,
        "ticketOwner": PERSON,
        "claimedBy": PERSON,
        "label": "fuzzed",
        "userId": user["userId"],
        "noteId": str(uuid.uuid4()),
        "expectedVersion": ticket["version"],
    }


def new():
    """Ids and names that nothing has yet: with these a create succeeds."""
    ids = ("userId", "ticketId", "id", "ticketShortId", "ticketName")
    return {
        **{name: str(uuid.uuid4()) for name in ids},
        **{name: str(uuid.uuid4().int)[:18] for name in ("userDiscordId", "guildId")},
    }


def next_cursor(case):
    """The cursor behind the first thing that the query of a request finds, where it finds several."""
    query = {**case.query, "limit": 1}
    del query["cursor"]
    answer = requests.get(base_of(case) + case.formatted_path, params=query, headers=KEY)
    return answer.json().get("nextCursor")


@schemathesis.hook
def before_call(context, case, kwargs):
    """Completes the valid requests with what only the running service knows."""
    if not case.meta or not case.meta.generation.mode.is_positive:
        return
    name_existing(case)
    if case.path == "/keys/create" and "expiresAt" in case.body:
        # A key ends in the future, whenever that is.
        case.body["expiresAt"] = "2099-01-01T00:00:00Z"
    if isinstance(case.query, dict) and "cursor" in case.query:
        # A cursor is valid for the query that it was made for, and for no other.
        cursor = next_cursor(case)
        case.query = {name: value for name, value in case.query.items() if name != "cursor"}
        if cursor:
            case.query["cursor"] = cursor


def name_existing(case):
    """Lets about half of the requests name what exists, or create what does not."""
    if isinstance(case.query, dict) and "q" in case.query:
        # A search needs a word and a guild, which the document says in words only.
        case.query.update(q=f"{TYPE} {case.query['q']}"[:20], guildId=case.query.get("guildId", GUILD))
    parts = [part for part in (case.path_parameters, case.query, case.body) if isinstance(part, dict)]
    if zlib.crc32(repr(parts).encode()) % 2:
        return
    creates = case.path in CREATES
    better = new() if creates else existing(case)
    for part in parts:
        part.update({name: better[name] for name in part if name in better})
