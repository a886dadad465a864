"""Who runs a command: what is written down beside what is imported on somebody's word."""

import os
import pwd


def operator() -> str:
    """Return the login name of whoever runs this, behind sudo too."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = f"uid {os.getuid()}"
    behind = os.environ.get("SUDO_USER")
    return f"{behind} as {name}" if behind else name
