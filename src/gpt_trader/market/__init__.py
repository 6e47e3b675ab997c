"""What did the market say? Rows, books, bars, synthetic and recorded streams."""
