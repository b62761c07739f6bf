#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""lb_flood.py IF MAC N - SYNs with timestamps to 10.9.9.9:80 from N sources in 10.66.0.0/16, checksums right."""
import socket
import struct
import sys


def checksum(data):
    n = sum(struct.unpack(f'!{len(data) // 2}H', data))
    while n >> 16:
        n = (n & 0xffff) + (n >> 16)
    return ~n & 0xffff


def syn(mac, i):
    ends = struct.pack('!4s4s', bytes([10, 66, i >> 8 & 255, i & 255]), bytes([10, 9, 9, 9]))
    ip = struct.pack('!BBHHHBBH', 0x45, 0, 60, i & 0xffff, 0x4000, 64, 6, 0) + ends
    tcp = struct.pack('!HHIIBBHHH', 1024 + i % 60000, 80, i * 7919 & 0xffffffff, 0, 0xa0, 2, 65000, 0, 0)
    tcp += b'\2\4\5\xb4\4\2\x08\x0a' + struct.pack('!II', 1000 + i, 0) + b'\1\3\3\7'
    ip = ip[:10] + struct.pack('!H', checksum(ip)) + ip[12:]
    tcp = tcp[:16] + struct.pack('!H', checksum(ends + struct.pack('!HH', 6, len(tcp)) + tcp)) + tcp[18:]
    return mac + b'\2\0\0\0\0\1\x08\0' + ip + tcp


out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
out.bind((sys.argv[1], 0))
mac = bytes.fromhex(sys.argv[2].replace(':', ''))
for i in range(int(sys.argv[3])):
    try:
        out.send(syn(mac, i))
    except OSError:  # the queue is full
        pass
