"""Does it work, or does it only seem to? Backtests and what follows from them."""
