"""Votes as people's producers write them, and what a topic should count to by the oracle."""

from __future__ import annotations

import dataclasses
import datetime
import json
import random
import uuid
import zlib
from collections.abc import Callable

from kafka.partitioner.default import murmur2

from tests.e2e.harness import Harness, agree
from tests.e2e.services import Kafka
from tests.oracle.count import Candidate, Count, Election, Region, us_president_2024

_STATES = tuple(region.name for region in us_president_2024().regions)
_CANDIDATES = ("Donald Trump", "Kamala Harris", "Jill Stein", "Other")


@dataclasses.dataclass(frozen=True)
class Event:
    """One message: the voter as text (a producer's natural key), and the JSON."""

    voter: str
    body: dict

    @property
    def value(self) -> bytes:
        return json.dumps(self.body).encode()


def presidential(count: int, seed: int) -> list[Event]:
    """Events of the presidential mapping: some voters twice, some of them changing their mind, some records to be rejected."""
    rng = random.Random(seed)
    events: list[Event] = []
    for _ in range(count):
        if events and rng.random() < 0.05:
            voter = rng.choice(events).body["id"]
        else:
            voter = rng.randrange(10**15, 10**16)
        body = {
            "id": voter,
            "gender": rng.choice(["Male", "Female"]),
            "age": rng.choice([17, *range(18, 95)]),
            "state": rng.choice(_STATES) if rng.random() > 0.01 else "Atlantis",
            "decision": rng.choice(_CANDIDATES) if rng.random() > 0.01 else "Nobody",
        }
        events.append(Event(str(voter), body))
    return events


def votestream(count: int, seed: int) -> list[Event]:
    """Events of the votestream mapping: voters with UUIDs, nested addresses."""
    rng = random.Random(seed)
    events: list[Event] = []
    for _ in range(count):
        again = bool(events) and rng.random() < 0.05
        voter = rng.choice(events).voter if again else str(uuid.UUID(int=rng.getrandbits(128), version=4))
        body = {
            "voter_id": voter,
            "candidate_name": rng.choice(_CANDIDATES),
            "gender": rng.choice(["male", "female"]),
            "registered_age": rng.randint(17, 95),
            "address": {"street": f"{rng.randint(1, 900)} Main St", "city": "Springfield", "state": rng.choice(_STATES), "country": "United States"},
            "voting_time": f"2024-11-05 {rng.randint(6, 22):02}:{rng.randint(0, 59):02}:{rng.randint(0, 59):02}",
        }
        events.append(Event(voter, body))
    return events


MAPPINGS: dict[str, Callable[[int, int], list[Event]]] = {"presidential": presidential, "votestream": votestream}

# --- the usual tutorial's ---

_COUNTIES = ("Kent", "Devon", "Norfolk", "Tayside", "Gwynedd County", "County Antrim", "West Yorkshire", "Greater Manchester", "Cornwall", "Fife")
_PARTIES = ("Management Party", "Savior Party", "Tech Republic Party")
_FIRST, _LAST = ("Emma", "Oliver", "Isla", "Arthur", "Freya", "Leo"), ("Clarke", "Shaw", "Patel", "Hughes", "Reid", "Walsh")


def tutorial(count: int, seed: int) -> tuple[list[Event], Election]:
    """A tutorial's messages: a random person of a British county, merged with one of three candidates, voting now."""
    rng = random.Random(seed)
    new_id = lambda: str(uuid.UUID(int=rng.getrandbits(128), version=4))  # noqa: E731
    candidates = [
        {
            "candidate_id": new_id(), "candidate_name": f"{rng.choice(_FIRST)} {rng.choice(_LAST)} {party.split()[0]}",
            "party_affiliation": party, "biography": "A brief bio of the candidate.",
            "campaign_platform": "Key campaign promises or platform.", "photo_url": f"https://example.org/{i}.jpg",
        }
        for i, party in enumerate(_PARTIES)
    ]  # fmt: skip
    events = []
    for _ in range(count):
        voter = new_id()
        person = {
            "voter_id": voter,
            "voter_name": f"{rng.choice(_FIRST)} {rng.choice(_LAST)}",
            "date_of_birth": f"{rng.randint(1945, 2003)}-04-17T09:12:45.123Z",
            "gender": rng.choice(["male", "female"]),
            "nationality": "GB",
            "registration_number": "".join(rng.choices("abcdefghijkl0123456789", k=10)),
            "address": {
                "street": f"{rng.randint(1, 9999)} High Street", "city": rng.choice(["Leeds", "Truro", "Derry", "Bangor"]),
                "state": rng.choice(_COUNTIES), "country": "United Kingdom", "postcode": f"AB{rng.randint(1, 9)} {rng.randint(1, 9)}CD",
            },
            "email": "someone@example.com", "phone_number": "015396 12345", "cell_number": "07123 456789",
            "picture": "https://example.org/p.jpg", "registered_age": rng.randint(18, 80),
        }  # fmt: skip
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M:%S")
        events.append(Event(voter, person | rng.choice(candidates) | {"voting_time": now, "vote": 1}))
    election = Election(
        id="drafted",
        candidates=tuple(Candidate(c["candidate_id"], c["candidate_name"], c["party_affiliation"]) for c in candidates),
        regions=tuple(Region(county, county) for county in _COUNTIES),
        mapping="votestream",
        genders=("male", "female"),
    )
    return events, election


# --- counting -------------------------------------------------------------------------------------------------------


def partition_by_murmur2(key: bytes, partitions: int) -> int:
    return (murmur2(key) & 0x7FFFFFFF) % partitions


def partition_by_crc32(key: bytes, partitions: int) -> int:
    return zlib.crc32(key) % partitions


def oracle(kafka: Kafka, topic: str, election: Election) -> dict:
    """The oracle's answer to all that the topic holds, partition by partition."""
    count = Count(election)
    for record in kafka.records(topic):
        count.add(record.value or b"")
    return count.results()


def count(vs: Harness, kafka: Kafka, topic: str, store: str, *flags: object, **options: object):
    """`count` to the topic's end."""
    return vs.run("count", "--log", kafka.url(topic), "--store", store, "--until-end", *flags, **options)


def counted_records(vs: Harness, store: str) -> int:
    """How many records are counted; none while no worker has begun the election yet."""
    outcome = vs.run("results", "--store", store, "--format", "json", status=None)
    return outcome.json()["records"] if outcome.status == 0 else 0


def check(vs: Harness, kafka: Kafka, topic: str, store: str, election: Election) -> dict:
    """The store says what the oracle says of this topic, and a recount from the topic is identical."""
    results = vs.results(store=store)
    agree(results, oracle(kafka, topic, election))
    assert "identical" in vs.recount(log=kafka.url(topic), store=store).text
    return results
