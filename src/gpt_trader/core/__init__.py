"""What do we talk about? Values, events, clock, bus, the journal port and the error tree; no I/O, no logging."""
