"""How files come here: by a package client, or from a hub; nothing carried is ever executed."""
