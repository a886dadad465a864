"""A device whose disk is a real one of a few megabytes."""

import os
import shlex
import subprocess

from tests.deploy.device.material import Place

FILL = "dd if=/dev/zero of={home}/ballast bs=4096 2>&1 | grep -q 'No space left'"


def on_a_small_disk(place: Place, megabytes: float, *steps: str) -> None:
    """Run shell commands with a file system of this size under the device's folder, then copy what it holds back."""
    out = place.home.with_name("seen")
    home = shlex.quote(str(place.home))
    script = [
        "set -e",
        f"cp -a {home} {home}.seed",
        f"mount -t tmpfs -o size={int(megabytes * 1024)}k none {home}",
        f"cp -a {home}.seed/. {home}/",
        *steps,
        f"rm -f {home}/ballast",
        f"cp -a {home} {out}",
    ]
    # Who is not root is root in a namespace of their own, where mounting harms nobody.
    alone = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    command = [*alone, "sh", "-c", "\n".join(script)]
    done = subprocess.run(command, env=place.environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    place.home = out
