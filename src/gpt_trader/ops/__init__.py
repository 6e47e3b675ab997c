"""Who runs the bot for a person? Runner, panel, control."""
