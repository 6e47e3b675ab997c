"""What must always be true, and is it? The invariants by number, each with its checks, its verdict and its policy.

`table` names them all. `log` holds with every event, `house` at rest between two steps, `sending` when an order leaves,
`truth` against what the venue holds. `watch` runs them in production; simulations run them after every step.
"""
