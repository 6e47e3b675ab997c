"""What does the advanced engine furnish the hallway with?"""
