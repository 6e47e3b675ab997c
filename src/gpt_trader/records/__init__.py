"""What happened? The append-only event store and what is computed from it; never calls back into the order path."""
