"""What do the figures say? A Prometheus endpoint beside the bot: counted in a thread of its own, read on request."""
