"""Integers in as few bytes as they need: seven bits a byte; the top bit says that more follow."""


def put(out: bytearray, value: int) -> None:
    """Append a number that is not negative."""
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)


def get(data: bytes, at: int) -> tuple[int, int]:
    """The number at a place, and the place after it. Raises ValueError where the data ends."""
    value = shift = 0
    while True:
        if at >= len(data):
            raise ValueError("packed numbers are cut short")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def zigzag(value: int) -> int:
    """A number of either sign as one that is not negative; small ones stay small."""
    return value << 1 if value >= 0 else (-value << 1) - 1


def unzigzag(value: int) -> int:
    """The number that `zigzag` was given."""
    return value >> 1 if value & 1 == 0 else -((value + 1) >> 1)
