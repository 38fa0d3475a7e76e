"""A gap table in every form it leaves the program: terminal, Markdown, LaTeX, data files, figure."""
