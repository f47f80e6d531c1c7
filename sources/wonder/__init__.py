"""CDC WONDER exports made by hand: reading table and footer, and comparing the query with the recipe."""
