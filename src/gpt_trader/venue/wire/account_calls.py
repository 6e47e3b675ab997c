"""Accounts over REST: balances, portfolios, fees, what the key may do, and futures positions and margin."""

from __future__ import annotations

from typing import Final

from gpt_trader.core.values import ZERO
from gpt_trader.venue.wire.calls import ApiError, Call, Endpoint, cursor_page
from gpt_trader.venue.wire.desk import OrderDesk
from gpt_trader.venue.wire.formats import Json, amount, decimal_of, identifier, stamp, text
from gpt_trader.venue.wire.keys import ApiKey
from gpt_trader.venue.wire.money import MoneyBook
from gpt_trader.venue.wire.quirks import Quirks
from gpt_trader.venue.wire.running import RunningVenue
from gpt_trader.venue.wire.windows import is_intraday, window_end_ns

__all__ = ["AccountCalls"]

ACCOUNTS_MAX: Final = 250
SETTINGS: Final = frozenset({"INTRADAY_MARGIN_SETTING_STANDARD", "INTRADAY_MARGIN_SETTING_INTRADAY"})
PROFILES: Final = frozenset({"", "MARGIN_PROFILE_TYPE_RETAIL_REGULAR", "MARGIN_PROFILE_TYPE_RETAIL_INTRADAY_MARGIN_1"})
RETIRED: Final = "INTX perpetuals left Advanced Trade on 2026-10-01; this endpoint is retired"


class AccountCalls:
    """Endpoints that speak of one account's money. All of it is cash at the futures broker, in USD."""

    def __init__(self, running: RunningVenue, desk: OrderDesk, money: MoneyBook, quirks: Quirks) -> None:
        self._running = running
        self._desk = desk
        self._money = money
        self._quirks = quirks
        self._opened_ns = running.now_ns

    def endpoints(self) -> list[Endpoint]:
        return [
            Endpoint("GET", "/accounts", self.accounts),
            Endpoint("GET", "/accounts/{uuid}", self.account),
            Endpoint("GET", "/key_permissions", self.permissions),
            Endpoint("GET", "/transaction_summary", self.fees),
            Endpoint("GET", "/portfolios", self.portfolios),
            Endpoint("POST", "/portfolios", self.refuse_portfolio, "trade"),
            Endpoint("POST", "/portfolios/move_funds", self.refuse_transfer, "transfer"),
            Endpoint("GET", "/portfolios/{uuid}", self.breakdown),
            Endpoint("PUT", "/portfolios/{uuid}", self.refuse_portfolio, "trade"),
            Endpoint("DELETE", "/portfolios/{uuid}", self.refuse_portfolio, "trade"),
            Endpoint("GET", "/cfm/balance_summary", self.balance_summary),
            Endpoint("GET", "/cfm/positions", self.positions),
            Endpoint("GET", "/cfm/positions/{product_id}", self.position),
            Endpoint("GET", "/cfm/sweeps", self.sweeps),
            Endpoint("POST", "/cfm/sweeps/schedule", self.refuse_sweep, "transfer"),
            Endpoint("DELETE", "/cfm/sweeps", self.cancel_sweep, "transfer"),
            Endpoint("GET", "/cfm/intraday/margin_setting", self.margin_setting),
            Endpoint("POST", "/cfm/intraday/margin_setting", self.set_margin_setting, "trade"),
            Endpoint("GET", "/cfm/intraday/current_margin_window", self.margin_window),
            *(Endpoint(method, f"/intx{path}", self.retired) for method, path in INTX),
        ]

    # balances

    async def accounts(self, call: Call) -> Json:
        rows = [self._account(call.key)]
        first, last, cursor = cursor_page(len(rows), call.one("cursor"), call.whole("limit", 49, ACCOUNTS_MAX))
        page = rows[first:last]
        return {"accounts": page, "has_next": bool(cursor), "cursor": cursor, "size": len(page)}

    async def account(self, call: Call) -> Json:
        account = self._account(call.key)
        if call.path["uuid"] != account["uuid"]:
            raise ApiError(404, "NOT_FOUND", "account not found")
        return {"account": account}

    def _account(self, key: ApiKey) -> Json:
        """The wallet behind the futures: what is free is what no margin holds."""
        money = self._money.account(key.account)
        free = max(ZERO, money.available_margin)
        return {
            "uuid": identifier("wallet", key.account, "USD"),
            "name": "USD Wallet",
            "currency": "USD",
            "available_balance": amount(free),
            "default": True,
            "active": True,
            "created_at": stamp(self._opened_ns),
            "updated_at": stamp(self._running.now_ns),
            "deleted_at": None,
            "type": "ACCOUNT_TYPE_FIAT",
            "ready": True,
            "hold": amount(min(money.initial_margin, max(ZERO, money.equity))),
            "retail_portfolio_id": key.portfolio_id,
            "platform": "ACCOUNT_PLATFORM_CFM_CONSUMER",
        }

    async def permissions(self, call: Call) -> Json:
        key = call.key
        return {
            "can_view": key.can_view,
            "can_trade": key.can_trade,
            "can_transfer": key.can_transfer,
            "can_receive": key.can_transfer,
            "portfolio_uuid": key.portfolio_id,
            "portfolio_type": "DEFAULT",
        }

    async def fees(self, call: Call) -> Json:
        spec = next(iter(self._desk.listing)).spec
        fills = self._desk.fills[call.key.account]
        volume = sum((fill.order.listed.value(fill.size, fill.price) for fill in fills), ZERO)
        total = sum((fill.fee for fill in fills), ZERO)
        tier = {
            "pricing_tier": "Intro",
            "taker_fee_rate": text(spec.taker_fee_rate),
            "maker_fee_rate": text(spec.maker_fee_rate),
            "aop_from": "",
            "aop_to": "",
            "usd_from": "0",
            "usd_to": "",
            "volume_types_and_range": [],
        }
        return {
            "total_volume": float(volume),
            "total_fees": float(total),
            "fee_tier": tier,
            "margin_rate": None,
            "goods_and_services_tax": None,
            "advanced_trade_only_volume": float(volume),
            "advanced_trade_only_fees": float(total),
            "coinbase_pro_volume": 0.0,
            "coinbase_pro_fees": 0.0,
            "total_balance": text(self._money.account(call.key.account).equity),
            "has_promo_fee": False,
            "volume_breakdown": [],
            "has_cost_plus_commission": False,
        }

    # portfolios

    async def portfolios(self, call: Call) -> Json:
        wanted = call.one("portfolio_type")
        found = [_portfolio(call.key)] if wanted in ("", "DEFAULT", "UNDEFINED") else []
        return {"portfolios": found}

    async def breakdown(self, call: Call) -> Json:
        key = call.key
        if call.path["uuid"] != key.portfolio_id:
            raise ApiError(404, "NOT_FOUND", "portfolio not found")
        money = self._money.account(key.account)
        unrealised = money.equity - money.cash
        balances = {
            "total_balance": amount(money.equity),
            "total_futures_balance": amount(money.equity),
            "total_cash_equivalent_balance": amount(ZERO),
            "total_crypto_balance": amount(ZERO),
            "futures_unrealized_pnl": amount(unrealised),
            "perp_unrealized_pnl": amount(ZERO),
        }
        return {
            "breakdown": {
                "portfolio": _portfolio(key),
                "portfolio_balances": balances,
                "spot_positions": [],
                "perp_positions": [],
                "futures_positions": [_breakdown_position(each) for each in self._money.positions(key.account)],
            }
        }

    async def refuse_portfolio(self, call: Call) -> Json:  # noqa: ARG002
        raise ApiError(501, "UNIMPLEMENTED", "the simulated venue has one portfolio an account")

    async def refuse_transfer(self, call: Call) -> Json:  # noqa: ARG002
        raise ApiError(501, "UNIMPLEMENTED", "the simulated venue moves no funds between portfolios")

    # futures

    async def balance_summary(self, call: Call) -> Json:
        return self._money.balance_json(call.key.account)

    async def positions(self, call: Call) -> Json:
        return {"positions": self._money.positions(call.key.account, lag_ns=call.lag_ns)}

    async def position(self, call: Call) -> Json:
        product_id = call.path["product_id"]
        found = [each for each in self._money.positions(call.key.account) if each["product_id"] == product_id]
        if found:
            return {"position": found[0]}
        if self._quirks.live:
            return {"position": None}
        raise ApiError(404, "NOT_FOUND", f"no position in {product_id}")

    async def sweeps(self, call: Call) -> Json:  # noqa: ARG002
        return {"sweeps": []}

    async def refuse_sweep(self, call: Call) -> Json:
        if call.body.get("usd_amount") is not None and decimal_of(call.body["usd_amount"]) is None:
            raise ApiError(400, "INVALID_ARGUMENT", "usd_amount must be a number")
        raise ApiError(501, "UNIMPLEMENTED", "all money of the simulated venue lies with the futures broker")

    async def cancel_sweep(self, call: Call) -> Json:  # noqa: ARG002
        return {"success": False}

    async def margin_setting(self, call: Call) -> Json:
        return {"setting": self._money.settings[call.key.account]}

    async def set_margin_setting(self, call: Call) -> Json:
        setting = call.text("setting")
        if setting not in SETTINGS:
            raise ApiError(400, "INVALID_ARGUMENT", f"setting must be one of {', '.join(sorted(SETTINGS))}")
        self._money.settings[call.key.account] = setting
        return {}

    async def margin_window(self, call: Call) -> Json:
        if call.one("margin_profile_type") not in PROFILES:
            raise ApiError(400, "INVALID_ARGUMENT", "unknown margin_profile_type")
        now_ns = self._running.now_ns
        intraday = self._quirks.window == "intraday" if self._quirks.window else is_intraday(now_ns)
        name = "INTRADAY" if intraday else "OVERNIGHT"
        return {
            "margin_window": {
                "margin_window_type": f"MARGIN_WINDOW_TYPE_{name}",
                "end_time": stamp(window_end_ns(now_ns)),
            },
            "is_intraday_margin_killswitch_enabled": False,
            "is_intraday_margin_enrollment_killswitch_enabled": False,
        }

    async def retired(self, call: Call) -> Json:  # noqa: ARG002
        raise ApiError(403, "PERMISSION_DENIED", RETIRED)


INTX: Final = (
    ("POST", "/allocate"),
    ("GET", "/portfolio/{uuid}"),
    ("GET", "/positions/{uuid}"),
    ("GET", "/positions/{uuid}/{symbol}"),
    ("GET", "/balances/{uuid}"),
    ("POST", "/multi_asset_collateral"),
)


def _portfolio(key: ApiKey) -> Json:
    return {"name": "Default", "uuid": key.portfolio_id, "type": "DEFAULT", "deleted": False}


def _breakdown_position(position: Json) -> Json:
    return {
        "product_id": position["product_id"],
        "contract_size": position["contract_size"],
        "side": f"FUTURES_POSITION_SIDE_{position['side']}",
        "amount": position["number_of_contracts"],
        "avg_entry_price": _plain(position["avg_entry_price"]),
        "current_price": _plain(position["current_price"]),
        "unrealized_pnl": _plain(position["unrealized_pnl"]),
        "expiry": position["expiration_time"],
        "underlying_asset": "",
        "asset_img_url": "",
        "product_name": position["product_id"],
        "venue": "CDE",
        "notional_value": _plain(position["position_notional"]),
        "asset_color": "",
    }


def _plain(value: object) -> object:
    return value["value"] if isinstance(value, dict) else value
