#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Servers that say who they are, and a client that holds connections to them.

server ADDRESS PORT WORD [udp]   answers every line with WORD, until killed
client ADDRESS PORT HELD SECONDS [udp]
    opens HELD connections and asks on one after the other for SECONDS, beside them new ones, each
    asked once; prints one JSON object. A held connection whose word changes, or that fails, is broken.
"""
import json
import socket
import socketserver
import sys
import time


def serve(address, port, word, tcp):
    family = socket.AF_INET6 if ':' in address else socket.AF_INET

    class Answer(socketserver.StreamRequestHandler):
        def handle(self):
            for _ in self.rfile:
                self.wfile.write(word.encode() + b'\n')

    class Tcp(socketserver.ThreadingTCPServer):
        address_family = family
        allow_reuse_address = True
        daemon_threads = True
        request_queue_size = 128

        def handle_error(self, request, client_address):
            pass

    class UdpAnswer(socketserver.BaseRequestHandler):
        def handle(self):
            self.request[1].sendto(word.encode() + b'\n', self.client_address)

    class Udp(socketserver.UDPServer):
        address_family = family
        allow_reuse_address = True

    import threading
    if not tcp:
        Udp((address, port), UdpAnswer).serve_forever()
    threading.Thread(target=Udp((address, port), UdpAnswer).serve_forever, daemon=True).start()
    Tcp((address, port), Answer).serve_forever()


def connect(address, port, udp):
    family = socket.AF_INET6 if ':' in address else socket.AF_INET
    s = socket.socket(family, socket.SOCK_DGRAM if udp else socket.SOCK_STREAM)
    s.settimeout(3)
    s.connect((address, port))
    return s


def ask(s):
    s.send(b'who\n')
    return s.recv(64).decode().strip()


def client(address, port, held_n, seconds, udp):
    held, words, out = [], {}, {'held': held_n, 'held_broken': 0, 'new': 0, 'new_failed': 0, 'words': {}}
    for _ in range(held_n):
        s = connect(address, port, udp)
        words[s] = ask(s)
        held.append(s)
    print('held', file=sys.stderr, flush=True)
    end, i = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        for s in held[i % 8::8]:
            try:
                if ask(s) != words[s]:
                    raise OSError('another server')
            except OSError:
                out['held_broken'] += 1
                held.remove(s)
        i += 1
        try:
            s = connect(address, port, udp)
            word = ask(s)
            out['words'][word] = out['words'].get(word, 0) + 1
            s.close()
        except OSError:
            out['new_failed'] += 1
        out['new'] += 1
        time.sleep(0.01)
    print(json.dumps(out))


if sys.argv[1] == 'server':
    serve(sys.argv[2], int(sys.argv[3]), sys.argv[4], 'udp' not in sys.argv[5:])
else:
    client(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5]), 'udp' in sys.argv[6:])
