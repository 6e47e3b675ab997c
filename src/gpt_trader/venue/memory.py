"""How does the kernel see its arrays? As views at the addresses that the header record holds."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import carray, types  # type: ignore[attr-defined] # not listed in numba's own stubs
from numba.extending import intrinsic

from gpt_trader.market.compiled import part
from gpt_trader.market.rows import ROW
from gpt_trader.venue.layout import (
    ACCOUNT,
    BAR_OUT,
    BOOK_TICKS,
    FEE_DAYS,
    FILL,
    LISTS,
    NOTICE,
    ORDER,
    POSITION,
    PRODUCT,
    REQUEST,
    RESTING_MAX,
    TIER,
)

__all__ = [
    "accounts_of",
    "acks_of",
    "bars_of",
    "books_of",
    "carray",
    "fills_of",
    "lists_of",
    "notices_of",
    "orders_of",
    "pointer",
    "positions_of",
    "products_of",
    "requests_of",
    "rows_of",
    "tiers_of",
    "volumes_of",
]


def _pointer(_typing_context: Any, address: Any) -> Any:
    """An integer address as a pointer; costs nothing."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

    return types.voidptr(address), generate


pointer: Any = intrinsic(_pointer)


@part
def rows_of(v: Any) -> Any:
    return carray(pointer(v.rows_address), v.rows_count, ROW)


@part
def products_of(v: Any) -> Any:
    return carray(pointer(v.products_address), v.products_count, PRODUCT)


@part
def accounts_of(v: Any) -> Any:
    return carray(pointer(v.accounts_address), v.accounts_count, ACCOUNT)


@part
def positions_of(v: Any) -> Any:
    """Indexed by account, then product."""
    return carray(pointer(v.positions_address), (v.accounts_count, v.products_count), POSITION)


@part
def books_of(v: Any) -> Any:
    """Quantity by product, side (BIDS, ASKS) and tick modulo the window."""
    return carray(pointer(v.books_address), (v.products_count, 2, BOOK_TICKS), np.int64)


@part
def lists_of(v: Any) -> Any:
    """Living orders by product and list, best first; lengths stand in the product."""
    return carray(pointer(v.lists_address), (v.products_count, LISTS, RESTING_MAX), np.int64)


@part
def orders_of(v: Any) -> Any:
    return carray(pointer(v.orders_address), v.orders_capacity, ORDER)


@part
def requests_of(v: Any) -> Any:
    return carray(pointer(v.requests_address), v.requests_capacity, REQUEST)


@part
def notices_of(v: Any) -> Any:
    return carray(pointer(v.notices_address), v.notices_capacity, NOTICE)


@part
def fills_of(v: Any) -> Any:
    return carray(pointer(v.fills_address), v.fills_capacity, FILL)


@part
def bars_of(v: Any) -> Any:
    return carray(pointer(v.bars_address), v.bars_capacity, BAR_OUT)


@part
def acks_of(v: Any) -> Any:
    """Ack latencies in ns, taken one after the other, and again from the start."""
    return carray(pointer(v.acks_address), v.acks_count, np.int64)


@part
def tiers_of(v: Any) -> Any:
    """Fee tiers by rising volume."""
    return carray(pointer(v.tiers_address), v.tiers_count, TIER)


@part
def volumes_of(v: Any) -> Any:
    """Traded value by account and UTC day, modulo the days that are kept."""
    return carray(pointer(v.volumes_address), (v.accounts_count, FEE_DAYS), np.int64)
