"""GPT-Trader: a dual-engine perpetual-futures trading bot."""

__version__ = "0.1.0"
