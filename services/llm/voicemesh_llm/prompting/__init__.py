"""From a request to the prompt that an engine gets."""
