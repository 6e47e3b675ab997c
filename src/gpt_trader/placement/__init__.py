"""How does an approved order get into the market, and what became of it?"""
