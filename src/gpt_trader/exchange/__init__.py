"""How does a venue say it? One port and its adapters."""
