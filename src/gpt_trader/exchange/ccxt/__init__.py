"""How do exchanges that CCXT knows say it? Binance USD-M first, any linear swap exchange by configuration.

`adapter.py` has the promises of the port, `binance.py` what is special about Binance. The library is heavy: nothing
here is imported before a profile asks for it.
"""
