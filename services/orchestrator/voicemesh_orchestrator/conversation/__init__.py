"""One conversation: the user's turns, requested turns, the machine's effects."""
