#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""tagged.py IF VLAN COUNT - send UDP packets of 50 flows in a VLAN and say how many came back with its tag, and in order.

The machine that runs the guests need not have VLAN devices. JSON on standard output."""
import json
import select
import socket
import struct
import sys
import time

SOL_PACKET, PACKET_AUXDATA, ETH_P_ALL, FLOWS = 263, 8, 3, 50
interface, vlan, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])

sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
sock.bind((interface, ETH_P_ALL))
sock.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
MACS = bytes.fromhex("025c00000002") + sock.getsockname()[4]
received, reordered, untagged, latest = 0, 0, 0, {}


def frame(number):
    payload = b"sluice" + struct.pack("!I", number)
    udp = struct.pack("!HHHH", 1024 + number % FLOWS, 9, 8 + len(payload), 0) + payload
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0,
                     socket.inet_aton("198.18.0.1"), socket.inet_aton("198.19.0.9"))
    total = sum(struct.unpack("!10H", ip))
    total = (total & 0xffff) + (total >> 16)
    ip = ip[:10] + struct.pack("!H", ~(total + (total >> 16)) & 0xffff) + ip[12:]
    return MACS + struct.pack("!HHH", 0x8100, vlan, 0x0800) + ip + udp


def take():  # the kernel takes the tag out of what comes in and tells it aside
    global received, reordered, untagged
    data, aside, _, sender = sock.recvmsg(2048, 256)
    if sender[2] == socket.PACKET_OUTGOING or data[42:48] != b"sluice":
        return
    tags = [struct.unpack("=IIIHHHH", a[:20])[5] for _, kind, a in aside if kind == PACKET_AUXDATA]
    number, flow = struct.unpack("!I", data[48:52])[0], data[36:38]
    received += 1
    untagged += tags != [vlan]
    reordered += number <= latest.get(flow, -1)
    latest[flow] = number


for n in range(count):
    sock.send(frame(n))
    end = time.monotonic() + 0.001
    while select.select([sock], [], [], max(0, end - time.monotonic()))[0]:
        take()
end = time.monotonic() + 5
while received < count and select.select([sock], [], [], max(0, end - time.monotonic()))[0]:
    take()
print(json.dumps({"sent": count, "received": received, "reordered": reordered, "untagged": untagged}))
