"""How much may we lose, and how much is that in contracts? Pure rules and the manager that applies them."""
