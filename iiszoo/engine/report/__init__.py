"""How results are shown: the table, the page with its charts and pictures, and published figures."""
