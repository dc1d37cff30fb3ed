#!/usr/bin/env python3
"""Compares `rdt bench` with kernel TCP (iperf3), bare UDP and quinn over loopback, in interleaved rounds.

    cargo build --release -p rdt && cargo build --release --manifest-path benches/peers/Cargo.toml
    examples/rdt/compare.py target/release/rdt 7 benches/peers/target/release/quinn_loopback

The last argument may be left out, and quinn with it.

Prints the median and the worst of the rounds, in Gbit/s and ms. Bare UDP counts what arrives: with offload (GSO and
GRO, 44 datagrams of 1,448 bytes a call, as rdt uses them), and one datagram a call. Needs Linux and iperf3.
"""

import json
import multiprocessing
import socket
import statistics
import subprocess
import sys
import tempfile
import time

SECONDS = 3
SOL_UDP, UDP_SEGMENT, UDP_GRO = 17, 103, 104
DATAGRAM = 1_448


def rdt(program, address, name, options):
    command = [program, "bench", address, "--seconds", str(SECONDS), "--json", *options]
    said = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    rates = {f"{name} {way}": said[f"{way}_bits_per_second"] / 1e9 for way in ("up", "down")}
    times = {f"request, {name} {part}": said[part] for part in ("idle", "beside_up", "beside_down")}
    return rates, times


def tcp(port):
    command = ["iperf3", "-c", "127.0.0.1", "-p", str(port), "-t", str(SECONDS), "-l", "64K", "-J"]
    done = subprocess.run(command, capture_output=True, check=True)
    return json.loads(done.stdout)["end"]["sum_received"]["bits_per_second"] / 1e9


def receive(port, offload, result):
    """Counts the bytes that arrive after the first fifth of the time."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    if offload:
        sock.setsockopt(SOL_UDP, UDP_GRO, 1)
    sock.bind(("127.0.0.1", port.value))
    port.value = sock.getsockname()[1]
    buf, total = bytearray(1 << 16), 0
    sock.recv_into(buf)
    begin = time.monotonic() + SECONDS / 5
    end = begin + SECONDS * 4 / 5
    while (now := time.monotonic()) < end:
        count = sock.recv_into(buf)
        total += count if now >= begin else 0
    result.value = total * 8 / (SECONDS * 4 / 5) / 1e9


def udp(offload):
    port, result = multiprocessing.Value("i", 0), multiprocessing.Value("d", 0.0)
    receiver = multiprocessing.Process(target=receive, args=(port, offload, result))
    receiver.start()
    while port.value == 0:
        time.sleep(0.01)
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
    content = b"x" * DATAGRAM
    if offload:
        sock.setsockopt(SOL_UDP, UDP_SEGMENT, DATAGRAM)
        content *= 44
    sock.connect(("127.0.0.1", port.value))
    while receiver.is_alive():
        try:
            for _ in range(100):
                sock.send(content)
        except ConnectionRefusedError:
            break
    receiver.join()
    return result.value


def quinn(program):
    done = subprocess.run([program, str(SECONDS)], capture_output=True, check=True, text=True)
    return int(done.stdout) / 1e9


def rounds(program, count, quinn_program):
    rates, times = {}, {}
    with tempfile.TemporaryDirectory() as root:
        start = [program, "serve", "--bench", "--bind", "127.0.0.1:0", "--root", root, "--state", root + "/state"]
        server = subprocess.Popen(start, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        address = server.stdout.readline().split()[-1]
        port = int(address.rpartition(":")[2]) ^ 1
        iperf = subprocess.Popen(["iperf3", "-s", "-p", str(port)], stdout=subprocess.DEVNULL)
        time.sleep(0.5)
        try:
            for index in range(count):
                some, requests = rdt(program, address, "rdt", [])
                # The options of the client hold for what it sends.
                fixed, _ = rdt(program, address, "rdt, --congestion fixed,", ["--congestion", "fixed"])
                some["rdt up, --congestion fixed"] = fixed["rdt, --congestion fixed, up"]
                some |= {"TCP": tcp(port), "UDP, offload": udp(True), "UDP": udp(False)}
                if quinn_program:
                    some["quinn"] = quinn(quinn_program)
                for name, rate in some.items():
                    rates.setdefault(name, []).append(rate)
                for name, parts in requests.items():
                    times.setdefault(name, []).append((parts["median"] * 1e3, parts["percentile_99"] * 1e3))
                shown = {name: round(rate, 2) for name, rate in some.items()}
                print(f"round {index + 1} of {count}:", shown, flush=True)
        finally:
            server.terminate()
            iperf.terminate()
            server.wait()
            iperf.wait()
    return rates, times


def main():
    program, count, quinn_program, *_ = sys.argv[1:] + ["7", None][len(sys.argv) - 2 :]
    rates, times = rounds(program, int(count), quinn_program)
    print("| | Gbit/s, median | worst |\n|---|---|---|")
    for name, some in rates.items():
        print(f"| {name} | {statistics.median(some):.1f} | {min(some):.1f} |")
    print("| | ms, median of the medians | median of the 99 % | worst 99 % |\n|---|---|---|---|")
    for name, some in times.items():
        medians, lates = [median for median, _ in some], [late for _, late in some]
        values = statistics.median(medians), statistics.median(lates), max(lates)
        print(f"| {name} | " + " | ".join(f"{value:.1f}" for value in values) + " |")


if __name__ == "__main__":
    main()
