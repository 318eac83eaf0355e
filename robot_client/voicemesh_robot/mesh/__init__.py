"""The client's side of the contract: connections, conversations, what they tell."""
