"""What a benchmark stores: run directories, traces, summaries, provenance; and the check of a dataset before a run."""
