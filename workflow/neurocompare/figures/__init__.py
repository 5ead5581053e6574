"""Drawing: figures are made from tables and small summaries only."""
