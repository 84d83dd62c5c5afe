// Draws the board from what /board.json says, four times a second while somebody looks.
"use strict";

const PHASES = [
  null,
  ["handshake", "agreeing on keys", "Agreeing on keys before anything is said (TLS)."],
  ["head", "reading a head", "Reading what is asked for. To dribble here is the classic way to hold a thread."],
  ["body", "reading a body", "Reading what the request brings along, at a minimum rate."],
  ["waiting", "waiting for a handler", "Complete, and in line for a handler."],
  ["handling", "being handled", "The handler is at work. Such a seat is never taken back."],
  ["writing", "sending an answer", "Sending the answer, as fast as its client reads it."],
  ["idle", "idle", "Between two requests. Among the first to go when others wait."],
  ["upgraded", "speaking another protocol", "Handed over to another protocol, for as long as that takes."],
];
const POLL = 250;
const RETRY = 1000;
const PATIENCE = 4000;
/** Seats that are drawn; of more than these the rest is summed up. */
const DRAWN = 2048;
const SVG = "http://www.w3.org/2000/svg";

const by = (id) => document.getElementById(id);
const numbers = new Intl.NumberFormat("en");
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
const cloth = by("cloth");

/** What is known of each drawn seat: its element, and what was last put there. */
const seats = [];
const history = { last: 0, kept: 180, served: [], refused: [], p50: [], p99: [] };
const state = { pid: 0, columns: 33, focus: 0, seen: null, pinned: null, picked: 0, latest: null, timer: 0, asking: false };

function span(ms) {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 120000) return `${(ms / 1000).toFixed(1)} s`;
  if (ms < 7200000) return `${Math.round(ms / 60000)} min`;
  return `${(ms / 3600000).toFixed(1)} h`;
}

function micros(us) {
  if (us < 1000) return `${us} µs`;
  return us < 10000 ? `${(us / 1000).toFixed(1)} ms` : span(us / 1000);
}

function bytes(count) {
  if (count < 1024) return `${count} B`;
  const unit = count < 1048576 ? ["KiB", 1024] : count < 1073741824 ? ["MiB", 1048576] : ["GiB", 1073741824];
  const value = count / unit[1];
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${unit[0]}`;
}

function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function make(name, className, text) {
  const element = document.createElement(name);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

// The cloth.

function weave(count) {
  const drawn = Math.min(count, DRAWN);
  if (seats.length === drawn) return;
  while (seats.length > drawn) seats.pop().element.remove();
  const fresh = document.createDocumentFragment();
  while (seats.length < drawn) {
    const element = make("div", "seat");
    element.append(make("i"));
    element.setAttribute("role", "option");
    element.setAttribute("aria-selected", "false");
    element.id = `seat-${seats.length}`;
    element.tabIndex = seats.length === state.focus ? 0 : -1;
    element.setAttribute("aria-label", `Seat ${seats.length}, free`);
    seats.push({ element, phase: 0, left: -1, mark: 0 });
    fresh.append(element);
  }
  cloth.append(fresh);
  measure();
}

/** As many columns as make the cloth about as high as a screen; an odd number, so that threads cross over and under. */
function measure() {
  const width = cloth.clientWidth;
  const height = Math.max(300, Math.min(innerHeight * 0.6, 620));
  const pitch = Math.max(11, Math.min(34, Math.sqrt((width * height) / Math.max(seats.length, 1))));
  state.columns = Math.max(5, Math.floor(width / pitch / 2) * 2 + 1);
  cloth.style.setProperty("--columns", state.columns);
}

function drawSeats(board) {
  const taken = new Map(board.board.map((cell) => [cell[0], cell]));
  const highest = board.board.reduce((most, cell) => Math.max(most, cell[0] + 1), 0);
  weave(Math.max(board.seats[1], highest));
  for (let number = 0; number < seats.length; number++) {
    const [, phase, since, left, mark] = taken.get(number) ?? [number, 0, 0, null, 0];
    // In steps that can be seen: most rings stay as they are from one look to the next.
    const part = left === null ? 40 : Math.round((40 * left) / Math.max(since + left, 1));
    drawSeat(seats[number], number, phase, part, mark);
  }
  const beyond = board.board.filter((cell) => cell[0] >= DRAWN).length;
  by("beyond").hidden = board.seats[1] <= DRAWN;
  say(by("beyond"), `The first ${numbers.format(DRAWN)} of ${numbers.format(board.seats[1])} seats; beyond them ${numbers.format(beyond)} are taken.`);
}

function drawSeat(seat, number, phase, part, mark) {
  const { element } = seat;
  if (seat.phase !== phase) {
    seat.phase = phase;
    if (phase) element.dataset.phase = phase;
    else delete element.dataset.phase;
    element.classList.toggle("picked", phase === state.picked && phase > 0);
    element.setAttribute("aria-label", `Seat ${number}, ${phase ? PHASES[phase][1] : "free"}`);
  }
  if (phase && seat.left !== part) {
    seat.left = part;
    element.style.setProperty("--left", part / 40);
  }
  if (seat.mark !== mark) {
    seat.mark = mark;
    element.classList.toggle("claimed", (mark & 1) === 1);
    element.classList.toggle("stuck", (mark & 2) === 2);
  }
}

/** The seat that is told of: the one that is kept in view, else the one pointed at, else the one that has the focus. */
function told() {
  if (state.pinned !== null) return state.pinned;
  if (state.seen !== null) return state.seen;
  return document.activeElement?.parentElement === cloth ? state.focus : null;
}

function describe(seat) {
  const detail = by("detail");
  const number = told();
  if (number === null) return;
  const lines = [];
  const first = make("p");
  if (seat === null || seat.number !== number) {
    const known = seats[number]?.phase;
    first.append(make("strong", "", `Seat ${number}: ${known ? PHASES[known][1] : "free"}`));
    detail.replaceChildren(first);
    return;
  }
  const phase = PHASES.find((known) => known?.[0] === seat.phase)?.[1] ?? seat.phase;
  const until = seat.left === null ? "without a deadline" : seat.left > 0 ? `${span(seat.left)} left` : "past its time";
  first.append(make("strong", "", `Seat ${number}: ${phase} for ${span(seat.since)}, ${until}`));
  lines.push(first);
  const who = make("p", "", `${seat.peer} is here for ${span(seat.arrived)}`);
  if (seat.request) who.append(seat.past ? "; last asked for " : " and asks for ", make("code", "", seat.request));
  who.append(seat.past && !seat.request ? " and has asked for nothing yet." : ".");
  lines.push(who);
  const notes = [`${numbers.format(seat.served)} ${seat.served === 1 ? "request" : "requests"} answered`];
  if (seat.moved) notes.push(`${bytes(seat.moved)} in this phase`);
  if (seat.thread) notes.push(`on the thread ${seat.thread}`);
  if (seat.stuck) notes.push("stuck");
  if (seat.claim) notes.push("told to end");
  lines.push(make("p", "", notes.join(", ") + (state.pinned === number ? ". Escape lets it go." : ".")));
  detail.replaceChildren(...lines);
}

function move(number) {
  const next = Math.max(0, Math.min(seats.length - 1, number));
  const [before, after] = [seats[state.focus], seats[next]];
  if (before) {
    before.element.tabIndex = -1;
    before.element.setAttribute("aria-selected", "false");
  }
  state.focus = next;
  after.element.tabIndex = 0;
  after.element.setAttribute("aria-selected", "true");
  after.element.focus();
}

function pin(number) {
  if (state.pinned !== null) seats[state.pinned]?.element.classList.remove("pinned");
  state.pinned = number === state.pinned ? null : number;
  if (state.pinned !== null) seats[state.pinned]?.element.classList.add("pinned");
  askSoon();
}

function nextTaken() {
  for (let step = 1; step <= seats.length; step++) {
    const number = (state.focus + step) % seats.length;
    if (seats[number].phase && (!state.picked || seats[number].phase === state.picked)) return number;
  }
  return state.focus;
}

const KEYS = {
  ArrowLeft: () => state.focus - 1,
  ArrowRight: () => state.focus + 1,
  ArrowUp: () => state.focus - (state.focus >= state.columns ? state.columns : 0),
  ArrowDown: () => state.focus + (state.focus + state.columns < seats.length ? state.columns : 0),
  Home: () => 0,
  End: () => seats.length - 1,
  PageUp: () => state.focus - 5 * state.columns,
  PageDown: () => state.focus + 5 * state.columns,
  n: nextTaken,
  N: nextTaken,
};

function seatOf(target) {
  const element = target instanceof Element ? target.closest("#cloth > .seat") : null;
  return element ? Number(element.id.slice(5)) : null;
}

function listen() {
  cloth.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Enter" || event.key === " ") pin(state.focus);
    else if (event.key === "Escape") pin(state.pinned);
    else if (KEYS[event.key]) move(KEYS[event.key]());
    else return;
    event.preventDefault();
  });
  cloth.addEventListener("focusin", (event) => {
    const number = seatOf(event.target);
    if (number === null) return;
    state.focus = number;
    state.seen = null;
    askSoon();
  });
  cloth.addEventListener("pointermove", (event) => {
    const number = seatOf(event.target);
    if (number === state.seen) return;
    state.seen = number;
    askSoon();
  });
  cloth.addEventListener("pointerleave", () => (state.seen = null));
  cloth.addEventListener("click", (event) => {
    const number = seatOf(event.target);
    if (number !== null) pin(number);
  });
  addEventListener("resize", measure);
  document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(state.timer) : ask()));
}

function explain() {
  PHASES.forEach((phase, number) => {
    if (!phase) return;
    const button = make("button");
    button.type = "button";
    button.setAttribute("aria-pressed", "false");
    const sample = make("span", "seat demo");
    sample.dataset.phase = number;
    sample.append(make("i"));
    const text = make("span");
    const name = make("b", "", phase[0]);
    name.append(make("span"));
    name.lastChild.id = `count-${phase[0]}`;
    text.append(name, make("small", "", phase[2]));
    button.append(sample, text);
    button.addEventListener("click", () => pick(state.picked === number ? 0 : number));
    const item = make("li");
    item.append(button);
    by("legend").append(item);
  });
  document.querySelectorAll(".signs .demo").forEach((demo) => demo.append(make("i")));
}

/** Lets the seats of one phase stand out. */
function pick(phase) {
  state.picked = phase;
  cloth.classList.toggle("picking", phase > 0);
  seats.forEach((seat) => seat.element.classList.toggle("picked", phase > 0 && seat.phase === phase));
  by("legend").querySelectorAll("button").forEach((button, at) => button.setAttribute("aria-pressed", String(at + 1 === phase)));
}

// Everything else.

function gauge(name, taken, limit, show = (number) => numbers.format(number)) {
  const element = by(`gauge-${name}`);
  const amount = element.querySelector(".amount");
  const text = limit === null ? "" : `of ${show(limit)}`;
  if (amount.dataset.text !== `${taken} ${text}`) {
    amount.dataset.text = `${taken} ${text}`;
    amount.replaceChildren(show(taken), make("small", "", text));
  }
  const part = limit ? Math.min(taken / limit, 1) : 0;
  const bar = element.querySelector(".bar");
  bar.classList.toggle("high", part >= 0.75 && part < 1);
  bar.classList.toggle("full", part >= 1);
  bar.firstElementChild.style.setProperty("--full", part);
  bar.firstElementChild.style.setProperty("--some", taken > 0 ? 1 : 0);
}

function path(className, values, height) {
  const [line, count] = [document.createElementNS(SVG, "path"), history.kept];
  const points = values.map((value, at) => [360 * (1 - (values.length - 1 - at) / (count - 1)), height(value)]);
  const drawn = points.filter((point) => point[1] !== null).map(([x, y], at) => `${at ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`);
  line.setAttribute("class", className);
  line.setAttribute("d", drawn.join(""));
  return line;
}

function gridLine(y) {
  const line = document.createElementNS(SVG, "path");
  line.setAttribute("class", "grid");
  line.setAttribute("d", `M0 ${y}H360`);
  return line;
}

/** The next of 1, 2, 5, 10, 20, 50 … */
function round(value) {
  const decade = 10 ** Math.floor(Math.log10(value));
  return decade * [1, 2, 5, 10].find((step) => step * decade >= value);
}

function plot() {
  const top = round(Math.max(10, ...history.served, ...history.refused));
  const height = (value) => 88 - (84 * value) / top;
  const served = path("served", history.served, height);
  const area = served.cloneNode();
  area.setAttribute("class", "area");
  const start = 360 * (1 - (history.served.length - 1) / (history.kept - 1));
  if (history.served.length > 1) area.setAttribute("d", `${served.getAttribute("d")}L360 90L${start.toFixed(1)} 90Z`);
  by("plot-rate").replaceChildren(gridLine(4), gridLine(46), area, served, path("refused", history.refused, height));
  say(by("rate-top"), `top line: ${numbers.format(top)}`);
  say(by("rate-now"), numbers.format(history.served.at(-1) ?? 0));

  // Each dotted line is ten times the one below it.
  const decades = (us) => (us > 0 ? 88 - 14 * Math.min(6, Math.max(0, Math.log10(us) - 1)) : null);
  const lines = [1, 2, 3, 4, 5, 6].map((decade) => gridLine(88 - 14 * decade));
  by("plot-latency").replaceChildren(...lines, path("p50", history.p50, decades), path("p99", history.p99, decades));
  const [half, most] = [history.p50.at(-1) ?? 0, history.p99.at(-1) ?? 0];
  say(by("latency-now"), half ? `${micros(half)}, p99 ${micros(most)}` : "");
}

function remember(board) {
  const news = board.history;
  if (state.pid !== board.pid || news.last < history.last) {
    state.pid = board.pid;
    history.last = 0;
    for (const name of ["served", "refused", "p50", "p99"]) history[name] = [];
    if (news.last > news.served.length && news.served.length < news.kept) return;
  }
  if (news.last === history.last && history.served.length) return;
  // All there is comes again: nothing is told twice.
  if (history.last === 0) by("events").replaceChildren();
  history.last = news.last;
  history.kept = news.kept;
  for (const name of ["served", "refused", "p50", "p99"]) history[name] = history[name].concat(news[name]).slice(-news.kept);
  plot();
}

const BAD = new Set(["handler found stuck", "handler panicked", "worker panicked", "answer could not be made", "answer could not be finished"]);

function tell(events) {
  const list = by("events");
  for (const event of events) {
    const item = make("li", "new");
    const text = make("span");
    const kind = event.what === "seat taken back" ? "kind evicted" : BAD.has(event.what) ? "kind bad" : "kind";
    text.append(make("i", kind), event.what);
    if (event.client) text.append(make("small", "", ` ${event.client}`));
    item.append(make("time", "", clock.format(event.time)), text, make("span", "count", event.count > 1 ? `× ${numbers.format(event.count)}` : ""));
    list.prepend(item);
  }
  while (list.childElementCount > 60) list.lastElementChild.remove();
  if (events.length) list.querySelectorAll(".none").forEach((none) => none.remove());
  else if (!list.childElementCount) list.append(make("li", "none", "Nothing was refused, nobody was cut off."));
}

function table(name, rows, nothing) {
  const text = JSON.stringify(rows);
  const body = by(name).tBodies[0];
  if (body.dataset.text === text) return;
  body.dataset.text = text;
  const lines = rows.map((cells) => {
    const line = make("tr");
    for (const cell of cells) {
      const column = make("td");
      column.append(...[cell].flat().map((part) => (typeof part === "string" ? part : make(part.in, part.of, part.text))));
      line.append(column);
    }
    return line;
  });
  if (!lines.length) {
    lines.push(make("tr"));
    lines[0].append(make("td", "none", nothing));
  }
  body.replaceChildren(...lines);
}

function drawSide(board) {
  const quiet = (text) => ({ in: "small", of: "", text });
  const busy = board.rows.filter((row) => row.phase !== "idle");
  table("rows", busy.map((row) => [
    [{ in: "code", of: "", text: row.past || !row.request ? row.peer : row.request }, quiet(` seat ${row.number}`)],
    [quiet(row.stuck ? "stuck" : row.phase)],
    [span(row.since)],
  ]), "Nobody is at anything.");
  table("holders", board.holders.slice(0, 6).map((client) => [
    client.client,
    [numbers.format(client.seats), quiet(client.seats === 1 ? " seat" : " seats")],
  ]), "Nobody is here.");
  table("busiest", board.busiest.slice(0, 6).map((client) => [
    client.client,
    [numbers.format(client.requests), quiet(" requests")],
    [quiet(`${numbers.format(client.seats)} ${client.seats === 1 ? "seat" : "seats"}`)],
  ]), "Nobody has asked for anything.");
  const barred = [["throttled", board.throttled], ["over the rate limit", board.limited]];
  const count = board.throttled.count + board.limited.count;
  say(by("barred-count"), count ? numbers.format(count) : "");
  table("barred", barred.flatMap(([why, list]) => list.longest.slice(0, 5).map((client) => [client.client, [quiet(why)], [`${Math.ceil(client.for)} s`]])), "Nobody.");
  const alerts = board.alerts.slice(0, 8).map((alert) => {
    const item = make("li");
    item.append(make("time", "", clock.format(alert.time)), make("span", "", alert.text.replace(/^alert: /, "")));
    return item;
  });
  const shown = board.alerts.map((alert) => alert.time).join();
  if (by("alerts").dataset.shown !== shown) {
    by("alerts").dataset.shown = shown;
    by("alerts").replaceChildren(...(alerts.length ? alerts : [make("li", "none", "None since the start.")]));
  }
}

function draw(board) {
  state.latest = board;
  headline(board.level, board.headline);
  const places = board.addresses.join(", ");
  say(by("where"), places.replace(/http:\/\//g, ""));
  say(by("meta"), `${board.version}, process ${board.pid}, up ${span(board.uptime * 1000)}`);
  gauge("seats", ...board.seats);
  gauge("lobby", ...board.lobby);
  gauge("flight", ...board.flight);
  gauge("queue", ...board.queue);
  gauge("memory", board.memory ?? 0, board.memory_limit, bytes);
  const system = board.threads === null ? "" : `${numbers.format(board.threads)} threads, ${numbers.format(board.descriptors)} open files`;
  say(by("system"), board.lost_lines ? `${system}, ${numbers.format(board.lost_lines)} lines of logs lost` : system);
  PHASES.forEach((phase, number) => phase && say(by(`count-${phase[0]}`), board.phases[number - 1] ? numbers.format(board.phases[number - 1]) : ""));
  drawSeats(board);
  describe(board.seat);
  remember(board);
  tell(board.events);
  drawSide(board);
}

function headline(level, text) {
  if (by("banner").dataset.level !== level) by("banner").dataset.level = level;
  say(by("headline"), text);
  document.title = `${{ well: "✓", strained: "!", bad: "×", gone: "×" }[level] ?? ""} ${text} – selvedge`;
}

async function ask() {
  clearTimeout(state.timer);
  if (state.asking || document.hidden) return;
  state.asking = true;
  let pause = POLL;
  try {
    const seat = told();
    const query = `since=${history.last}&rows=8${seat === null ? "" : `&seat=${seat}`}`;
    const answer = await fetch(`/board.json?${query}`, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
    if (!answer.ok) throw new Error(String(answer.status));
    draw(await answer.json());
  } catch {
    pause = RETRY;
    headline("gone", state.latest ? "The server does not answer: it has ended, or this page cannot reach it" : "The server does not answer");
  }
  state.asking = false;
  state.timer = setTimeout(ask, pause);
}

/** For who has just turned to a seat: without waiting for the next round. */
function askSoon() {
  const number = told();
  if (number !== null) say(by("spoken"), seats[number] ? `Seat ${number}, ${seats[number].phase ? PHASES[seats[number].phase][1] : "free"}` : "");
  describe(null);
  clearTimeout(state.timer);
  if (!state.asking) state.timer = setTimeout(ask, 30);
}

explain();
listen();
ask();
