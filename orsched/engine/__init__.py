"""The simulation engine: decision epochs, cohorts, streams, instances and the calendar."""
