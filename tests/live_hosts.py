"""A host that runs a Xen of paper: its tools are programs in a folder, and what Xen knows is a file beside them.

    host = LiveHostFiles(root, folder)      # a target with `commands`, as `--host` has
    host.xen.boot(policydb)                 # a boot: domains are gone but domain 0
    host.xen.start("web", "domU_t")         # a guest runs

The tools behave as ECOSYSTEM.md says of the real ones: a load carries booleans over by name, a domain whose type is
gone becomes `unlabeled_t` and is seen no more, and `xl` tells no reason but "Operation not permitted".
"""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from polpkg.errors import HostError, PolicyError
from polpkg.policy.abi import load_abi
from polpkg.policy.policydb import lift, read_policydb
from polpkg.targets.host.commands import Completed
from polpkg.targets.live.known_policy import KnownPolicy
from polpkg.targets.tree import TreeTarget

TOOLS = ("xl", "flask-loadpolicy", "flask-get-bool", "flask-set-bool", "flask-label-pci")
CONTEXT = "system_u:system_r:"
STATE = "/var/lib/polpkg"


class PaperXen:
    """What the hypervisor knows, in `folder`."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.file = self.folder / "state.json"

    @property
    def state(self):
        return json.loads(self.file.read_text())

    def change(self, **values):
        state = {**self.state, **values} if self.file.exists() else values
        beside = self.file.with_suffix(".new")
        beside.write_text(json.dumps(state))
        beside.rename(self.file)

    @property
    def loaded(self):
        path = self.folder / "loaded"
        return path.read_bytes() if path.exists() else b""

    def boot(self, policydb=b"", version="4.17.7", command_line="xsm=flask flask=enforcing"):
        (self.folder / "loaded").write_bytes(policydb)
        booleans = KnownPolicy(policydb, "").booleans if policydb else {}
        label = f"{CONTEXT}dom0_t" if policydb else "dom0"
        self.change(
            version=version,
            command_line=command_line,
            domains=[[0, "Domain-0", label]],
            booleans=booleans,
            log="(XEN) Xen starts\n",
            enforcing=True,
            labels=[],
            boot=str(len(self.state["boot"]) if self.file.exists() else 0) + "boot" * 3,
        )

    def start(self, name, type_name):
        label = CONTEXT + type_name if self.loaded else f"{CONTEXT}xen_t"
        domains = self.state["domains"]
        self.change(domains=[*domains, [len(domains), name, label]])

    def stop(self, name):
        self.change(domains=[row for row in self.state["domains"] if row[1] != name])

    def say(self, line):
        self.change(log=self.state["log"] + f"(XEN) {line}\n")

    def load(self, policydb):
        """Whether Xen takes it."""
        if self.state.get("refuses"):
            self.say("Flask: out of memory")
            return False
        try:
            policy = KnownPolicy(policydb, "")
            fits = lift(read_policydb(policydb)).abi.classes == load_abi(self.state["version"]).classes
        except PolicyError:
            fits = False
        if not fits:
            self.say("Flask: the classes of the policy are not those of this Xen")
            return False
        before = self.loaded and KnownPolicy(self.loaded, "")
        if before and not before.may_load("dom0_t"):
            self.say(
                f"avc:  denied  {{ load_policy }} for source=d0 scontext={CONTEXT}dom0_t tcontext=x tclass=security"
            )
            return False
        booleans = {name: self.state["booleans"].get(name, value) for name, value in policy.booleans.items()}
        domains = [[n, name, self._relabel(policy, label)] for n, name, label in self.state["domains"]]
        (self.folder / "loaded").write_bytes(policydb)
        self.change(booleans=booleans, domains=domains, labels=[], log=self.state["log"])
        return True

    @staticmethod
    def _relabel(policy, label):
        if label == "dom0":
            return f"{CONTEXT}dom0_t"
        known = policy.linked.number_of_type(label.split(":")[2]) >= 0
        return label if known else f"{CONTEXT}unlabeled_t"


def tell(*lines):
    """Print, as the tools do."""
    sys.stdout.writelines(f"{line}\n" for line in lines)


def run_tool(folder, name, words):
    """What a tool does: its status, and what it prints."""
    xen = PaperXen(folder)
    state = xen.state
    match [name, *words]:
        case ["xl", "list", "-Z"]:
            tell("Name                                        ID   Mem VCPUs\tState\tTime(s)   Security Label")
            for number, domain, label in state["domains"]:
                if "unlabeled_t" not in label:
                    tell(f"{domain:<40} {number:5} {512:5} {1:5}     r-----  {0.5:8.1f} {label:>16}")
        case ["xl", "info"]:
            tell(
                f"host                   : box\nxen_major              : 4\nxen_version            : {state['version']}"
            )
            tell(f"xen_commandline        : {state['command_line']}", "xen_changeset          : ")
        case ["xl", "getenforce"]:
            tell("Enforcing" if state["enforcing"] else "Permissive")
        case ["xl", "setenforce", value]:
            xen.change(enforcing=value == "1")
        case ["xl", "dmesg"]:
            sys.stdout.write(state["log"])
        case ["xl", "domname", number]:
            found = [domain for n, domain, _ in state["domains"] if n == int(number)]
            tell(*found)
            return 0 if found else 1
        case ["xl", "loadpolicy", file] | ["flask-loadpolicy", file]:
            if not xen.load(Path(file).read_bytes()):
                sys.stderr.write("Unable to load new Flask policy: Operation not permitted\n")
                return 255
            tell("Successfully loaded policy.")
        case ["flask-get-bool", "-a"]:
            for boolean, value in state["booleans"].items():
                tell(f"{boolean}: {int(value)}")
        case ["flask-set-bool", boolean, value]:
            if boolean not in state["booleans"]:
                return 2
            xen.change(booleans={**state["booleans"], boolean: value == "1"})
        case ["flask-label-pci", address, context]:
            xen.change(labels=[*state["labels"], [address, context]])
        case _:
            return 1
    return 0


class LiveHostFiles(TreeTarget):
    """The files below `root`, and programs that see them; implements `HostTarget`.

    `cut_by`: digests of policies under which nothing gets through.  `lost`: whether the connection is gone for good.
    `ran`: every command.  `without`: tools that are not there.
    """

    def __init__(self, root, folder):
        super().__init__(str(root))
        self.folder = Path(folder)
        self.xen = PaperXen(folder)
        self.cut_by = set()
        self.lost = False
        self.after_load = None
        self.ran = []
        self.connections = 0
        self._make_tools()

    def _make_tools(self):
        tests = Path(__file__).resolve().parent
        for tool in TOOLS:
            program = self.folder / "bin" / tool
            program.parent.mkdir(parents=True, exist_ok=True)
            program.write_text(
                f"#!{sys.executable}\nimport sys\nsys.path[:0] = {[str(tests), *sys.path]!r}\n"
                f"from live_hosts import run_tool\nsys.exit(run_tool({str(self.folder)!r}, {tool!r}, sys.argv[1:]))\n"
            )
            program.chmod(0o755)

    def remove_tool(self, name):
        (self.folder / "bin" / name).unlink()

    @property
    def name(self):
        return "ssh://box"

    @property
    def commands(self):
        return self

    def connect_again(self):
        self._check()
        self.connections += 1
        return self

    def _check(self):
        if self.lost or self.xen.loaded in self.cut_by:
            raise HostError("connection-lost", "the connection to ssh://box was lost")

    def run(self, argv, *, stdin=b"", timeout=60.0):
        self._check()
        self.ran.append(list(argv))
        if list(argv) == ["cat", "/proc/sys/kernel/random/boot_id"]:
            return Completed(0, self.xen.state["boot"].encode() + b"\n")
        words = [word.replace(STATE, f"{self.root}{STATE}") for word in argv]
        path = f"{self.folder}/bin:{os.defpath}"
        program = shutil.which(words[0], path=path)
        if program is None:
            return Completed(127, b"", b"not found\n")
        ended = self._run_here(words) if words[0] in TOOLS else _run_there([program, *words[1:]], path, stdin, timeout)
        if words[1:2] == ["loadpolicy"] and self.after_load:
            self.after_load()
        return ended

    def _run_here(self, words):
        """A tool, without a process: those are for the guard."""
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            status = run_tool(self.folder, words[0], words[1:])
        return Completed(status, out.getvalue().encode(), err.getvalue().encode())

    def wait_for_guard(self, phase, seconds=30):
        """Until the trial is in this phase."""
        from time import monotonic, sleep

        path = Path(self.root + STATE) / "live" / phase
        end = monotonic() + seconds
        while not path.exists():
            assert monotonic() < end, f"the guard did not come to `{phase}`: {list(path.parent.iterdir())}"
            sleep(0.1)


def _run_there(words, path, stdin, timeout):
    environment = {"PATH": path, "LC_ALL": "C"}
    ended = subprocess.run(words, input=stdin, capture_output=True, check=False, timeout=timeout, env=environment)
    return Completed(ended.returncode, ended.stdout, ended.stderr)
