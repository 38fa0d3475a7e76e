"""A results folder: finished tasks as checked Parquet files, what was planned, what failed, and tables of all of it."""
