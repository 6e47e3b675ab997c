"""What changed from layout to layout? One file a step, named by its number."""
