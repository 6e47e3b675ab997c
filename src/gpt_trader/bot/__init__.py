"""Who puts it all together and keeps it running? Builder, bot, recovery."""
