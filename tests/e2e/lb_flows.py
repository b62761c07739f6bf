#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""lb_flows.py ADDRESS PORT FIRST FLOWS: UDP flows from ports FIRST on, a datagram each, one after the
other; prints how many had an answer."""
import socket
import sys

to, first, flows = (sys.argv[1], int(sys.argv[2])), int(sys.argv[3]), int(sys.argv[4])
answered = 0
for source in range(first, first + flows):
    with socket.socket(socket.AF_INET6 if ':' in to[0] else socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(3)
        s.bind(('', source))
        s.sendto(b'x' * 32, to)
        try:
            answered += s.recv(64) == b'x' * 32
        except OSError:
            pass
print(answered)
