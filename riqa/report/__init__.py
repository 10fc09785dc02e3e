"""Results as records, the paper's numbers, tables and figures."""
