"""The byte budget of all uploads in flight. Plain arithmetic: no await, no disk."""

from asr.pipeline.errors import Busy, TooLarge

# When another upload will have ended is anybody's guess; these are moments of a fast network.
RETRY_AFTER_S = 5.0


class Budget:
    """What uploads may claim: ``each_max`` bytes each, ``all_max`` together, of ``uploads_max``.

    An upload claims what it declared, and what it holds once that is more. One client has
    ``client_max`` of them at most, if that is given.
    """

    def __init__(
        self, *, each_max: int, all_max: int, uploads_max: int, client_max: int | None = None
    ) -> None:
        self.each_max = each_max
        self._all_max = all_max
        self._uploads_max = uploads_max
        self._client_max = uploads_max if client_max is None else client_max
        self._claims: dict[object, int] = {}
        self._clients: dict[object, str] = {}

    @property
    def uploads(self) -> int:
        return len(self._claims)

    @property
    def bytes(self) -> int:
        return sum(self._claims.values())

    def open(self, upload: object, declared: int, *, client: str | None) -> None:
        """Enter an upload, or raise TooLarge or Busy and forget it; None is no client's."""
        if self.uploads >= self._uploads_max:
            raise Busy("Too many uploads at once; try again later", retry_after_s=RETRY_AFTER_S)
        if client is not None and self._of(client) >= self._client_max:
            raise Busy(
                "This client has too many uploads under way; try again when one has ended",
                retry_after_s=RETRY_AFTER_S,
            )
        self._check(upload, declared)
        self._claims[upload] = declared
        if client is not None:
            self._clients[upload] = client

    def grow(self, upload: object, size: int) -> None:
        """Let an upload hold ``size`` bytes, or raise TooLarge or Busy and let it be as it was."""
        if size > self._claims[upload]:
            self._check(upload, size)
            self._claims[upload] = size

    def close(self, upload: object) -> None:
        self._claims.pop(upload, None)
        self._clients.pop(upload, None)

    def _of(self, client: str) -> int:
        return sum(owner == client for owner in self._clients.values())

    def _check(self, upload: object, size: int) -> None:
        if size > self.each_max:
            raise TooLarge.file(self.each_max, param="file")
        if self.bytes - self._claims.get(upload, 0) + size > self._all_max:
            raise Busy(
                "The uploads in flight hold all the space that is set aside for them;"
                " try again later",
                retry_after_s=RETRY_AFTER_S,
            )
