"""The forecast: hazards fitted on the user's own past, one recursion, one distribution of revenue."""
