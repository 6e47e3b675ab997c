"""Is a new engine better on a share of the orders? plan: what was agreed beforehand; evidence: what the orders say, as
pure statistics; share: which engine an intent goes to, and what follows from the evidence; report: the story of it."""
