"""The family `classic`, models without weights: `geocut` (the tool's default), `grabcut` and `random-walker`."""
