"""What can a person ask for? One file per command group; parses, calls, prints."""
