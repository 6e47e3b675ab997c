"""What does each stage of the hallway decide? Four handlers, independent of one another."""
