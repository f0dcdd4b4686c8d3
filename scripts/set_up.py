r"""Makes the environment in which everything runs; called by the Makefile.

Steps that are done are recorded in the environment, so that a second call
does nothing and an interrupted one goes on where it was.
"""

import argparse
import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
EXTRAS = "b3,ogb,mutag,test,lint"
EXTENSIONS = ["torch-scatter", "torch-cluster"]
NUM_STEPS = 5


class Environment:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.python = folder / "bin" / "python"
        self.log = folder / "setup.log"
        self.constraints = folder / "constraints.txt"
        self.record = folder / "setup.json"
        self.done = json.loads(self.record.read_text()) if self.record.exists() else {}

    def mark(self, **done: object) -> None:
        self.done.update(done)
        draft = self.record.with_suffix(".tmp")
        draft.write_text(json.dumps(self.done, indent=2) + "\n")
        draft.replace(self.record)

    def pip(self, *args: str, **variables: str) -> bool:
        r"""Runs :obj:`pip install` and tells whether it succeeded."""
        options = ["--disable-pip-version-check", "--no-input", "--progress-bar", "off"]
        install = ("-m", "pip", "install", *options)
        return self.run(self.python, *install, *args, **variables)

    def run(self, *command: str | Path, **variables: str) -> bool:
        r"""Runs a command into the log, with a sign of life on screen."""
        start = shown = time.monotonic()
        live = sys.stdout.isatty()
        with self.log.open("a") as log:
            print("\n$", shlex.join(map(str, command)), file=log, flush=True)
            process = subprocess.Popen(
                command,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=PROJECT,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **variables},
            )
            try:
                while process.poll() is None:
                    time.sleep(0.2)
                    now = time.monotonic()
                    if now - shown >= (1 if live else 30):
                        shown = now
                        self.show(int(now - start), live)
            except KeyboardInterrupt:
                process.wait()
                raise
        if live:
            print("\r\033[K", end="", flush=True)
        return process.returncode == 0

    def show(self, seconds: int, live: bool) -> None:
        with self.log.open("rb") as log:
            log.seek(max(0, self.log.stat().st_size - 4000))
            lines = log.read().decode(errors="replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "")
        line = f"      {seconds // 60}:{seconds % 60:02d}  {last[:60]}"
        print(f"\r\033[K{line}" if live else line, end="" if live else "\n", flush=True)

    def version(self, package: str) -> str:
        code = f"from importlib.metadata import version; print(version({package!r}))"
        command = (str(self.python), "-c", code)
        return subprocess.check_output(command, text=True).strip()

    def stop(self, what: str) -> None:
        if self.log.exists():
            print(*self.log.read_text(errors="replace").splitlines()[-15:], sep="\n")
        sys.exit(f"\nSet-up failed: {what}. The whole log is {self.log}")


def announce(step: int, text: str) -> None:
    print(f"[{step}/{NUM_STEPS}] {text}", flush=True)


def install_torch(env: Environment, requirement: str) -> None:
    announce(2, f"installing {requirement}")
    wanted = shlex.split(requirement)
    # Without force, pip would take an installed torch==X+cpu for torch==X+cu128.
    anew = ["--force-reinstall", "--no-deps"]
    replaced = "torch" not in env.done or env.pip(*anew, *wanted)
    if not (replaced and env.pip(*wanted)):
        env.stop(f"pip could not install {requirement!r}")
    # Whatever comes later must not replace this build.
    env.constraints.write_text(f"torch=={env.version('torch')}\n")
    env.mark(torch=requirement, project=None)


def install_project(env: Environment, key: str) -> None:
    announce(3, f"installing this package, its dependencies and extras: {EXTRAS}")
    constraints = str(env.constraints)
    # The extensions of step 4 are built without isolation, by these two.
    tools = ["setuptools>=77", "wheel"]
    if not env.pip("-c", constraints, *tools, "-e", f"{PROJECT}[{EXTRAS}]"):
        env.stop("pip could not install the package")
    env.mark(project=key)


def install_extensions(env: Environment, rebuild: bool) -> None:
    names = " and ".join(EXTENSIONS)
    announce(4, f"building {names}: this takes minutes (log: {env.log})")
    # They compile one file at a time unless setuptools is told otherwise.
    config = env.folder / "build.cfg"
    config.write_text(f"[build_ext]\nparallel = {os.cpu_count() or 1}\n")
    anew = ["--no-cache-dir", "--force-reinstall", "--no-deps"]
    check = "import torch_scatter, torch_cluster"

    def build(*options: str) -> bool:
        return env.pip(
            *("-c", str(env.constraints), "--no-build-isolation"),
            *options,
            *EXTENSIONS,
            DIST_EXTRA_CONFIG=os.environ.get("DIST_EXTRA_CONFIG", str(config)),
        )

    built = build(*(anew if rebuild else []))
    fits = built and env.run(env.python, "-W", "ignore", "-c", check)
    if built and not fits and not rebuild:
        print(
            "      pip's cached build is for another torch: building anew", flush=True
        )
        built = build(*anew)
        fits = built and env.run(env.python, "-W", "ignore", "-c", check)
    env.mark(extensions={"torch": env.version("torch"), "built": fits})
    if not fits:
        env.run(env.python, "-m", "pip", "uninstall", "--yes", *EXTENSIONS)
        compiler = any(map(shutil.which, ("c++", "g++", "clang++")))
        reason = "the build failed" if compiler else "there is no C++ compiler"
        print(
            f"      NOT built: {reason}. Going on without: walks then run in plain\n"
            f"      torch. `make extensions` tries again; details: {env.log}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--torch", required=True, help="what pip installs as torch")
    parser.add_argument("--replace-torch", action="store_true")
    parser.add_argument("--rebuild-extensions", action="store_true")
    args = parser.parse_args()

    env = Environment(args.folder.absolute())
    key = hashlib.sha256((PROJECT / "pyproject.toml").read_bytes()).hexdigest()
    if not env.done:
        announce(1, f"creating {args.folder} (Python {sys.version.split()[0]})")
        env.folder.mkdir(parents=True, exist_ok=True)
        if not env.run(sys.executable, "-m", "venv", env.folder):
            env.stop("Python's venv module could not create the environment")
        env.mark(python=sys.version)

    had_torch = env.done.get("torch")
    if had_torch is None or (args.replace_torch and had_torch != args.torch):
        install_torch(env, args.torch)
    if env.done.get("project") != key:
        install_project(env, key)
    extensions = env.done.get("extensions", {})
    outdated = extensions.get("torch") != env.version("torch")
    if outdated or args.rebuild_extensions:
        replaced = bool(extensions) and outdated
        install_extensions(env, rebuild=args.rebuild_extensions or replaced)
    if env.done.get("ready") != env.done["extensions"] | {"project": key}:
        versions = [f"{p} {env.version(p)}" for p in ("torch", "torch-geometric")]
        announce(5, f"ready: {', '.join(versions)}")
        env.mark(ready=env.done["extensions"] | {"project": key})


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nInterrupted: the next `make` goes on from here")
