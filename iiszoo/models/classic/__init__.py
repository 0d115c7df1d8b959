"""Weight-free models, the id family `classic`: `geocut` (the tool's default), `grabcut` and `random_walker`."""
