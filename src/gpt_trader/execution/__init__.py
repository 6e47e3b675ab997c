"""In which order is an order handled? The hallway, its two engines and what watches over both."""
