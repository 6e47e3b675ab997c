"""What do we want? Strategies return signals and nothing else."""
