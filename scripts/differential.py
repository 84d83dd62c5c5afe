"""Compares where selvedge and the parsers of other servers see requests end.

Connections are made up, the same ones for the same seed: requests with framing fields that are doubled, malformed or at
odds, odd white space, line ends, chunks, targets and names, and behind each another request, then some bytes changed. Each
goes to selvedge, whole, through `scripts/boundaries.rs`, and to the others. Request smuggling needs two parties that do not
agree where a request ends, so what counts is this: of every request that selvedge accepts, the others must see the same
method, target and body, or refuse it; and while selvedge waits for the rest of a request, none of them may have seen its end.
What selvedge refuses, it answers with 4xx or 5xx and closes, and what others make of it does not matter.

Known differences are listed below with their reasons. Any other one ends this program with 1.
"""

import asyncio
import io
import json
import random
import re
import struct
import subprocess
import sys
import warnings
from collections import Counter
from http.server import BaseHTTPRequestHandler

import h11
import httptools
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_parser import HttpRequestParserPy
from gunicorn.config import Config
from gunicorn.http.errors import ParseException
from gunicorn.http.parser import RequestParser
from waitress.adjustments import Adjustments
from waitress.parser import HTTPRequestParser

# Each parser gives the requests it has seen, as (method, target, body), and how that ended: "open" if it waits for more,
# "closed" if it would read nothing more, or "error" if it refused.


class LlhttpEvents:
    def __init__(self):
        self.seen = []

    def on_message_begin(self):
        self.url, self.body = b"", b""

    def on_url(self, url):
        self.url += url

    def on_body(self, body):
        self.body += body

    def on_message_complete(self):
        self.seen.append((self.parser.get_method(), self.url, self.body))


def llhttp(data):
    """llhttp, which is Node's, in httptools, which is uvicorn's; byte by byte."""
    events = LlhttpEvents()
    events.parser = httptools.HttpRequestParser(events)
    try:
        for at in range(len(data)):
            events.parser.feed_data(data[at : at + 1])
    except httptools.HttpParserUpgrade:
        # It leaves to its user whether there is a body before the other protocol, or no other protocol at all.
        return events.seen[:-1], "closed"
    except httptools.HttpParserError:
        return events.seen, "error"
    return events.seen, "open"


def h11_(data):
    """h11, which is hypercorn's, and uvicorn's without httptools."""
    seen = []
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=32 << 10)
    if data:
        connection.receive_data(data)
    try:
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                return seen, "open"
            if event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
                return seen, "closed"
            if isinstance(event, h11.Request):
                request, body = event, b""
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                seen.append((request.method, request.target, body))
                connection.send(h11.Response(status_code=200, headers=[("content-length", "0")]))
                connection.send(h11.EndOfMessage())
                if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
                    return seen, "closed"
                connection.start_next_cycle()
    except h11.RemoteProtocolError:
        return seen, "error"


LOOP = asyncio.new_event_loop()


def aiohttp_(data):
    """aiohttp, its own parser rather than llhttp's; byte by byte."""
    parser = HttpRequestParserPy(BaseProtocol(LOOP), LOOP, 1 << 16)
    messages, end = [], "open"
    try:
        for at in range(len(data)):
            new, upgraded, _ = parser.feed_data(data[at : at + 1])
            messages += new
            if upgraded or (messages and messages[-1][0].should_close and messages[-1][1].is_eof()):
                end = "closed"
                break
    except Exception:
        end = "error"
    seen = []
    for message, payload in messages:
        if payload.exception():
            return seen, "error"
        if not payload.is_eof():
            break
        body = b"".join(payload._buffer) if hasattr(payload, "_buffer") else b""
        seen.append((message.method.encode(), message.path.encode("utf-8", "surrogateescape"), body))
    return seen, end


GUNICORN = Config()
GUNICORN.set("limit_request_line", 8190)


def gunicorn(data):
    """gunicorn, as it is set up by default."""
    seen = []
    try:
        for request in RequestParser(GUNICORN, iter([data]), ("127.0.0.1", 1)):
            body = request.body.read()
            if getattr(request.body.reader, "length", 0):
                return seen, "open"
            seen.append((request.method.encode(), request.uri.encode("latin-1"), body))
            if request.should_close():
                return seen, "closed"
        return seen, "open"
    except ParseException as problem:
        return seen, "open" if type(problem).__name__ == "NoMoreData" else "error"
    except Exception:
        return seen, "error"


WAITRESS = Adjustments()


def waitress(data):
    """waitress, as it is set up by default."""
    seen, parser = [], None
    while data:
        parser = parser or HTTPRequestParser(WAITRESS)
        data = data[parser.received(data) :]
        if not parser.completed:
            continue
        if parser.error:
            return seen, "error"
        if not parser.empty:
            line = parser.first_line.split(b" ")
            seen.append((line[0], line[1], parser.get_body_stream().read()))
            if parser.connection_close:
                return seen, "closed"
        parser = None
    return seen, "open"


class Handler(BaseHTTPRequestHandler):
    def __init__(self, data):
        self.rfile, self.wfile = io.BytesIO(data), io.BytesIO()
        self.client_address = ("127.0.0.1", 1)
        self.close_connection = True

    def log_message(self, *_):
        pass


def http_server(data):
    """http.server of Python's library, with bodies read as its users do. It knows no chunks: where there are any, it has no say."""
    seen = []
    handler = Handler(data)
    while True:
        handler.raw_requestline = handler.rfile.readline(65537)
        if not handler.raw_requestline.strip():
            if handler.raw_requestline:
                continue
            return seen, "open"
        if not handler.raw_requestline.endswith(b"\n"):
            return seen, "open"
        try:
            if not handler.parse_request():
                return seen, "error"
        except Exception:
            return seen, "error"
        if handler.rfile.tell() == len(data) and not re.search(rb"\r?\n\r?\n$", data):
            return seen, "open"
        if "transfer-encoding" in handler.headers:
            return seen, "error"
        try:
            length = int(handler.headers.get("content-length", 0))
        except ValueError:
            return seen, "error"
        body = handler.rfile.read(min(max(length, 0), len(data)))
        if len(body) < length:
            return seen, "open"
        seen.append((handler.command.encode("latin-1"), handler.path.encode("latin-1"), body))
        if handler.close_connection:
            return seen, "closed"


PARSERS = [llhttp, h11_, aiohttp_, gunicorn, waitress, http_server]

# Differences that are known: who else it is about, what the bytes must have in them, what differs, and why selvedge is right.
KNOWN = [
    (
        "aiohttp",
        rb"[a-z]",
        "another method",
        "makes methods upper case; they are case-sensitive (RFC 9110 §9.1), and where the request ends is the same",
    ),
    (
        "http_server",
        rb" //",
        "another target",
        "makes one slash of many at the start of a target, for its own redirects; paths are compared as they are (RFC 3986 §6.2.1)",
    ),
    (
        "waitress",
        rb"HTTP/1\.[2-9]",
        "another body",
        "reads no chunks unless the version is 1.1; a later 1.x is to be read as the highest that is known (RFC 9110 §2.5)",
    ),
]


def known(name, data, problem):
    reasons = (why for who, pattern, what, why in KNOWN if who == name and what in problem and re.search(pattern, data))
    return next(reasons, None)


# Making connections up.

METHODS = [b"GET", b"POST", b"PUT", b"HEAD", b"OPTIONS", b"DELETE"]
ODD_METHODS = [b"get", b"PROPFIND", b"X", b"G\x00T", b"", b"GET\t", b"G(T"]
TARGETS = [b"/", b"/a", b"/a/b?c=d", b"/%41"]
ODD_TARGETS = [b"http://h/a", b"http://h", b"http://h?q", b"https://h:1/", b"*", b"h:80", b"a", b"/a b", b"/\x80", b"/a#b", b"//a",
               b"http://other/", b"http://u@h/", b"/a\tb", b"/?" + b"a" * 300, b"http:///a", b"/\\", b"/`", b"/^|{}", b""]
VERSIONS = [b"HTTP/1.0", b"HTTP/1.2", b"HTTP/1.9", b"HTTP/2.0", b"HTTP/0.9", b"http/1.1", b"HTTP/1.10", b"HTTP/01.1", b"HTTP/1",
            b"HTTP/1.1 ", b" HTTP/1.1", b"HTTP/ 1.1", b""]
HOSTS = [b"Host:h", b"host: h:80", b"Host: ", b"Host: a, b", b"Host: u@h", b"Host: [::1]", b"Host: h/x", b"Host : h", b"Host: h\r\nHost: h",
         b"Host: h\r\nHost: other", b"", b"Host", b"Host: h:x", b"Host:\th\t", b" Host: h", b"H\x6fst: h"]
CODINGS = [b"Transfer-Encoding: chunked", b"transfer-encoding:chunked", b"Transfer-Encoding: Chunked", b"Transfer-Encoding: \tchunked ",
           b"Transfer-Encoding : chunked", b"Transfer-Encoding: chunked, chunked", b"Transfer-Encoding: identity",
           b"Transfer-Encoding: gzip, chunked", b"Transfer-Encoding: chunked, identity", b"Transfer-Encoding: xchunked",
           b"Transfer-Encoding: chunkedx", b"Transfer-Encoding: \"chunked\"", b"Transfer-Encoding: chunked;q=1", b"Transfer_Encoding: chunked",
           b"Transfer-Encoding:\x0bchunked", b"Transfer-Encoding: chunked\x00", b"Transfer-Encoding:\r\n chunked", b"Transfer-Encoding",
           b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
           b"Transfer-Encoding:", b"Transfer-Encoding: ,chunked", b"Transfer-Encoding: chunked,", b"X: y\nTransfer-Encoding: chunked",
           b"X: y\rTransfer-Encoding: chunked", b"\x00Transfer-Encoding: chunked", b"Transfer-Encoding\x00: chunked", b"TE: chunked",
           b"Transfer-Encoding: chunked\xa0", b"Transfer-Encoding: \xc2\xa0chunked", b"Transfer\x2dEncoding: c\xffhunked"]
LENGTHS = [b"%d", b"%d", b" %d ", b"\t%d", b"+%d", b"-%d", b"0%d", b"0x%d", b"%d, %d", b"%d,%d", b"%d %d", b"%d\r\nContent-Length: %d",
           b"%d\r\nContent-Length: 0", b"0\r\nContent-Length: %d", b"%d;", b"%d.0", b"\"%d\"", b"%d\x00", b"1_%d", b"%d\x0b", b"%de0", b"",
           b"00000000000000000000%d", b"1844674407370955161%d", b"\r\n %d", b"\xd9\xa5", b"%dL", b",%d", b"%d,"]
LENGTH_NAMES = [b"Content-Length:", b"Content-Length: ", b"content-length: ", b"Content-Length : ", b"Content_Length: ", b" Content-Length: ",
                b"Content-Length\t: ", b"X: y\nContent-Length: ", b"Content-Length", b"Content-Length\x00: "]
OTHERS = [b"X: y", b"X:", b"Connection: close", b"Connection: keep-alive", b"Connection: upgrade", b"Upgrade: h2c", b"Expect: 100-continue",
          b"Expect: x", b"Trailer: X", b": y", b"X y", b"X: y\r\n z", b"X: \x01", b"X: \x80\xff", b"X\x80: y", b"Connection: Content-Length",
          b"Connection: close, Transfer-Encoding", b"X: " + b"y" * 500, b"\r", b"X-HTTP-Method-Override: PUT", b"Keep-Alive: 5", b"a_b: c"]
SIZES = [b"%x", b"%x", b"%x", b"%X", b"0%x", b"%x;a=b", b"%x; a=\"b\"", b"%x ;a", b"%x ", b" %x", b"\t%x", b"0x%x", b"+%x", b"-%x", b"%x;", b"%x;\n",
         b"%x;a\n", b"%x\n", b"%x;a=\"\r\n\"", b"%xg", b"%x,", b"%x\x00", b"00000000000000000%x", b"fffffffffffffff%x", b"1000000000000000%x",
         b"", b"_%x", b"%x;\xff", b"%x\r", b"%x;=", b"%x;a=\x01"]
ENDS = [b"\n", b"\r", b"\r\r\n", b"\n\r", b"\r\n\r", b"", b" \r\n", b"\x0b\r\n", b"\x85"]
SPECIAL = [b"\r", b"\n", b"\r\n", b"\x00", b" ", b"\t", b":", b";", b",", b"0", b"\x0b", b"\x0c", b"\x7f", b"\x80", b"\xff", b"_", b"-", b"+", b"\r\n\r\n"]
NEXT = b"GET /next HTTP/1.1\r\nHost: h\r\n\r\n"


def maybe(source, odd, usual, chance):
    return source.choice(odd) if source.random() < chance else usual


def chunked(source, body, chance):
    made = b""
    pieces = [body[at : at + 4] for at in range(0, len(body), 4)]
    for piece in pieces + [b""]:
        size = maybe(source, SIZES, b"%x", chance)
        count = len(piece) + (source.choice([-1, 1]) if source.random() < chance / 4 and piece else 0)
        made += (size % max(count, 0) if b"%" in size else size) + maybe(source, ENDS, b"\r\n", chance / 3)
        if piece:
            made += piece + maybe(source, ENDS, b"\r\n", chance / 3)
    made += maybe(source, [b"X: y\r\n", b"Content-Length: 5\r\n", b"X : y\r\n", b"X: y\n", b" x\r\n", b"\r", b"X\r\n"], b"", chance)
    return made + maybe(source, ENDS, b"\r\n", chance / 3)


def request(source, chance):
    end = maybe(source, ENDS, b"\r\n", chance / 8)
    line = b" ".join([
        maybe(source, ODD_METHODS, source.choice(METHODS), chance / 4),
        maybe(source, ODD_TARGETS, source.choice(TARGETS), chance / 2),
        maybe(source, VERSIONS, b"HTTP/1.1", chance / 2),
    ])
    body = source.choice([b"", b"hello", b"0\r\n\r\n", NEXT, b"GET /in HTTP/1.1\r\nHost: h\r\n\r\n", bytes(source.randrange(256) for _ in range(9))])
    fields, sent = [maybe(source, HOSTS, b"Host: h", chance / 2)], body
    kind = source.random()
    if kind < 0.45 or (kind > 0.9 and source.random() < chance):
        fields.append(maybe(source, CODINGS, CODINGS[0], chance))
        sent = chunked(source, body, chance / 2)
    if 0.45 < kind < 0.85 or (kind > 0.85 and source.random() < chance):
        value = maybe(source, LENGTHS, b"%d", chance)
        length = len(sent) + (source.choice([-3, 3]) if source.random() < chance / 3 else 0)
        length = max(length, 0)
        fields.append(maybe(source, LENGTH_NAMES, b"Content-Length: ", chance / 2) + value.replace(b"%d", b"%d" % length))
    elif kind >= 0.85:
        sent = b""
    while source.random() < 0.4:
        fields.append(source.choice(OTHERS))
    source.shuffle(fields)
    head = line + end
    for field in fields:
        head += field + maybe(source, ENDS, end, chance / 8)
    return maybe(source, [b"\r\n", b"\n", b"\r\n\r\n", b" ", b"\r"], b"", chance / 4) + head + maybe(source, ENDS, end, chance / 8) + sent


def connection(source):
    chance = source.choice([0, 0.1, 0.3, 0.6])
    data = b"".join(request(source, chance) for _ in range(source.choice([1, 1, 2, 3]))) + NEXT
    if source.random() < 0.35:
        for _ in range(source.choice([1, 1, 2, 4])):
            at = source.randrange(len(data) + 1)
            kind = source.randrange(4)
            if kind == 0:
                data = data[:at] + source.choice(SPECIAL) + data[at:]
            elif kind == 1:
                data = data[:at] + data[at + source.choice([1, 1, 2, 5]) :]
            elif kind == 2:
                data = data[:at] + source.choice(SPECIAL) + data[at + 1 :]
            else:
                data = data[:at] + data[max(at - source.randrange(20), 0) : at] + data[at:]
    return data[: source.randrange(len(data))] if source.random() < 0.05 else data


# Comparing.

BATCH = 20000


def selvedge(program, connections):
    """What selvedge makes of them all."""
    stream = b"".join(struct.pack(">I", len(data)) + data for data in connections)
    lines = subprocess.run([program], input=stream, capture_output=True, check=True).stdout.splitlines()
    assert len(lines) == len(connections), "a line for each connection"
    for line in lines:
        found = json.loads(line)
        seen = [(m.encode(), t.encode(), None if b is None else bytes.fromhex(b)) for m, t, b in found["requests"]]
        yield seen, found["end"], found.get("reason")


def without_authority(target):
    """What is asked for of an absolute target: others tell it whole, or leave it to their users."""
    stripped = re.sub(rb"^[hH][tT][tT][pP][sS]?://[^/?]*", b"", target)
    return b"/" + stripped if stripped != target and not stripped.startswith(b"/") else stripped


def disagreement(ours, our_end, theirs, their_end):
    """In what they differ, if selvedge has not refused it."""
    for number, (method, target, body) in enumerate(ours):
        if number >= len(theirs):
            # A request that a guard refused is answered before its body is read, and the body may not be there.
            if body is None and number + 1 == len(ours):
                return None
            # Whoever refuses or closes early has not been deceived.
            return None if their_end in ("error", "closed") else f"request {number + 1} is not complete for them"
        other = theirs[number]
        if other[0] != method:
            return f"request {number + 1}: another method, {other[0]}"
        if without_authority(other[1]) != target:
            return f"request {number + 1}: another target, {other[1]}"
        if body is not None and other[2] != body:
            return f"request {number + 1}: another body, {other[2]}"
    if our_end == "open" and len(theirs) > len(ours):
        return f"waits for the rest of request {len(ours) + 1}, which is complete for them"
    return None


def batches(source, count):
    """So many connections, made up a few at a time: a night's worth would not fit into memory."""
    for done in range(0, count, BATCH):
        yield [connection(source) for _ in range(min(BATCH, count - done))]


def main():
    program = sys.argv[1]
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 20000
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    warnings.simplefilter("ignore")
    source = random.Random(seed)
    ends, reasons, stricter, laxer, excused, found = Counter(), Counter(), Counter(), Counter(), Counter(), []
    accepted = 0
    compared = ((data, ours) for some in batches(source, count) for data, ours in zip(some, selvedge(program, some)))
    for data, (ours, our_end, reason) in compared:
        ends[our_end] += 1
        accepted += len(ours)
        if reason is not None:
            reasons[reason] += 1
        for parser in PARSERS:
            name = parser.__name__.strip("_")
            theirs, their_end = parser(data)
            problem = disagreement(ours, our_end, theirs, their_end)
            if problem is None:
                stricter[name] += their_end == "error" and len(theirs) < len(ours)
                laxer[name] += our_end == "refused" and len(theirs) > len(ours)
            elif (excuse := known(name, data, problem)) is not None:
                excused[f"{name}: {excuse}"] += 1
            else:
                found.append((name, problem, data, (ours, our_end), (theirs, their_end)))

    print(f"{count} connections (seed {seed}), {accepted} requests accepted; selvedge's ends: {dict(ends)}")
    for reason, number in reasons.most_common():
        print(f"  {number:7} {reason}")
    for parser in PARSERS:
        name = parser.__name__.strip("_")
        print(f"{name:12} refuses what selvedge accepts: {stricter[name]}; accepts what selvedge refuses: {laxer[name]}")
    for excuse, number in excused.most_common():
        print(f"known, {number} times: {excuse}")
    shown = Counter()
    for name, problem, data, ours, theirs in found:
        shape = (name, re.sub(r", .*", "", problem))
        shown[shape] += 1
        if shown[shape] <= 3:
            print(f"\n{name}: {problem}\n  bytes    {data}\n  selvedge {ours}\n  {name:8} {theirs}")
    print(f"\n{len(found)} disagreements that are not known{f': {dict(shown)}' if shown else ''}")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
