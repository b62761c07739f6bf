#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""held ADDRESS PORT CONNECTIONS: opens them and asks each once by HTTP; then again for every line of standard input.

A round is a line of JSON: for each word that a server answered with in the first round how many
connections it was asked on, and how many answered within a second.
"""
import json
import socket
import sys
import time


def ask(s):
    s.send(b'GET / HTTP/1.1\r\nHost: x\r\n\r\n')


def answer(s, end):
    s.settimeout(max(end - time.monotonic(), 0.001))
    try:
        return s.recv(4096).decode().rsplit('\r\n', 1)[1].strip()
    except (OSError, IndexError):
        return None


held = []
for _ in range(int(sys.argv[3])):
    s = socket.create_connection((sys.argv[1], int(sys.argv[2])), 5)
    ask(s)
    held.append((s, answer(s, time.monotonic() + 5)))
print(json.dumps({'held': len(held)}), flush=True)
for _ in sys.stdin:
    out = {}
    for s, _ in held:
        ask(s)
    end = time.monotonic() + 1
    for s, word in held:
        one = out.setdefault(word, {'asked': 0, 'answered': 0})
        one['asked'] += 1
        one['answered'] += answer(s, end) == word
    print(json.dumps(out), flush=True)
