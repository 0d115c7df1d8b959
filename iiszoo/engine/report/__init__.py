"""What a benchmark shows: the table, the page with its charts and pictures, and published figures."""
