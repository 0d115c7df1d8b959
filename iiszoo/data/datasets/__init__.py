"""One file a dataset: where its files lie and how a mask file becomes a target region."""
