"""What was asked for, and who said so? Settings with the source of every value."""
