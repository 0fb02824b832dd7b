"""What the operator may set about the front desk."""

from dataclasses import dataclass
from typing import Literal

from asr.pipeline.setting import setting


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """Where to listen, which dialect to speak, and how long to wait for slow clients."""

    host: str = setting(
        "HOST", "127.0.0.1", "address to listen on; 0.0.0.0 opens it to the network"
    )
    port: int = setting("PORT", 9001, "port to listen on; 0 takes a free one")
    asr_dialect: Literal["auto", "classic", "wrapped"] = setting(
        "ASR_DIALECT", "auto", "answers of /asr; auto goes by the names that the client uses"
    )
    body_chunk_timeout_s: float = setting(
        "ASR_BODY_CHUNK_TIMEOUT_S", 30.0, "408 when an upload pauses for longer"
    )
    upload_max_s: float = setting("ASR_UPLOAD_MAX_S", 1800.0, "408 when an upload takes longer")
    # 64 KiB in 30 s is slower than any modem: who reads less than that does not read.
    write_timeout_s: float = setting(
        "ASR_WRITE_TIMEOUT_S", 30.0, "a client that does not read its answer is cut off"
    )
    linger_s: float = setting(
        "ASR_LINGER_S", 5.0, "how long the rest of a refused upload is read and dropped"
    )
    # Also the time for a request's head. Longer than the 5 s after which most pools reconnect.
    keep_alive_s: float = setting("ASR_KEEP_ALIVE_S", 15.0, "idle connections are closed after")
