"""Strict JSON (RFC 8259) from bytes, with numbers kept as they were written.

`parse` is fast for ordinary records (the standard decoder with every lenience switched off) and falls back to
`scan`, an iterative scanner of our own, where nesting is too deep for a recursive one. Both must agree; the unit tests
compare them. Left to `count`: what a value means.
"""

from __future__ import annotations

import json
import re


class Malformed(ValueError):
    """The bytes are not one JSON value in valid UTF-8."""


class Int:
    """A JSON number without point or exponent, as written (`-0` stays `-0`)."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Int) and other.text == self.text

    def __repr__(self) -> str:
        return f"Int({self.text})"


class Float:
    """A JSON number with a point or an exponent, as written. It is never an integer here."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Float) and other.text == self.text

    def __repr__(self) -> str:
        return f"Float({self.text})"


def _no_constant(text: str) -> None:
    raise Malformed(f"{text} is no JSON")


_DECODER = json.JSONDecoder(parse_int=Int, parse_float=Float, parse_constant=_no_constant, strict=True)
_SPACE = " \t\n\r"
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def parse(data: bytes) -> object:
    """One JSON value, or Malformed. Repeated keys: the last value holds."""
    text = _decode(data)
    try:
        value = _DECODER.decode(text)
    except RecursionError:
        return scan(text)
    except Malformed:
        raise
    except ValueError as error:
        raise Malformed(str(error)) from None
    return value


def parse_iteratively(data: bytes) -> object:
    """As `parse`, by the iterative scanner only."""
    return scan(_decode(data))


def _decode(data: bytes) -> str:
    try:
        return data.decode("utf-8", "strict")
    except UnicodeDecodeError as error:
        raise Malformed(str(error)) from None


def has_lone_surrogate(text: str) -> bool:
    """True where an escape such as `\\ud800` stands without its other half: such a string is not valid Unicode."""
    return _LONE_SURROGATE.search(text) is not None


_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_PLAIN = re.compile(r'[^"\\\x00-\x1f]*')
_HEX4 = re.compile(r"[0-9a-fA-F]{4}")
_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_LITERALS = (("null", None), ("true", True), ("false", False))


def scan(text: str) -> object:
    """The iterative scanner. `stack` holds the open containers; nothing recurses, so depth costs only memory."""
    at = _skip(text, 0)
    stack: list[tuple[object, str | None]] = []
    container: object = None
    key: str | None = None
    while True:
        # A value stands at `at`.
        char = text[at : at + 1]
        if char == "{" or char == "[":
            stack.append((container, key))
            container, key = ({} if char == "{" else []), None
            at = _skip(text, at + 1)
            if char == "[" and text[at : at + 1] != "]":
                continue
            if char == "{" and text[at : at + 1] != "}":
                key, at = _key(text, at)
                continue
            value: object = container
            container, key = stack.pop()
            at += 1
        else:
            value, at = _scalar(text, at)
        # A value has ended: hand it to its container, close what closes here.
        while True:
            at = _skip(text, at)
            if container is None:
                if at != len(text):
                    raise Malformed(f"more text after the value at {at}")
                return value
            _put(container, key, value)
            char = text[at : at + 1]
            if char == ",":
                at = _skip(text, at + 1)
                if isinstance(container, dict):
                    key, at = _key(text, at)
                break
            if char != ("}" if isinstance(container, dict) else "]"):
                raise Malformed(f"expected a comma or an end at {at}")
            value = container
            container, key = stack.pop()
            at += 1


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in _SPACE:
        at += 1
    return at


def _put(container: object, key: str | None, value: object) -> None:
    if isinstance(container, dict):
        container[key] = value
    else:
        container.append(value)


def _key(text: str, at: int) -> tuple[str, int]:
    if text[at : at + 1] != '"':
        raise Malformed(f"expected a key at {at}")
    key, at = _string(text, at)
    at = _skip(text, at)
    if text[at : at + 1] != ":":
        raise Malformed(f"expected a colon at {at}")
    return key, _skip(text, at + 1)


def _scalar(text: str, at: int) -> tuple[object, int]:
    if text[at : at + 1] == '"':
        return _string(text, at)
    for word, value in _LITERALS:
        if text.startswith(word, at):
            return value, at + len(word)
    number = _NUMBER.match(text, at)
    if number is None:
        raise Malformed(f"expected a value at {at}")
    kind = Int if number.group(1) is None and number.group(2) is None else Float
    return kind(number.group(0)), number.end()


def _string(text: str, at: int) -> tuple[str, int]:
    at += 1
    parts = []
    while True:
        plain = _PLAIN.match(text, at)
        parts.append(plain.group(0))
        at = plain.end()
        char = text[at : at + 1]
        if char == '"':
            return "".join(parts), at + 1
        if char != "\\":
            raise Malformed(f"a control character or the end inside a string at {at}")
        escape = text[at + 1 : at + 2]
        if escape == "u":
            code, at = _unicode_escape(text, at)
            parts.append(code)
        elif escape in _ESCAPES and escape:
            parts.append(_ESCAPES[escape])
            at += 2
        else:
            raise Malformed(f"unknown escape at {at}")


def _unicode_escape(text: str, at: int) -> tuple[str, int]:
    first = _hex4(text, at + 2)
    if 0xD800 <= first < 0xDC00 and text[at + 6 : at + 8] == "\\u":
        second = _hex4(text, at + 8)
        if 0xDC00 <= second < 0xE000:
            return chr(0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00)), at + 12
    return chr(first), at + 6


def _hex4(text: str, at: int) -> int:
    match = _HEX4.match(text, at)
    if match is None:
        raise Malformed(f"a broken \\u escape at {at}")
    return int(match.group(0), 16)
