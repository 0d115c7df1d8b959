"""`iiszoo train`: from a configuration to a run directory with a network to benchmark."""
