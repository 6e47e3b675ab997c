"""Can other programs trade here? The simulated venue as a server that speaks Coinbase Advanced Trade on loopback."""
