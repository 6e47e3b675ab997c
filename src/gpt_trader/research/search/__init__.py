"""Which settings are better, and is the difference more than luck? Many production runs on one market, and a verdict.

`space` says what may vary, `trial` runs one set of values, `workers` runs many (processes, or Ray), `study` chooses
the next ones and remembers all of them, `walk_forward` asks what choosing by the past would have earned, `verdict`
says it in words, and `optimize` puts these together.
"""
