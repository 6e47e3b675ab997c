"""What becomes of the bot on a bad day? Seeded days of disasters on virtual time, judged by the invariants."""
