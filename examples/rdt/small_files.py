#!/usr/bin/env python3
"""Compares `rdt put` of small files over loopback with loops of write, fsync and rename, in interleaved rounds.

    cargo build --release -p rdt
    examples/rdt/small_files.py target/release/rdt DISK 5 10000

DISK is a folder on the disk to measure; COUNT files of 4 KiB are put in each round. Each round also puts single files,
and runs two loops in this process, which write what they make to a new folder each:

- loop: write, fsync and rename, as most programs do
- durable loop: also the fsync of the folder, without which a power failure may take the name. `rdt` confirms no file
  before that.

A single put is measured at the client (from its request to CONFIRM, over a connection that is there), at the server
(from the request to the durable file), and as a whole process. Many files are measured as a whole process. Single files
are the median of a round, and many files the mean.

A number of milliseconds at the end stands for a disk whose flushes take so much longer: `strace` delays those of the
server, and the loops sleep.

Nothing is removed before the end: ext4 without a journal searches long for inodes that have rested since they were
removed. So wait some minutes between two runs there.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

LOOP, SINGLE = 100, 60
CONTENT = os.urandom(4_096)


class Loop:
    """Stores files in a new folder."""

    def __init__(self, folder, durable, delay):
        os.mkdir(folder)
        self.folder, self.durable, self.delay, self.count = folder, durable, delay, 0

    def __enter__(self):
        self.dir_fd = os.open(self.folder, os.O_RDONLY)
        return self

    def __exit__(self, *_):
        os.close(self.dir_fd)

    def store(self):
        """Stores a file. Returns the seconds that it took."""
        self.count += 1
        temporary, name = os.path.join(self.folder, ".new"), os.path.join(self.folder, f"f{self.count}")
        begin = time.perf_counter()
        file = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
        os.write(file, CONTENT)
        self.flush(file)
        os.close(file)
        os.rename(temporary, name)
        if self.durable:
            self.flush(self.dir_fd)
        return time.perf_counter() - begin

    def flush(self, file):
        os.fsync(file)
        if self.delay:
            time.sleep(self.delay)


class Server:
    def __init__(self, program, root, delay):
        start = [program, "serve", "--bind", "127.0.0.1:0", "--root", root, "--state", root + ".state", "--json"]
        self.process = subprocess.Popen(delayed(delay) + start, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.address = json.loads(self.process.stdout.readline())["address"]

    def stored(self, count):
        """The seconds of the next requests that the server has ended."""
        return [json.loads(self.process.stdout.readline())["seconds"] for _ in range(count)]

    def end(self):
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()


def delayed(seconds):
    """The command that delays the flushes of another one, which it becomes."""
    if not seconds:
        return []
    flushes = "fsync,fdatasync,syncfs"
    inject = f"inject={flushes}:delay_exit={round(seconds * 1e6)}"
    return ["strace", "-D", "-fqq", "--seccomp-bpf", "-o", "/dev/null", "-e", f"trace={flushes}", "-e", inject]


def put(program, address, path, name):
    """Returns the seconds of the whole process, and those of the last line."""
    begin = time.perf_counter()
    command = [program, "put", path, address, "--name", name, "--json"]
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    took = time.perf_counter() - begin
    return took, json.loads(done.stdout.splitlines()[-1])["seconds"]


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def run_round(program, disk, source, count, delay):
    os.mkdir(disk)
    server = Server(program, f"{disk}/root", delay)
    try:
        # The disk changes its speed, so all take turns.
        singles = {}
        with Loop(f"{disk}/loop", False, delay) as plain, Loop(f"{disk}/durable", True, delay) as durable:
            for index in range(SINGLE):
                process, client = put(program, server.address, f"{source}/one", f"one/f{index}")
                parts = {"process": process, "client": client, "server": server.stored(1)[0]}
                parts |= {"loop": plain.store(), "durable loop": durable.store()}
                for name, took in parts.items():
                    singles.setdefault(name, []).append(took)
            loops = {"loop": [plain.store() for _ in range(LOOP)]}
            loops["durable loop"] = [durable.store() for _ in range(LOOP)]
            used = cpu_seconds(server.process.pid)
            whole, _ = put(program, server.address, f"{source}/many", "many")
            used = cpu_seconds(server.process.pid) - used
            loops["loop"] += [plain.store() for _ in range(LOOP)]
            loops["durable loop"] += [durable.store() for _ in range(LOOP)]
        there = sum(len(files) for _, _, files in os.walk(f"{disk}/root/many"))
        assert there == count, f"{there} of {count} files are there"
    finally:
        server.end()
    some = {f"one: {name}": statistics.median(times) for name, times in singles.items()}
    some |= {f"many: {name}": statistics.mean(times) for name, times in loops.items()}
    return some | {"many: put": whole / count, "many: server, processor": used / count}


def report(rounds):
    print("| ms | median | worst |\n|---|---|---|")
    for name in rounds[0]:
        values = [some[name] * 1e3 for some in rounds]
        print(f"| {name} | {statistics.median(values):.3f} | {max(values):.3f} |")
    print("| ratios within a round | median | worst |\n|---|---|---|")
    for base in ("loop", "durable loop"):
        for side in ("client", "server"):
            ratios = [some[f"one: {side}"] / some[f"one: {base}"] for some in rounds]
            print(f"| one: {side} / {base} | {statistics.median(ratios):.2f} | {max(ratios):.2f} |")
        rates = [some[f"many: {base}"] / some["many: put"] for some in rounds]
        print(f"| many: rate of put / rate of the {base} | {statistics.median(rates):.1f} | {min(rates):.1f} |")


def main():
    program, disk, rounds, count = os.path.abspath(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    delay = float(sys.argv[5]) / 1e3 if len(sys.argv) > 5 else 0
    with tempfile.TemporaryDirectory(dir="/dev/shm") as source:
        os.mkdir(f"{source}/many")
        for name in ["one"] + [f"many/f{index:06}" for index in range(count)]:
            with open(f"{source}/{name}", "wb") as file:
                file.write(CONTENT)
        place = tempfile.mkdtemp(dir=disk)
        # New folders lie in groups of inodes of their own.
        subprocess.run(["chattr", "+T", place], check=False, stderr=subprocess.DEVNULL)
        try:
            done = []
            for index in range(rounds):
                done.append(run_round(program, f"{place}/{index}", source, count, delay))
                shown = {name: round(value * 1e3, 3) for name, value in done[-1].items()}
                print(f"round {index + 1} of {rounds}:", shown, flush=True)
        finally:
            shutil.rmtree(place)
    report(done)


if __name__ == "__main__":
    main()
