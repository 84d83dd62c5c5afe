"""How fast is selvedge? Beside the servers people would otherwise use, and beside the limit of the model.

Run it through scripts/bench, which builds and installs what it needs. Everything runs on this machine's loopback;
client and servers share the cores, so compare the ratios, not the numbers. Figures are medians of interleaved rounds, and
ratios the medians of each round's ratio: what disturbs the machine for a while disturbs both sides of it. In each round the
servers take turns in another order.
Prints Markdown on standard output, progress on standard error.
"""

import argparse
import os
import re
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BUILT = Path(os.environ["BUILT"])
PEERS = Path(os.environ["PEERS"])
HERE = Path(__file__).parent
TICKS = os.sysconf("SC_CLK_TCK")
PAGE = 1500
UNLIMITED = ["--rate-limit", "off", "--max-connections-per-client", "off", "--max-connections", "8192"]
POST_SCRIPT = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{"data":"' .. string.rep("x", 1000) .. '"}'
"""
NGINX = """
daemon off; worker_processes auto; worker_rlimit_nofile 16384; pid {tmp}/nginx.pid; error_log {tmp}/nginx.log;
events {{ worker_connections 8192; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 1h; sendfile on; tcp_nopush on; tcp_nodelay on;
  client_body_temp_path {tmp}/1; proxy_temp_path {tmp}/2; fastcgi_temp_path {tmp}/3; uwsgi_temp_path {tmp}/4;
  scgi_temp_path {tmp}/5; types {{ }} default_type text/html; root {tmp}/www;
  server {{ listen {plain}; location = / {{ return 200 "{page}"; }} }}
  server {{
    listen {tls} ssl; ssl_certificate {tmp}/cert.pem; ssl_certificate_key {tmp}/key.pem;
    ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache shared:tls:10m; location = / {{ return 200 "{page}"; }}
  }}
}}
"""


class Server:
    """A process, or several, that answers on one port or on two."""

    def __init__(self, name, command, plain=None, tls=None, prefix=()):
        self.name, self.command, self.plain, self.tls = name, [*prefix, *map(str, command)], plain, tls

    def start(self):
        began = time.perf_counter()
        self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while self.process.poll() is None and time.perf_counter() - began < 10:
            if answers(self.plain) if self.plain else listens(self.tls):
                return time.perf_counter() - began
            time.sleep(0.0002)
        sys.exit(f"bench: {self.name} does not start: {' '.join(self.command)}")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def processes(self):
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [pid, *children]

    def cpu(self):
        """Seconds of processor time so far."""
        fields = [Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split() for pid in self.processes()]
        return sum(int(field[11]) + int(field[12]) for field in fields) / TICKS

    def switches(self):
        """Context switches of all threads so far."""
        statuses = [path for pid in self.processes() for path in Path(f"/proc/{pid}/task").glob("*/status")]
        return sum(int(count) for path in statuses for count in re.findall(r"ctxt_switches:\s+(\d+)", text(path)))

    def rss(self):
        """KiB of memory."""
        statuses = [Path(f"/proc/{pid}/status").read_text() for pid in self.processes()]
        return sum(int(re.search(r"VmRSS:\s+(\d+)", status)[1]) for status in statuses)


class Bench:
    def __init__(self, options, tmp):
        self.options, self.tmp = options, tmp
        self.samples, self.errors = {}, set()

    # --- the servers ---

    def servers(self):
        tmp, batch = self.tmp, ["chrt", "-b", "0"]
        selvedge = [BUILT / "selvedge", *UNLIMITED]
        pair = ["--tls-cert", tmp / "cert.pem", "--tls-key", tmp / "key.pem"]
        a = {name: free_address() for name in
             "app batch files tls tls_files nginx nginx_tls loop close axum khttp tiny rouille python".split()}
        config = NGINX.format(tmp=tmp, plain=a["nginx"], tls=a["nginx_tls"], page="x" * PAGE)
        (tmp / "nginx.conf").write_text(config)
        loop, answer = BUILT / "examples" / "bare_loop", PAGE + 400
        python = ["python3", HERE / "peers" / "threading_http_server.py", a["python"], PAGE]
        return {
            "selvedge": Server("selvedge", [*selvedge, "--bind", a["app"]], a["app"]),
            "selvedge, batch": Server("selvedge, batch", [*selvedge, "--bind", a["batch"]], a["batch"], prefix=batch),
            "files": Server("files", [*selvedge, "--bind", a["files"], tmp / "www"], a["files"]),
            "tls": Server("tls", [*selvedge, *pair, "--bind", a["tls"]], tls=a["tls"]),
            "tls files": Server("tls files", [*selvedge, *pair, "--bind", a["tls_files"], tmp / "www"], tls=a["tls_files"]),
            "nginx": Server("nginx", ["nginx", "-c", tmp / "nginx.conf", "-e", tmp / "nginx.log"], a["nginx"], a["nginx_tls"]),
            "bare loop": Server("bare loop", [loop, a["loop"], PAGE, answer], a["loop"]),
            "bare loop, close": Server("bare loop, close", [loop, a["close"], PAGE, answer, "close"], a["close"]),
            "axum": Server("axum", [PEERS / "axum", a["axum"], PAGE], a["axum"]),
            "khttp": Server("khttp", [PEERS / "khttp", a["khttp"], PAGE], a["khttp"]),
            "tiny_http": Server("tiny_http", [PEERS / "tiny_http", a["tiny"], PAGE], a["tiny"]),
            "rouille": Server("rouille", [PEERS / "rouille", a["rouille"], PAGE], a["rouille"]),
            "Python": Server("Python", python, a["python"]),
        }

    # --- one measurement each ---

    def wrk(self, server, connections, path="/", tls=False, script=None, close=False):
        """Requests a second, bytes a second, and seconds of processor time for each request."""
        url = f"https://{server.tls}{path}" if tls else f"http://{server.plain}{path}"
        command = ["wrk", f"-t{min(2, connections)}", f"-c{connections}", f"-d{self.options.seconds}", url]
        if script:
            command[1:1] = ["-s", script]
        if close:
            command[1:1] = ["-H", "Connection: close"]
        cpu = server.cpu()
        client = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        # Where a thread ends with its connection, its switches can only be counted while it lives.
        time.sleep(self.options.seconds / 5)
        switches, began = server.switches(), time.perf_counter()
        time.sleep(self.options.seconds / 2)
        switches, span = server.switches() - switches, time.perf_counter() - began
        out = client.communicate()[0]
        cpu = server.cpu() - cpu
        if client.returncode:
            sys.exit(f"bench: {' '.join(command)} failed")
        close = ", a connection each" if close else ""
        for trouble in re.findall(r"(?:Socket errors|Non-2xx)[^\n]*", out):
            self.errors.add(f"{server.name}, {connections} connections{close}: {re.sub(r'[0-9]{3,}', 'many', trouble)}")
        count, seconds = re.search(r"(\d+) requests in ([\d.]+)s", out).groups()
        read = re.search(r"requests in [\d.]+s, ([\d.]+)(\w+) read", out)
        bytes_read = (float(read[1]) or 1) * {"B": 1, "KB": 2**10, "MB": 2**20, "GB": 2**30}[read[2]]
        count = max(int(count), 1)
        return {"rate": count / float(seconds), "bytes": bytes_read / float(seconds), "cpu": cpu / count,
                "cpu_per_byte": cpu / bytes_read, "switches": switches / span / (count / float(seconds))}

    def handshakes(self, server, resume):
        command = [BUILT / "examples" / "siege", "handshakes", "--target", server.tls, "--clients", "16",
                   "--seconds", str(self.options.seconds), *(["--resume"] if resume else [])]
        return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[0])

    def note(self, work, server, figure):
        self.samples.setdefault((work, server), []).append(figure)

    def figure(self, work, server):
        samples = self.samples.get((work, server))
        return statistics.median(samples) if samples else None

    def ratio(self, work, other):
        """How many times the other's figure selvedge's is: the median of the rounds, or of the figures where they are no pairs."""
        own, others = (self.samples.get((work, name), []) for name in ("selvedge", other))
        if not own or not others:
            return None
        if len(own) != len(others):
            return statistics.median(own) / statistics.median(others)
        return statistics.median(one / another for one, another in zip(own, others))

    # --- a round of everything ---

    def round(self, servers, turn):
        post = self.tmp / "post.lua"
        rotated = lambda names: names[turn % len(names):] + names[:turn % len(names)]
        everybody = rotated(["selvedge", "nginx", "bare loop", "axum", "khttp", "tiny_http", "rouille", "Python"])
        pair = rotated(["selvedge", "nginx"])
        for connections in (1, 16, 64, 256):
            for name in everybody:
                seen = self.wrk(servers[name], connections)
                self.note(f"keep-alive, {connections}", name, seen["rate"])
                if connections == 64:
                    self.note("CPU s / 100k requests, 64", name, seen["cpu"] * 1e5)
                    self.note("context switches / request, 64", name, seen["switches"])
        for name in pair:
            server = servers["selvedge, batch" if name == "selvedge" else name]
            self.note("keep-alive, 64, SCHED_BATCH", name, self.wrk(server, 64)["rate"])
        for name in everybody:
            if name not in ("nginx", "bare loop"):
                self.note("POST 1 KB JSON, 64", name, self.wrk(servers[name], 64, script=post)["rate"])
            one_each = servers["bare loop, close" if name == "bare loop" else name]
            self.note("a connection each, 16", name, self.wrk(one_each, 16, close=True)["rate"])
        for name in pair:
            server = servers["files" if name == "selvedge" else name]
            self.note("100 KB file, MB/s, 16", name, self.wrk(server, 16, "/100k.bin")["bytes"] / 1e6)
            large = self.wrk(server, 4, "/10m.bin")
            self.note("10 MB file, MB/s, 4", name, large["bytes"] / 1e6)
            self.note("10 MB file, CPU s / GB", name, large["cpu_per_byte"] * 1e9)
        for name in pair:
            server = servers["tls" if name == "selvedge" else name]
            self.note("TLS full handshakes", name, self.handshakes(server, False))
            self.note("TLS resumed handshakes", name, self.handshakes(server, True))
            self.note("TLS keep-alive, 64", name, self.wrk(server, 64, tls=True)["rate"])
        for name in pair:
            server = servers["tls files" if name == "selvedge" else name]
            self.note("TLS 100 KB file, MB/s, 16", name, self.wrk(server, 16, "/100k.bin", tls=True)["bytes"] / 1e6)

    def idle(self, name, server, connections):
        server.start()
        target = ["--target", server.plain]
        hold = [BUILT / "examples" / "siege", "hold", *target, "--seconds", "20", "--clients"]
        warm = subprocess.Popen([*hold, "1"], stdout=subprocess.PIPE)
        warm.stdout.readline()
        warm.kill(), warm.wait()
        before = server.rss()
        holder = subprocess.Popen([*hold, str(connections)], stdout=subprocess.PIPE)
        held = holder.stdout.readline()
        time.sleep(0.5)
        if held:
            self.note(f"RSS KB / idle connection, {connections}", name, (server.rss() - before) / connections)
        holder.kill(), holder.wait()
        server.stop()

    def start_up(self, servers):
        for turn in range(self.options.rounds):
            for server in servers[turn % len(servers):] + servers[:turn % len(servers)]:
                self.note("start to first answer, ms", server.name, server.start() * 1e3)
                server.stop()

    def system_calls(self, server):
        if not shutil.which("strace"):
            return
        server.start()
        trace = self.tmp / "strace"
        tracer = subprocess.Popen(["strace", "-f", "-c", "-U", "calls,name", "-o", trace, "-p", str(server.process.pid)],
                                  stderr=subprocess.DEVNULL)
        time.sleep(0.5)
        out = subprocess.run(["wrk", "-t1", "-c4", "-d2", f"http://{server.plain}/"], capture_output=True, text=True).stdout
        tracer.send_signal(signal.SIGINT)
        tracer.wait()
        server.stop()
        total = re.search(r"^\s*(\d+)\s+total", trace.read_text(), re.M)
        requests = re.search(r"(\d+) requests in", out)
        if total and requests:
            self.note("system calls / request", "selvedge", int(total[1]) / int(requests[1]))

    # --- the report ---

    def table(self):
        columns = ["selvedge", "nginx", "bare loop", "axum", "khttp", "tiny_http", "rouille", "Python"]
        works = list(dict.fromkeys(work for work, _ in self.samples))
        print("| work | " + " | ".join(columns) + " | selvedge × nginx | × bare loop | × best of the blocking | × axum |")
        print("|---|" + "--:|" * (len(columns) + 4))
        for work in works:
            figures = {name: self.figure(work, name) for name in columns}
            blocking = [name for name in ("khttp", "tiny_http", "rouille") if figures[name]]
            less_is_more = any(word in work for word in ("CPU", "RSS", "start", "switches", "calls"))
            best = (min if less_is_more else max)(blocking, key=figures.get) if blocking else None
            cells = [number(figures[name]) for name in columns]
            ratios = [self.ratio(work, other) for other in ("nginx", "bare loop", best, "axum")]
            print("| " + " | ".join([work, *cells, *(f"{ratio:.2f}" if ratio else "" for ratio in ratios)]) + " |")


def text(path):
    """What stands in a file that may be gone by now: threads end."""
    try:
        return path.read_text()
    except OSError:
        return ""


def number(figure):
    if figure is None:
        return ""
    return f"{figure:,.0f}" if figure >= 100 else f"{figure:.1f}" if figure >= 10 else f"{figure:.2f}"


def listens(address):
    host, port = address.rsplit(":", 1)
    try:
        with socket.create_connection((host, int(port)), 1):
            return True
    except OSError:
        return False


def answers(address):
    host, port = address.rsplit(":", 1)
    try:
        with socket.create_connection((host, int(port)), 1) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            return connection.recv(1 << 10).startswith(b"HTTP/1.")
    except OSError:
        return False


def free_address():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def progress(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def prepare(tmp):
    tmp.chmod(0o711)  # nginx's workers leave root behind
    (tmp / "www").mkdir(mode=0o755)
    for name, size in (("100k.bin", 100 << 10), ("10m.bin", 10 << 20)):
        (tmp / "www" / name).write_bytes(os.urandom(size))
    (tmp / "post.lua").write_text(POST_SCRIPT)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
                    "30", "-subj", "/CN=localhost", "-keyout", tmp / "key.pem", "-out", tmp / "cert.pem"],
                   check=True, stderr=subprocess.DEVNULL)


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9, help="interleaved rounds, of which the median counts [9]")
    parser.add_argument("--seconds", type=int, default=1, help="length of each measurement [1]")
    options = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 32768), hard))
    with tempfile.TemporaryDirectory() as folder:
        tmp = Path(folder)
        prepare(tmp)
        bench = Bench(options, tmp)
        servers = bench.servers()
        # First of all: once a port has had thousands of connections, a client searches long for one of its own to it.
        progress("start-up")
        bench.start_up([servers[name] for name in ("selvedge", "nginx", "bare loop", "axum")])
        running = []
        try:
            for server in servers.values():
                server.start()
                running.append(server)
            for count in range(1, options.rounds + 1):
                progress(f"round {count} of {options.rounds}")
                bench.round(servers, count - 1)
        finally:
            for server in running:
                server.stop()
        progress("memory, system calls")
        for name in ("selvedge", "nginx", "bare loop", "axum"):
            for connections in (1000, 5000):
                bench.idle(name, servers[name], connections)
        bench.system_calls(servers["selvedge"])
        version = subprocess.run(["nginx", "-v"], capture_output=True, text=True).stderr.strip().rsplit("/", 1)[-1]
        print(f"{os.cpu_count()} cores, nginx {version}, medians of {options.rounds} rounds of {options.seconds} s; "
              "requests a second where nothing else is said; the number of connections stands behind the work.\n")
        bench.table()
        print()
        for error in sorted(bench.errors):
            print(f"- {error}")


main()
