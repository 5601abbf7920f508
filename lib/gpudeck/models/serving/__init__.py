"""LLM serving: requests in, iterations of a batch, tokens out."""
