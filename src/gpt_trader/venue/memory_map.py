"""Where do the kernel's arrays lie? Allocates them, tells the header their addresses, and lets them grow."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gpt_trader.market.rows import ROW
from gpt_trader.market.stream import Rows
from gpt_trader.venue.layout import (
    ACCOUNT,
    BAR_OUT,
    BOOK_TICKS,
    FEE_DAYS,
    FILL,
    HEADER,
    LISTS,
    NEVER,
    NOTICE,
    ORDER,
    POSITION,
    REQUEST,
    RESTING_MAX,
    ROOM,
    TIER,
    places,
)

__all__ = ["Ints", "VenueMemory"]

Records = NDArray[np.void]
Ints = memoryview
RING_START: Final = 4 * ROOM
LOG_START: Final = 4 * ROOM
BARS_START: Final = 1 << 12
# where the numbers of the header stand that are asked for at each order
ORDERS_COUNT: Final = places(HEADER)["orders_count"]
REQUESTS_HEAD: Final = places(HEADER)["requests_head"]
REQUESTS_TAIL: Final = places(HEADER)["requests_tail"]


def ints_of(array: NDArray[Any]) -> Ints:
    """A writable view of an array of int64 records."""
    return array.reshape(-1).view(np.int64).data.cast("B").cast("q")


class VenueMemory:
    """Keeps every array alive; the header holds their addresses."""

    def __init__(self, products: Records, accounts: int) -> None:
        count = len(products)
        self.header: Records = np.zeros(1, HEADER)
        self.ints: dict[str, Ints] = {"header": ints_of(self.header)}
        """Every array as plain integers, record after record: reading one so is ten times as quick as through numpy."""
        self.products = products
        self.accounts: Records = np.zeros(accounts, ACCOUNT)
        self.positions: Records = np.zeros((accounts, count), POSITION)
        self.books: NDArray[np.int64] = np.zeros((count, 2, BOOK_TICKS), np.int64)
        self.lists: NDArray[np.int64] = np.zeros((count, LISTS, RESTING_MAX), np.int64)
        self.orders: Records = np.zeros(LOG_START, ORDER)
        self.fills: Records = np.zeros(LOG_START, FILL)
        self.requests: Records = np.zeros(1 << 10, REQUEST)
        self.notices: Records = np.zeros(RING_START, NOTICE)
        self.bars: Records = np.zeros(BARS_START + count, BAR_OUT)
        self.rows: Rows = np.zeros(0, ROW)
        self.acks: NDArray[np.int64] = np.zeros(1, np.int64)
        self.tiers: Records = np.zeros(0, TIER)
        self.volumes: NDArray[np.int64] = np.zeros((accounts, FEE_DAYS), np.int64)
        self.accounts["last_fill"] = -1
        header = self.header
        header["products_count"] = count
        header["accounts_count"] = accounts
        header["expire_next"] = NEVER
        header["bar_next"] = NEVER
        for name in ("products", "accounts", "positions", "books", "lists", "orders", "fills", "requests", "notices"):
            self._publish(name, self.__dict__[name])
        self._publish("bars", self.bars)
        self._publish("volumes", self.volumes)
        header["ack_at"] = -1
        self.give_latencies(self.acks)

    def _publish(self, name: str, array: NDArray[np.void] | NDArray[np.int64]) -> None:
        self.header[f"{name}_address"] = array.ctypes.data
        if array.size:
            self.ints[name] = ints_of(array)
        if f"{name}_capacity" in (HEADER.names or ()):
            self.header[f"{name}_capacity"] = len(array)

    def give_latencies(self, acks: NDArray[np.int64]) -> None:
        """Ack latencies in ns, at least one."""
        self.acks = acks
        self.header["acks_count"] = len(acks)
        self._publish("acks", acks)

    def give_tiers(self, tiers: Records) -> None:
        """Fee tiers by rising volume; without any, the rates of each product hold."""
        self.tiers = tiers
        self.header["tiers_count"] = len(tiers)
        self._publish("tiers", tiers)

    def give_rows(self, rows: Rows) -> None:
        self.rows = rows
        self.header["rows_address"] = rows.ctypes.data
        self.header["rows_count"] = len(rows)
        self.header["row_next"] = 0

    def grow(self) -> None:
        """Make room where the kernel has too little."""
        header = self.header
        used = int(header["notices_tail"][0] - header["notices_head"][0])
        if len(self.notices) - used < 2 * ROOM:
            self.notices = self._longer_ring("notices", self.notices)
        if len(self.fills) - int(header["fills_count"][0]) < 2 * ROOM:
            self.fills = self._longer("fills", self.fills)
        self.make_order_room()

    def make_order_room(self) -> None:
        """The kernel may need an order of its own for every product (liquidation)."""
        if len(self.orders) - self.ints["header"][ORDERS_COUNT] <= 2 * len(self.products) + 1:
            self.orders = self._longer("orders", self.orders)

    def make_request_room(self) -> None:
        header = self.ints["header"]
        if header[REQUESTS_TAIL] - header[REQUESTS_HEAD] >= len(self.requests):
            self.requests = self._longer_ring("requests", self.requests)

    def _longer(self, name: str, old: Records) -> Records:
        new = np.zeros(2 * len(old), old.dtype)
        new[: len(old)] = old
        self._publish(name, new)
        return new

    def _longer_ring(self, name: str, old: Records) -> Records:
        new = np.zeros(2 * len(old), old.dtype)
        kept = np.arange(int(self.header[f"{name}_head"][0]), int(self.header[f"{name}_tail"][0]))
        new[kept % len(new)] = old[kept % len(old)]
        self._publish(name, new)
        return new
