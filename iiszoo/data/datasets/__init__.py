"""One file per dataset: where its files are and how a mask file becomes a target region."""
