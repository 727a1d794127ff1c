"""Running a compiler that is not ours, and believing only what it has written.

Both tools of the SELinux project leave a short file behind when they fail, and have been seen to end with success and a
file that nobody can load: so the output is read back, whole, before it is handed on.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from polpkg.diagnostics import Diagnostic
from polpkg.errors import PolicyError, PolpkgError
from polpkg.policy.policydb.reader import read_policydb

if TYPE_CHECKING:
    from subprocess import CompletedProcess

_MAX_MESSAGES = 20


class Tool:
    """A compiler found on PATH.  `package` is the Debian package that has it."""

    def __init__(self, name: str, package: str) -> None:
        self.name = name
        self.package = package

    def why_missing(self) -> str | None:
        """None when the tool is there, otherwise the reason why it cannot be used."""
        from shutil import which

        return None if which(self.name) else f"{self.name} is not installed"

    def output(self, arguments: Sequence[str]) -> str:
        """What the tool prints when run with `arguments`.  Raises PolpkgError `backend-missing`."""
        result = self._run(arguments)
        return result.stdout + result.stderr

    def compile(self, source: str, suffix: str, arguments: Sequence[str], version: int, *, mls: bool) -> bytes:
        """What the tool makes of the text `source`.

        `arguments` are followed by the input and `-o` with the output.  Raises PolpkgError `backend-missing`, and
        PolicyError `backend-failed` with the tool's messages, or `backend-output` when what it wrote is not a whole
        policy of `version`, with MLS or without as asked.
        """
        from tempfile import TemporaryDirectory

        with TemporaryDirectory(prefix="polpkg-") as directory:
            given, made = Path(directory, f"policy.{suffix}"), Path(directory, "policydb")
            given.write_text(source, encoding="utf-8")
            result = self._run([*arguments, str(given), "-o", str(made)])
            if result.returncode:
                raise PolicyError.of(self._messages(result.stdout + result.stderr, directory))
            data = made.read_bytes() if made.exists() else b""
        self._check(data, version, mls=mls)
        return data

    def _run(self, arguments: Sequence[str]) -> CompletedProcess[str]:
        import os
        import subprocess

        if reason := self.why_missing():
            raise PolpkgError("backend-missing", reason, hint=f"apt install {self.package}, or use the builtin backend")
        environment = {**os.environ, "LC_ALL": "C"}
        return subprocess.run(
            [self.name, *arguments], capture_output=True, text=True, errors="replace", env=environment, check=False
        )

    def _messages(self, output: str, directory: str) -> list[Diagnostic]:
        lines = [line.strip() for line in output.replace(f"{directory}/", "").splitlines() if line.strip()]
        shown = lines[:_MAX_MESSAGES] or ["no message"]
        return [Diagnostic("backend-failed", f"{self.name}: {line}") for line in shown]

    def _check(self, data: bytes, version: int, *, mls: bool) -> None:
        try:
            policy = read_policydb(data)
        except PolicyError as error:
            raise PolicyError(
                "backend-output", f"{self.name} wrote {len(data)} bytes that are not a policy: {error.message}"
            ) from error
        if policy.version != version or policy.is_mls != mls or policy.trailing:
            raise PolicyError("backend-output", f"{self.name} wrote another policy than the one asked for")
