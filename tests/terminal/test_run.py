"""run.py as people start it: in a process of its own, from any folder."""

import os
import subprocess
import sys
from pathlib import Path

from asr import __version__

ROOT = Path(__file__).resolve().parent.parent.parent


def run(*argv: str, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *argv]
    env = os.environ | environ
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)


def test_it_starts_from_any_folder_with_the_standard_library_in_its_place(tmp_path: Path) -> None:
    ended = run(str(ROOT / "run.py"), "--version", cwd=tmp_path)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, f"asr-service {__version__}\n", "")


def test_settings_that_cannot_be_used_are_named_and_nothing_is_started(tmp_path: Path) -> None:
    ended = run(str(ROOT / "run.py"), "models", cwd=tmp_path, PORT="many", ASR_LOG_LEVLE="info")
    assert (ended.returncode, ended.stdout, ended.stderr) == (
        2,
        "",
        "asr-service: ASR_LOG_LEVLE in the environment is not a setting; "
        "did you mean ASR_LOG_LEVEL?\n"
        "asr-service: PORT cannot be 'many': expected a whole number, from 0 to 65535\n",
    )


def loaded(code: str, *names: str) -> set[str]:
    """Those of the modules that a process has imported after running the code."""
    code = f"import contextlib, sys\n{code}\nprint('', *({{*sys.modules}} & {set(names)}))"
    ended = run("-c", code, cwd=ROOT)
    assert ended.returncode == 0, ended.stderr
    return set(ended.stdout.splitlines()[-1].split())


def test_help_comes_before_anything_that_takes_time() -> None:
    code = "import asr.run\nwith contextlib.suppress(SystemExit): asr.run.main(['--help'])"
    assert loaded(code, "trio", "quart", "pydantic", "numpy", "rich") == set()


def test_everything_but_the_engine_starts_without_the_libraries_that_take_seconds() -> None:
    code = (
        "import asr.settings, asr.actors.house, asr.http.server, asr.pipeline.device\n"
        "import asr.terminal.serve, asr.terminal.transcribe, asr.terminal.models\n"
        "import asr.terminal.bench, asr.terminal.doctor, asr.terminal.completion"
    )
    slow = ("mlx", "mlx_whisper", "whispermlx", "torch", "pyannote", "huggingface_hub")
    assert loaded(code, *slow) == set()
