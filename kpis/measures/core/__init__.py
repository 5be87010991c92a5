"""What turns a measure's declaration into values, intervals, rows and a query."""
