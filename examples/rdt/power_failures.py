#!/usr/bin/env python3
"""Power failures of a disk under `rdt serve`: no confirmed file is lost, and none is there in part.

    pip install mfusepy
    sudo examples/rdt/power_failures.py target/release/rdt 100
    sudo examples/rdt/power_failures.py target/release/rdt 100 -O ^has_journal
    sudo examples/rdt/power_failures.py target/release/rdt 100 --base-mode -O ^has_journal

The disk is a file in memory (FUSE) with ext4 (through a loop device). The last arguments are options of `mkfs.ext4`. It
records what is written and when it is flushed, while clients put files and folders, new ones and others in their
place. A power failure at a random moment keeps what was flushed before, and any of the pages that came later. Then the
file system is mounted (after `e2fsck`, if it has no journal), and each file must be there that a client was told of by
then, whole, with this content or a later one.

Without a journal the file system itself sometimes loses a file in the moment in which another takes its place.
"""

import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time

import mfusepy

SIZE, PAGE, SECONDS = 96 << 20, 4_096, 8
BASE_MODE = ["--profile", "rostov"]


class Disk(mfusepy.Operations):
    """A file `disk` that remembers its writes and flushes."""

    use_ns = True

    def __init__(self):
        self.data, self.log, self.mutex = bytearray(SIZE), [], threading.Lock()

    def getattr(self, path, fh=None):
        if path == "/":
            return {"st_mode": 0o40755, "st_nlink": 2}
        if path == "/disk":
            return {"st_mode": 0o100644, "st_nlink": 1, "st_size": SIZE}
        raise mfusepy.FuseOSError(2)

    def open(self, path, flags):
        return 1

    def read(self, path, size, offset, fh):
        with self.mutex:
            return bytes(self.data[offset : offset + size])

    def write(self, path, data, offset, fh):
        with self.mutex:
            self.data[offset : offset + len(data)] = data
            self.log.append((time.monotonic(), offset, bytes(data)))
        return len(data)

    def fsync(self, path, datasync, fh):
        time.sleep(0.001)
        with self.mutex:
            self.log.append((time.monotonic(), None, b""))
        return 0


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def content(name, version):
    """The content tells which file and version it is, and whether it is whole."""
    source = random.Random(f"{name}/{version}")
    length = source.choice([1, 100, 4_096, 4_097, 9_000, 20_000])
    head = f"{name}/{version}/{length}/".encode()
    return head + hashlib.sha256(head).hexdigest().encode() + source.randbytes(length)


def put_files(program, address, work, profile, chance):
    """Puts files for a while. Returns the versions of each name, and when a client was told of which."""
    versions, confirmed, clients, number, end = {}, [], [], 0, time.monotonic() + SECONDS
    while time.monotonic() < end:
        number += 1
        if profile:  # it has no folders
            names = [f"s{chance.randrange(18)}" if number % 2 else f"t{number}"]
            folder = names[0]
        elif number % 4 == 0:
            folder = f"d{number % 12}"
            names = [f"{folder}/f{index}" for index in range(40)]
        else:
            names = [f"d{chance.randrange(3)}/s{chance.randrange(6)}" if number % 2 else f"t{number}"]
            folder = names[0]
        shutil.rmtree(f"{work}/source", ignore_errors=True)
        for name in names:
            os.makedirs(os.path.dirname(f"{work}/source/{name}"), exist_ok=True)
            with open(f"{work}/source/{name}", "wb") as file:
                file.write(content(name, number))
            versions.setdefault(name, []).append(number)
        command = [program, "put", f"{work}/source/{folder}", address, "--name", folder, "--json", *profile]
        client = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        for said in map(json.loads, client.stdout):
            if said["type"] == "result":
                confirmed.append((time.monotonic(), said["name"], number))
                if profile:  # the client stays for some seconds
                    break
        clients.append(client)
    assert all(client.wait() == 0 for client in clients)
    return versions, confirmed


def commit_often(folder, ends):
    """Another program: it makes the journal commit at any moment."""
    chance, file = random.Random(1), os.open(f"{folder}/other", os.O_CREAT | os.O_WRONLY)
    while not ends.is_set():
        os.pwrite(file, b"x" * 100, chance.randrange(8_000))
        os.fsync(file)
        time.sleep(chance.random() / 100)
    os.close(file)


def record(program, profile, options, work, chance):
    """Returns the disk before, its log, and what the clients have put."""
    disk, mount, place = Disk(), f"{work}/fuse", f"{work}/place"
    os.mkdir(mount)
    os.mkdir(place)
    threading.Thread(target=lambda: mfusepy.FUSE(disk, mount, foreground=True), daemon=True).start()
    while not os.path.exists(f"{mount}/disk"):
        time.sleep(0.05)
    usual = ["-q", "-F", "-b", "4096", "-E", "lazy_itable_init=0,lazy_journal_init=0,nodiscard"]
    run("mkfs.ext4", *usual, *options, f"{mount}/disk")
    loop = run("losetup", "-f", "--show", f"{mount}/disk").strip()
    run("mount", loop, place)
    os.mkdir(f"{place}/root")
    os.sync()
    with disk.mutex:
        before = bytes(disk.data)
        disk.log.clear()
    start = [program, "serve", "--bind", "127.0.0.1:0", "--quiet"]
    start += ["--root", f"{place}/root", "--state", f"{work}/state", *profile]
    server = subprocess.Popen(start, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    ends = threading.Event()
    other = threading.Thread(target=commit_often, args=(place, ends))
    other.start()
    try:
        put = put_files(program, server.stdout.readline().split()[-1], work, profile, chance)
    finally:
        ends.set()
        other.join()
        server.terminate()
        server.wait()
        with disk.mutex:
            log = list(disk.log)
        run("umount", place)
        run("losetup", "-d", loop)
        run("umount", "-l", mount)
    return before, log, *put


def failures(before, log, moments, chance):
    """The disk after a power failure at each of these moments, which ascend."""
    flushed, upto = bytearray(before), 0
    for moment in moments:
        last = max((at for at in range(moment + 1) if log[at][1] is None), default=-1)
        for _, offset, data in log[upto : last + 1]:
            if offset is not None:
                flushed[offset : offset + len(data)] = data
        upto = max(upto, last + 1)
        disk, share = bytearray(flushed), chance.choice([0, 0.1, 0.5, 0.9, 1])
        for _, offset, data in log[last + 1 : moment + 1]:
            for at in range(0, len(data), PAGE):
                if chance.random() < share:
                    page = data[at : at + PAGE]
                    disk[offset + at : offset + at + len(page)] = page
        yield log[moment][0], disk


def found_in(root):
    for folder, _, names in os.walk(root):
        for name in names:
            path = os.path.join(folder, name)
            if ".rdt" not in path:
                with open(path, "rb") as file:
                    yield os.path.relpath(path, root), file.read()


def main():
    program, count, options = os.path.abspath(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    profile = BASE_MODE if "--base-mode" in options else []
    options = [option for option in options if option != "--base-mode"]
    chance, lost, partial, looked_at = random.Random(5), 0, 0, 0
    with tempfile.TemporaryDirectory(dir="/dev/shm") as work:
        before, log, versions, confirmed = record(program, profile, options, work, chance)
        print(f"{len(confirmed)} files confirmed, {len(log)} writes and flushes", flush=True)
        moments = sorted(chance.randrange(len(log)) for _ in range(count))
        for at, disk in failures(before, log, moments, chance):
            with open(f"{work}/image", "wb") as image:
                image.write(disk)
            if "^has_journal" in options:
                subprocess.run(["e2fsck", "-fy", f"{work}/image"], capture_output=True)
            run("mount", "-o", "loop", f"{work}/image", f"{work}/place")
            found = dict(found_in(f"{work}/place/root"))
            run("umount", f"{work}/place")
            looked_at += len(found)
            told = {name: version for told_at, name, version in confirmed if told_at <= at}
            for name in told.keys() | found.keys():
                if name not in found:
                    lost += 1
                    continue
                version = next((one for one in versions[name] if content(name, one) == found[name]), None)
                partial += version is None
                lost += version is not None and version < told.get(name, 0)
    print(f"{count} power failures, {looked_at} files: {lost} confirmed ones lost, {partial} in part")
    sys.exit(lost + partial > 0)


if __name__ == "__main__":
    main()
