"""How is it shown? Tables, plots and text for people."""
