"""Who is woken? Messages about what happened, by severity, through a notification library and beside the bot."""
