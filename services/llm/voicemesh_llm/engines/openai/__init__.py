"""The openai engine: any server that speaks the OpenAI chat completions API."""
