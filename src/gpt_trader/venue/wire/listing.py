"""Which products are listed, and what is one contract? Ids of the wire, contracts, and base units of the kernel."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal

from gpt_trader.core.values import ProductSpec

__all__ = ["Listed", "Listing"]


class Listed:
    """One product. Sizes on the wire are in contracts; quantities of the kernel in base units."""

    def __init__(self, index: int, spec: ProductSpec) -> None:
        self.index = index
        self.spec = spec
        self.product_id = spec.venue_symbol
        self.symbol = spec.symbol
        self.base_increment = spec.lot / spec.contract_size

    def contracts(self, quantity: Decimal) -> Decimal:
        return quantity / self.spec.contract_size

    def quantity(self, contracts: Decimal) -> Decimal:
        return contracts * self.spec.contract_size

    def value(self, contracts: Decimal, price: Decimal) -> Decimal:
        """Notional in the quote currency."""
        return contracts * self.spec.contract_size * price


class Listing:
    """By id and by symbol."""

    def __init__(self, products: Iterable[ProductSpec]) -> None:
        self._all = [Listed(index, spec) for index, spec in enumerate(products)]
        self._by_id = {listed.product_id: listed for listed in self._all}
        self._by_symbol = {listed.symbol: listed for listed in self._all}

    def __iter__(self) -> Iterator[Listed]:
        return iter(self._all)

    def get(self, product_id: object) -> Listed | None:
        return self._by_id.get(product_id) if isinstance(product_id, str) else None

    def of_symbol(self, symbol: str) -> Listed:
        return self._by_symbol[symbol]
