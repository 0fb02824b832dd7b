"""The table of models: what may be asked for, where it comes from, and what a server holds."""

from rich.console import Console
from rich.filesize import decimal
from rich.table import Table

from asr.pipeline.models import ModelInfo, ModelStore
from asr.terminal.exits import DONE
from asr.terminal.reach import health

COMMIT_LETTERS = 12  # enough to tell one from all others
PIPE_COLUMNS = 200  # what reads a pipe wants whole rows


def show_models(store: ModelStore, *, host: str, port: int) -> int:
    """Print the table; a server that runs at this address is asked what it has loaded."""
    console = Console()
    if not console.is_terminal:
        console.width = PIPE_COLUMNS
    console.print(table(store, loaded(host, port)))
    return DONE


def table(store: ModelStore, loaded: frozenset[str]) -> Table:
    """One row a model; the default one is marked with a star."""
    rows = Table(box=None)
    for title in ("model", "from", "where", "revision", "size", "state"):
        rows.add_column(title, overflow="fold")
    for model in store.catalogue():
        star = " *" if model.name == store.default else ""
        rows.add_row(
            model.name + star,
            model.origin,
            model.location,
            (model.revision or "")[:COMMIT_LETTERS],
            decimal(model.bytes) if model.bytes is not None else "",
            state(model, loaded),
        )
    return rows


def state(model: ModelInfo, loaded: frozenset[str]) -> str:
    """How near a model is to answering."""
    if model.name in loaded:
        return "loaded"
    return "on disk" if model.on_disk else "fetched at first use"


def loaded(host: str, port: int) -> frozenset[str]:
    """The models in the memory of the server at this address; none if there is no server."""
    said = health(host, port)
    return frozenset(map(str, said["loaded_models"])) if said else frozenset()
