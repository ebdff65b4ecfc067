"""Damage, done on purpose: the same random generator gives the same damage on every machine."""

import json
import random
import re
from collections.abc import Callable
from typing import Any

HEADER_BYTES = 256
"""Sizes and counts stand at the beginning of most formats: more than half of the damage goes there."""

NUMBERS = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 2**63 - 1, 2**63, 2**64 - 1)  # fmt: skip

TEXTS = (
    "", " ", "\u0000", "../../outside", "..", "/etc/passwd", "C:\\outside\\x", "\\\\server\\share\\x", "CON", "nul.wav", "~/x",
    "a/b\\c", "x" * 300, "x" * 100_000, "\ud800", "\udfff\ud800", "\u202egnp.exe", "\u2028", "\x1b[31mred\x1b[0m", "\x07",
    "<b>bold</b>", "<img src='file:///etc/passwd'>", "&amp;", "%s%n{0}", "=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)",
    "# heading", "| a | b |", "$(reboot)", "`x`", "e\u0301" * 50, "\ufeff", "true", "null", "1e999", "-0",
)  # fmt: skip
"""What a name or a label must not be taken for: paths, devices, markup, formulas, terminal control."""

VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, -(2**31), 2**63, 2**64, 10**25, -(10**25), 1e308, -1e308, 5e-324, 0.5, float("nan"),
    float("inf"), float("-inf"), [], {}, [[]], [None], {"": None}, *TEXTS,
)  # fmt: skip

_TAG = re.compile(rb"[A-Za-z][A-Za-z0-9 ]{3}")


def mutate_bytes(data: bytes, others: list[bytes], rng: random.Random) -> bytes:
    """One to four kinds of damage to a file's bytes.

    Args:
        data: the sound file.
        others: further files, from which pieces are taken.
        rng: what decides.
    """
    result = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 3, 4))):
        if not result:
            break
        rng.choice(_BYTE_DAMAGE)(result, others, rng)
    return bytes(result)


def _place(data: bytearray, rng: random.Random) -> int:
    """An offset: often in the header, often right behind something that looks like the name of a chunk."""
    chance = rng.random()
    if chance < 0.3:
        names = [match.start() for match in _TAG.finditer(data, 0, 4096)]
        if names:
            return min(rng.choice(names) + rng.choice((0, 4, 8, 10, 12, 16)), len(data) - 1)
    return rng.randrange(min(len(data), HEADER_BYTES) if chance < 0.7 else len(data))


def _flip(data: bytearray, others: list[bytes], rng: random.Random) -> None:
    for _ in range(rng.choice((1, 2, 8, 40))):
        data[_place(data, rng)] ^= 1 << rng.randrange(8)


def _set_number(data: bytearray, others: list[bytes], rng: random.Random) -> None:
    at, width = _place(data, rng), rng.choice((1, 2, 4, 4, 8))
    number = rng.choice((*NUMBERS, len(data), 2 * len(data), len(data) - at, rng.getrandbits(64)))
    data[at : at + width] = (number % 2 ** (8 * width)).to_bytes(width, rng.choice(("little", "big")))


def _truncate(data: bytearray, others: list[bytes], rng: random.Random) -> None:
    del data[_place(data, rng) :]


def _delete(data: bytearray, others: list[bytes], rng: random.Random) -> None:
    at = _place(data, rng)
    del data[at : at + rng.choice((1, 4, 8, 24, 200, 2000))]


def _repeat(data: bytearray, others: list[bytes], rng: random.Random) -> None:
    at = _place(data, rng)
    piece = bytes(data[at : at + rng.choice((1, 4, 8, 24, 200, 2000))])
    data[at:at] = piece * rng.choice((1, 1, 2, 50))


def _insert(data: bytearray, others: list[bytes], rng: random.Random) -> None:
    at, size = _place(data, rng), rng.choice((1, 3, 4, 8, 100))
    data[at:at] = rng.choice((bytes(size), b"\xff" * size, rng.randbytes(size)))


def _noise(data: bytearray, others: list[bytes], rng: random.Random) -> None:
    at, size = _place(data, rng), rng.choice((4, 16, 100, 1000))
    data[at : at + size] = rng.randbytes(len(data[at : at + size]))


def _splice(data: bytearray, others: list[bytes], rng: random.Random) -> None:
    other = rng.choice(others) if others else bytes(data)
    start = rng.randrange(max(1, len(other)))
    at = _place(data, rng)
    data[at : at + rng.choice((0, 16, 400))] = other[start : start + rng.choice((4, 16, 400, 4000))]


def _swap(data: bytearray, others: list[bytes], rng: random.Random) -> None:
    size = rng.choice((4, 8, 16, 64))
    a, b = _place(data, rng), _place(data, rng)
    one, two = bytes(data[a : a + size]), bytes(data[b : b + size])
    data[a : a + len(two)], data[b : b + len(one)] = two, one


_BYTE_DAMAGE: tuple[Callable[[bytearray, list[bytes], random.Random], None], ...] = (
    _flip, _flip, _set_number, _set_number, _set_number, _truncate, _delete, _repeat, _insert, _noise, _splice, _swap,
)  # fmt: skip


def mutate_json(document: Any, rng: random.Random) -> bytes:
    """Damage to what a JSON file says, sometimes to its text as well; the result need not be JSON any more."""
    chance = rng.random()
    if chance < 0.02:
        return rng.choice((b"[", b'{"a":', b'[{"":')) * rng.choice((500, 100_000))
    if chance < 0.03:
        return b"1" * rng.choice((30, 5_000, 1_000_000))
    holder = [json.loads(json.dumps(document))]
    for _ in range(rng.choice((1, 1, 2, 3))):
        _damage_value(holder, rng)
    text = json.dumps(holder[0], ensure_ascii=rng.random() < 0.5)
    if rng.random() < 0.1:  # the same key twice; a number that Python would refuse to convert
        odd = rng.choice(("9" * 5_000, "1e400", "-0", "0x1"))
        text = rng.choice((text.replace("{", '{"format_version": 1, ', 1), re.sub(r"\d+", odd, text, count=1)))
    data = text.encode("utf-8", "surrogatepass")
    if rng.random() < 0.2:
        data = mutate_bytes(data, [], rng)
    if rng.random() < 0.03:
        data = text.encode(rng.choice(("utf-16", "utf-8-sig", "utf-32")), "surrogatepass")
    return data


def _damage_value(holder: list[Any], rng: random.Random) -> None:
    places: list[tuple[Any, Any]] = []
    stack: list[tuple[Any, Any]] = [(holder, 0)]
    while stack:
        box, key = stack.pop()
        places.append((box, key))
        value = box[key]
        if isinstance(value, dict):
            stack += [(value, name) for name in value]
        elif isinstance(value, list):
            stack += [(value, index) for index in range(len(value))]
    box, key = rng.choice(places)
    chance = rng.random()
    if chance < 0.6:
        box[key] = _value(rng)
    elif chance < 0.7 and box is not holder:
        del box[key]
    elif chance < 0.8 and isinstance(box, dict):
        box[rng.choice(TEXTS)] = box.pop(key)
    elif chance < 0.9 and isinstance(box, list) and box is not holder:
        box[key:key] = [box[key]] * rng.choice((1, 2, 300))
    else:
        nested: Any = box[key]
        for _ in range(rng.choice((1, 3, 200))):
            nested = [nested] if rng.random() < 0.5 else {"x": nested}
        box[key] = nested


def _value(rng: random.Random) -> Any:
    chance = rng.random()
    if chance < 0.15:
        return rng.uniform(-1, 1) * 10.0 ** rng.randrange(-300, 300)
    if chance < 0.3:
        return rng.getrandbits(rng.choice((3, 16, 31, 64, 200)))
    return rng.choice(VALUES)


def mutate_text(data: bytes, rng: random.Random, separators: tuple[str, ...] = (",", "\t", ";")) -> bytes:
    """Damage to a text of lines with fields."""
    text = data.decode("utf-8", "surrogateescape")
    for _ in range(rng.choice((1, 1, 2, 3))):
        lines = text.split("\n")
        at = rng.randrange(len(lines))
        separator = next((mark for mark in separators if mark in lines[at]), ",")
        fields = lines[at].split(separator)
        field = rng.randrange(len(fields))
        kind = rng.randrange(9)
        if kind <= 3:
            fields[field] = rng.choice(
                (*(str(value) for value in VALUES), "nan", "inf", "-inf", "1e400", "0x10", "1_000", "1,5", '"', "'", "\r", "9" * 6_000)
            )  # fmt: skip
            lines[at] = separator.join(fields)
        elif kind == 4:
            del lines[at]
        elif kind == 5:
            lines[at:at] = [lines[at]] * rng.choice((1, 3, 2_000))
        elif kind == 6:
            del fields[field]
            lines[at] = separator.join(fields)
        elif kind == 7:
            lines[at] = lines[at].replace(separator, rng.choice(separators))
        else:
            lines[at] = (lines[at] + separator) * rng.choice((2, 500))
        text = "\n".join(lines) or "\n"
    result = text.encode("utf-8", "surrogatepass" if rng.random() < 0.5 else "replace")
    chance = rng.random()
    if chance < 0.2:
        result = mutate_bytes(result, [], rng)
    elif chance < 0.25:
        result = text.encode("utf-16", "replace")
    return result
