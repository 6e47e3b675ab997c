"""How is money multiplied and divided? In 128 bits, rounded once: half to even."""

from __future__ import annotations

import numpy as np

from gpt_trader.market.compiled import jit, part

__all__ = ["multiply_divide", "scaled"]

SHIFT = np.uint64(32)
ONE = np.uint64(1)
LOW = np.uint64(0xFFFFFFFF)
WORD = np.uint64(1 << 32)
TOP = np.uint64(1 << 63)
ALL_BITS = np.uint64(64)
NONE = np.uint64(0)


@part
def _digit(high: np.uint64, next_word: np.uint64, d1: np.uint64, d0: np.uint64) -> np.uint64:
    """One 32-bit digit of a long division (Knuth, The Art of Computer Programming, 4.3.1, algorithm D)."""
    digit = high // d1
    rest = high - digit * d1
    while digit >= WORD or digit * d0 > ((rest << SHIFT) | next_word):
        digit -= ONE
        rest += d1
        if rest >= WORD:
            break
    return digit


@part
def _divide_wide(high: np.uint64, low: np.uint64, divisor: np.uint64) -> tuple[np.uint64, np.uint64]:
    """Quotient and remainder of high * 2^64 + low; needs high < divisor."""
    shift = NONE
    d = divisor
    while d < TOP:
        d <<= ONE
        shift += ONE
    if shift > NONE:
        high = (high << shift) | (low >> (ALL_BITS - shift))
        low = low << shift
    d1 = d >> SHIFT
    d0 = d & LOW
    first = _digit(high, low >> SHIFT, d1, d0)
    middle = (high << SHIFT) + (low >> SHIFT) - first * d
    second = _digit(middle, low & LOW, d1, d0)
    rest = (middle << SHIFT) + (low & LOW) - second * d
    return (first << SHIFT) + second, rest >> shift


@part
def multiply_divide(a: int, b: int, c: int) -> int:
    """The value of a * b / c for a, b >= 0 and c > 0, rounded half to even. Raises OverflowError beyond int64."""
    x = np.uint64(a)
    y = np.uint64(b)
    d = np.uint64(c)
    x0 = x & LOW
    x1 = x >> SHIFT
    y0 = y & LOW
    y1 = y >> SHIFT
    p00 = x0 * y0
    p01 = x0 * y1
    p10 = x1 * y0
    middle = (p00 >> SHIFT) + (p01 & LOW) + (p10 & LOW)
    low = (p00 & LOW) | (middle << SHIFT)
    high = x1 * y1 + (p01 >> SHIFT) + (p10 >> SHIFT) + (middle >> SHIFT)
    if high >= d:
        raise OverflowError("money does not fit into 64 bits")
    if high == NONE:
        quotient = low // d
        rest = low - quotient * d
    else:
        quotient, rest = _divide_wide(high, low, d)
    other = d - rest
    if rest > other or (rest == other and (quotient & ONE) == ONE):
        quotient += ONE
    if quotient >= TOP:
        raise OverflowError("money does not fit into 64 bits")
    return np.int64(quotient)  # type: ignore[return-value]


@jit
def scaled(value: int, rate: int, scale: int) -> int:
    """The value of value * rate / scale for values and rates of any sign, scale > 0, rounded half to even."""
    size = multiply_divide(abs(value), abs(rate), scale)
    return size if (value >= 0) == (rate >= 0) else -size
