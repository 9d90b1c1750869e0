"""What is done with scores: tables, formats, intervals, the paper's numbers beside them."""
