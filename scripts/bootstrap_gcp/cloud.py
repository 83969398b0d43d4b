"""The programs gcloud, bq and kubectl: reads and changes.

Their commands and options: https://cloud.google.com/sdk/gcloud/reference,
https://cloud.google.com/bigquery/docs/reference/bq-cli-reference and https://kubernetes.io/docs/reference/kubectl/.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

ABSENT = r"not[ _]?found|matched no objects|SERVICE_DISABLED|API has not been used"
"""The programs' messages for a missing resource, or for a service that is not enabled yet."""


class SetupError(Exception):
    """A precondition is not met; the message says what to do."""


class Cloud:
    """Runs the programs: reads always, changes only if this is not a dry run.

    Args:
        project: the Google Cloud project.
        dry_run: whether commands that change something are only printed.
        folder: a folder of this machine for the files that commands read.
    """

    def __init__(self, project: str, dry_run: bool, folder: Path) -> None:
        self.dry_run, self.folder, self.project, self.changes = dry_run, folder, project, 0
        self.kubeconfig = folder / "kubeconfig"
        self._seen: dict[tuple[str, ...], str | None] = {}
        self.environment = {**os.environ, "KUBECONFIG": str(self.kubeconfig), "CLOUDSDK_CORE_DISABLE_PROMPTS": "1"}

    def gcloud(self, *arguments: str) -> list[str]:
        """A gcloud command for the project."""
        return ["gcloud", *arguments, f"--project={self.project}"]

    def bq(self, *arguments: str) -> list[str]:
        """A bq command for the project."""
        return ["bq", f"--project_id={self.project}", *arguments]

    def read(self, command: Sequence[str]) -> str | None:
        """Return the output of a read-only command; None if the resource is missing.

        Raises:
            SetupError: it failed otherwise: a resource without read permission must not be taken for a missing one.
        """
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return done.stdout
        output = (done.stderr + done.stdout).strip()
        if re.search(ABSENT, output, re.IGNORECASE):
            return None
        raise SetupError(f"{shlex.join(command)} failed:\n{output}")

    def see(self, command: Sequence[str]) -> Any:
        """Return the JSON output of a read-only command of gcloud; None if the resource is missing."""
        return self.described([*command, "--format=json"])

    def described(self, command: Sequence[str]) -> Any:
        """Return the resource that a read-only command prints as JSON; None if it is missing.

        It is valid until the next change: each start of a program takes a second, and several steps look at the same
        resource.
        """
        key = tuple(command)
        if key not in self._seen:
            self._seen[key] = self.read(command)
        text = self._seen[key]
        return None if text is None else json.loads(text)

    def change(self, command: Sequence[str], secret: str | None = None) -> None:
        """Print a command, and run it unless this is a dry run.

        Args:
            command: the command.
            secret: its standard input, which is not printed.

        Raises:
            SetupError: it failed.
        """
        print(shlex.join(command), flush=True)
        self.changes += 1
        if self.dry_run:
            return
        self._seen.clear()
        done = subprocess.run(command, env=self.environment, stdout=sys.stderr, input=secret, text=True, check=False)
        if done.returncode:
            raise SetupError(f"failed: {shlex.join(command)}")

    def grant(self, kind: Sequence[str], target: str, member: str, role: str, *where: str) -> None:
        """Bind a role on a resource to a member, unless it is bound.

        Args:
            kind: the resource's group of commands.
            target: the resource.
            member: who gets the role.
            role: the role.
            where: options with the location of the resource.
        """
        policy = self.see(self.gcloud(*kind, "get-iam-policy", target, *where)) or {}
        for binding in policy.get("bindings", []):
            if binding["role"] == role and member in binding["members"] and not binding.get("condition"):
                return
        # Don't print the new policy.
        options = [*where, f"--member={member}", f"--role={role}", "--condition=None", "--format=none"]
        self.change(self.gcloud(*kind, "add-iam-policy-binding", target, *options))

    def write(self, name: str, content: str) -> Path:
        """Write a file that commands read."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / name
        path.write_text(content)
        return path

    def permissions_missing(self, wanted: Iterable[str]) -> list[str]:
        """Return the permissions of the project that the caller lacks.

        No gcloud command does it
        (https://cloud.google.com/resource-manager/reference/rest/v1/projects/testIamPermissions). The token goes from
        gcloud into a header; it is in no argument.
        """
        token = (self.read(["gcloud", "auth", "print-access-token"]) or "").strip()
        # gcloud's variable for another address of the service.
        base = os.environ.get(
            "CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDRESOURCEMANAGER", "https://cloudresourcemanager.googleapis.com/"
        )
        wanted = list(wanted)
        request = urllib.request.Request(  # noqa: S310  the address is https, or the caller's own
            f"{base}v1/projects/{self.project}:testIamPermissions",
            data=json.dumps({"permissions": wanted}).encode(),
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310
                granted = json.load(response).get("permissions", [])
        except urllib.error.HTTPError as error:
            raise SetupError(f"the permissions on project {self.project} can't be read: {error}") from None
        except OSError as error:
            raise SetupError(f"{base} can't be reached: {error}") from None
        return [permission for permission in wanted if permission not in granted]
