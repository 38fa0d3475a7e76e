"""Running experiments: what is not finished yet is computed, here, on all cores or on a cluster, and kept."""
