"""How does Coinbase say it? The adapter to Coinbase Advanced Trade: its words in, ours out.

`decoding`, `replies` and `frames` read what the venue says, `products` turns contracts into base units, `bodies` puts
an order into the venue's words, `rest` asks. Only this wing knows the SDK.
"""
