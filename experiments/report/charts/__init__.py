"""The charts of the report, each a function from a setting to a `Figure` of Vega-Lite specifications."""
