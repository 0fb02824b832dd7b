"""Tables in Markdown, printed row by row as the figures come."""


def print_head(*names: str) -> None:
    """The names of the columns; all but the first hold figures, so they are set to the right."""
    print_row(*names)
    print_row("---", *("---:" for _ in names[1:]))


def print_row(*cells: str) -> None:
    """One line of the table, at once."""
    print(f"| {' | '.join(cells)} |", flush=True)
