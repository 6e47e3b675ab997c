"""What would an exchange do? The simulated perpetuals exchange: compiled matching, margin, funding, liquidation."""
