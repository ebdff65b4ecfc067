"""Seeds that depend on the take's seed and an event's id alone: neither on order nor on company."""

import hashlib


def event_seed(take_seed: int, event_id: str) -> int:
    """A 64-bit seed for one event of a take."""
    digest = hashlib.blake2b(f"{take_seed}:{event_id}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big")
