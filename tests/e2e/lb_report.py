#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Servers' reports of their load (sluice/lb_report.h), for servers that are none.

lb_report.py SECRET HOST ID=LOAD...   until killed, every 50 ms; LOAD: 1 is one core, which is all that there is
"""
import socket
import struct
import sys
import time

MASK = (1 << 64) - 1
PORT, LOADS, TABLE, SYMMETRIC, NOBODY = 7077, 1, 2, 1, 0xff


def rotl(x, n):
    return (x << n | x >> (64 - n)) & MASK


def siphash(key, data):
    """SipHash-2-4."""
    v = [key[0] ^ 0x736f6d6570736575, key[1] ^ 0x646f72616e646f6d,
         key[0] ^ 0x6c7967656e657261, key[1] ^ 0x7465646279746573]

    def rounds(n):
        for _ in range(n):
            v[0] = (v[0] + v[1]) & MASK
            v[1] = rotl(v[1], 13) ^ v[0]
            v[0] = rotl(v[0], 32)
            v[2] = (v[2] + v[3]) & MASK
            v[3] = rotl(v[3], 16) ^ v[2]
            v[0] = (v[0] + v[3]) & MASK
            v[3] = rotl(v[3], 21) ^ v[0]
            v[2] = (v[2] + v[1]) & MASK
            v[1] = rotl(v[1], 17) ^ v[2]
            v[2] = rotl(v[2], 32)

    last = data[len(data) & ~7:]
    words = struct.unpack('<%dQ' % (len(data) // 8), data[:len(data) & ~7])
    for word in words + (int.from_bytes(last, 'little') | (len(data) & 255) << 56,):
        v[3] ^= word
        rounds(2)
        v[0] ^= word
    v[2] ^= 0xff
    rounds(4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


secret = [int(sys.argv[1][i:i + 16], 16) for i in (0, 16)]
key = [siphash(secret, b'sluice report %d' % i) for i in (0, 1)]
boot, sequence = time.time_ns(), 0
s = socket.socket(socket.AF_INET6 if ':' in sys.argv[2] else socket.AF_INET, socket.SOCK_DGRAM)
s.connect((sys.argv[2], PORT))


def send(kind, server, parts, body):
    global sequence
    sequence += 1
    text = struct.pack('>IBBHQQIHBB', 0x534c5250, 1, kind, server, boot, sequence, 1, 32 + len(body) + 8, 0,
                       parts) + body
    s.send(text + struct.pack('>Q', siphash(key, text)))


servers = [(int(a.split('=')[0]), float(a.split('=')[1])) for a in sys.argv[3:]]
for i in range(1 << 60):
    for server, load in servers:
        if i % 20 == 0:
            send(TABLE, server, 1, struct.pack('>BBH4s48s128sB', SYMMETRIC, 1, 1, bytes([3] * 4), bytes(range(48)),
                                               bytes([NOBODY] * 128), 0))
        send(LOADS, server, 0, struct.pack('>HHH', 1, 50, int(load * 0x8000)))
    time.sleep(0.05)
