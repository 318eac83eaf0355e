"""How well a mesh hears: people's recordings with their texts, and questions that are made here."""
