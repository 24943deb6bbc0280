"""stage.py -- one host in one situation, with its plugins, its neighbour, its watcher and canaries.

The situations are those of docs/SANDBOX.md: a host of root, one of an ordinary user, and one of an
ordinary user whom everything that makes namespaces is denied.
"""
import json
import os
import shutil
import subprocess
import sys
import time

import host as support
from canaries import SECRET, Canaries
from host import NOBODY, Host, merged
from row import DEFAULTS, FOLDER, Plugin
from traces import PROGRAMS, Traces

SITUATIONS = {"root": "full", "user": "namespaces", "denied": "filtered"}
OBJECTS = os.path.join(support.BUILD, "tests", "hostile", "plugins")
PROCESSES = 2000  # of a host and its boxes: the tests beside it have others left
SETTLE = 2 * support.SLOW  # seconds after a row in which everything of it must be gone
SETTLE_MEMORY = 6 * support.SLOW  # the host gives memory back a second after it saw fit


def copy_programs():
    """forgesyte and its worker, where writing to them would work."""
    os.makedirs(PROGRAMS, exist_ok=True)
    for source in (support.FORGESYTE, support.WORKER):
        target = os.path.join(PROGRAMS, os.path.basename(source))
        shutil.copy(source, target)
        os.chmod(target, 0o777)
    os.chmod(PROGRAMS, 0o777)
    support.FORGESYTE = os.path.join(PROGRAMS, "forgesyte")


class Stage:
    """plugins: name -> Plugin. memory: the bytes that this host and its boxes have in all."""

    number = 0

    def __init__(self, situation, world, plugins, args=(), memory=None):
        Stage.number += 1
        self.situation, self.level = situation, SITUATIONS[situation]
        self.uid = 0 if situation == "root" else NOBODY
        self.folder = f"/tmp/stage-{Stage.number}"
        self.plugin_dir = os.path.join(self.folder, "plugins")
        os.makedirs(self.plugin_dir)
        self.cgroup = world.child(f"host-{Stage.number}", memory, PROCESSES)
        self.canaries = Canaries(os.path.join(self.folder, "canaries"), self.uid)
        self.args, self.host, self.watcher, self.peer = args, None, None, None
        spare = Plugin(os.path.join(support.BUNDLED, "crashtest", "crashtest.so"))
        self.plugins = {"neighbour": Plugin("neighbour"), "spare": spare, **plugins}
        for name, plugin in self.plugins.items():
            self.write(name, plugin)

    # ---- plugins ---------------------------------------------------------------------------

    def write(self, name, plugin):
        """The plugin's folder as it is to be, in place of what was there."""
        folder = os.path.join(self.plugin_dir, name)
        shutil.rmtree(folder, ignore_errors=True)
        os.mkdir(folder)
        manifest = merged(merged(DEFAULTS, {"name": name}), plugin.manifest)
        files = {"manifest.json": json.dumps(manifest, indent=1).encode(), **plugin.files}
        for path, data in files.items():
            path = os.path.join(folder, path)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as f:
                f.write(data)
        if plugin.so:
            shutil.copy(os.path.join(OBJECTS, plugin.so if "/" in plugin.so else plugin.so + ".so"),
                        os.path.join(folder, manifest["entrypoint"]))
        for parent, _, names in os.walk(folder):
            os.chmod(parent, 0o777)
            os.chown(parent, self.uid, self.uid)
            for each in names:
                os.chmod(os.path.join(parent, each), 0o666)
                os.chown(os.path.join(parent, each), self.uid, self.uid)
        return folder

    # ---- life ------------------------------------------------------------------------------

    def launcher(self):
        """What becomes the host by exec: into its cgroup, and down to its user."""
        enter = "".join(f"echo 0 > {folder}/cgroup.procs; " for folder in self.joined(self.cgroup))
        command = ["sh", "-c", enter + 'exec "$@"', "sh"]
        if self.situation == "denied":
            command += ["/usr/bin/python3", os.path.join(FOLDER, "denied.py")]
        if self.situation != "root":
            command += ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--"]
        return command

    def joined(self, cgroup):
        """The folders of a cgroup that a host is in. Only root can divide the processor by cgroups;
        an ordinary user's host is where the machine puts it."""
        return sorted({folder for controller, folder in cgroup.folders.items()
                       if controller != "cpu" or self.situation == "root"
                       or folder == cgroup.folders["memory"]})

    def start(self):
        worker = os.path.join(PROGRAMS, os.path.basename(support.WORKER))
        self.host = Host([self.plugin_dir], self.args, {"FORGESYTE_WORKER": worker},
                         launcher=self.launcher())
        self.host.wait_ready(patience=60 * support.SLOW)
        level = self.host.health("neighbour")["isolation"]["level"]
        if level != self.level:
            raise AssertionError(f"situation {self.situation} gives level {level}, not {self.level}: "
                                 f"{self.host.health('neighbour')['isolation']}")
        dumb = self.canaries.prove()
        if dumb:
            raise AssertionError(f"canaries that do not sing: {dumb}")
        self.place_in_scratch()
        self.events = self.host.events()
        self.start_watcher()
        self.calibrate()
        self.clean()
        return self

    def place_in_scratch(self):
        """A canary in the neighbour's box, which only the neighbour can make there."""
        kept = self.host.run("neighbour", "keep", {"text": SECRET}).result["kept"]
        self.canaries.watch_scratch(self.instances("neighbour")[0])
        if kept != bool(self.canaries.scratch):
            raise AssertionError(f"the neighbour's scratch: kept {kept}, at {self.canaries.scratch}")

    def start_watcher(self):
        """The peer in a cgroup like the host's, the watcher before everybody."""
        peers = self.cgroup.__class__({c: os.path.join(os.path.dirname(f), "peer") for c, f in
                                       self.cgroup.folders.items()
                                       if f in self.joined(self.cgroup)})
        peers.mkdir()
        script = os.path.join(FOLDER, "watcher.py")
        self.peer = subprocess.Popen([sys.executable, script, "--peer"], stdout=subprocess.PIPE,
                                     text=True, preexec_fn=peers.enter)
        port = self.peer.stdout.readline().strip()
        self.watcher = subprocess.Popen(
            [sys.executable, script, str(self.host.port), port], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, preexec_fn=lambda: os.nice(-15))
        while not all(self.seen()[kind]["count"] for kind in ("livez", "calls")):
            time.sleep(0.05)  # until it has its connections, which are descriptors of the host

    def dismiss_watcher(self):
        """Before an end of the host that is right."""
        self.watcher.kill()
        self.watcher.wait()

    def seen(self):
        """What the watcher saw since the last time."""
        self.watcher.stdin.write("mark\n")
        self.watcher.stdin.flush()
        return json.loads(self.watcher.stdout.readline())

    def instances(self, *names):
        """pids of the instances of these plugins, or of all."""
        listed = self.host.get("/v1/plugins").json["plugins"]
        return [i["pid"] for health in listed if not names or health["name"] in names
                for i in health["instances"]]

    def box_processes(self, name):
        """How many processes are in the box of a plugin's only instance."""
        now, pid = self.traces(), self.instances(name)[0]
        return max(len(pids) for pids in now.boxed.values() if pid in pids)

    def boxed_beyond(self):
        """Processes that belong to no living instance and were not there before."""
        return self.traces().free - self.before.free

    def traces(self):
        return Traces(self.host, self.cgroup, self.instances(), self.per_box)

    def calibrate(self):
        """What one instance has, by ending one; and the first of everything is behind us."""
        self.host.run("spare", "echo")
        self.per_box = (0, 0, 0)
        before = self.settled()
        pid = self.instances("neighbour")[0]
        processes = max(len(pids) for pids in before.boxed.values() if pid in pids)
        self.host.run("spare", "abort")
        after = self.settled(lambda now: len(now.instances) == len(before.instances) - 1 and
                             len(now.table) == len(before.table) - processes)
        self.per_box = (processes, before.descriptors - after.descriptors,
                        len(before.cgroups) - len(after.cgroups))

    def settled(self, wanted=lambda now: True, patience=20 * support.SLOW, quiet=0.3):
        """How it is once it is wanted(), and has not changed for a while."""
        end, since, last = time.monotonic() + patience, 0.0, None
        while True:
            now = self.traces()
            if not last or (now.descriptors, now.threads, len(now.table)) != \
                    (last.descriptors, last.threads, len(last.table)) or not wanted(now):
                last, since = now, time.monotonic()
            if time.monotonic() - since > quiet:
                return now
            if time.monotonic() > end:
                raise AssertionError(f"it does not settle: {len(now.table)} processes, "
                                     f"{now.descriptors} descriptors")
            time.sleep(0.03)

    def clean(self):
        """From here on something new has begun."""
        while not self.events.queue.empty():
            self.events.queue.get()
        self.canaries.take_hits()
        self.seen()
        self.before = self.settled(lambda now: len(now.boxed) == len(now.instances), quiet=0.05)

    def alive(self):
        return self.host is not None and self.host.alive()

    def stop(self):
        """Words about an end that was not as it should be."""
        words = []
        for process in (self.watcher, self.peer):
            if process:
                process.kill()
                process.wait()
        if self.host:
            if not self.host.alive() and self.host.process.returncode != 0:
                words.append(f"the host is gone: {self.host.process.returncode}\n{self.host.stderr()}")
            else:
                status = self.host.stop()
                if status != 0:
                    words.append(f"the host's exit status was {status}: {self.host.stderr()}")
            left = self.host.leftovers()
            if left:
                words.append(f"left behind by the host: {left}")
        self.canaries.close()
        self.cgroup.remove()
        shutil.rmtree(self.folder, ignore_errors=True)
        return words
