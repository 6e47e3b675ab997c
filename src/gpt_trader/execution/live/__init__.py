"""What does the baseline engine furnish the hallway with?"""
