"""Fleet experiments from TOML specifications: schema, sample paths, runs, tables and the time-line figure."""
