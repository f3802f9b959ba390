"use strict";
/*
 * The page of `proflite export -f html`.
 *
 * data    functions, threads, processes, as JSON
 * nodes   the threads' trees, one behind the other, in preorder: numbers in
 *         seven bits a byte, gzip'ed, base64
 * view    the trees of the chosen threads, added up, in preorder: arrays by
 *         path, so that a subtree is a range and what is too narrow to see is
 *         left out with all below it
 *
 * With data.base there is a run to compare with: its functions and trees come
 * behind the others.  A path has the figures of both runs then, and functions
 * are the same that have one name and one place, whatever line it is.
 *
 * Names come from programs: they are text, never markup.
 */

const $ = id => document.getElementById(id);
const data = JSON.parse($("data").textContent);
const ROW = 18;                 // pixels of a call
const TABLE_ROW = 22;
const LEAST = 0.4;              // pixels below which nothing is drawn

const state = {
  threads: "all", weight: "time", direction: "down", fold: false,
  side: "both",                 // runs that are as wide as a path
  from: 0, to: 1,               // what of the root's width is seen
  zoomed: 0,                    // path
  func: -1, path: -1,           // selected
  sort: data.base ? "more" : "tottime", ascending: false,
};
let trees, view, matches = null;
let same = null;                // by function: the one it is taken for

/* ---------------------------------------------------------------- figures */

function time(ns) {
  const n = Math.abs(ns);
  return n >= 1e9 ? (ns / 1e9).toFixed(3) + " s" :
    n >= 1e6 ? (ns / 1e6).toFixed(3) + " ms" :
    n >= 1e3 ? (ns / 1e3).toFixed(3) + " µs" : Math.round(ns) + " ns";
}

const count = n => n.toLocaleString("en-US");
const signed = (show, n) => (n > 0 ? "+" : "") + (n ? show(n) : "0");
const percent = (part, all) => (all > 0 ? 100 * part / all : 0).toFixed(1) + "%";
const weighed = n => state.weight === "time" ? time(n) : count(n);

/* ------------------------------------------------------------------ nodes */

async function inflate(base64) {
  if (typeof DecompressionStream === "undefined")
    throw new Error("This browser is too old for the page: it cannot " +
                    "decompress (wanted: Chromium 80, Firefox 113, Safari 16.4).");
  const text = atob(base64.trim());
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++)
    bytes[i] = text.charCodeAt(i);
  const stream = new Blob([bytes]).stream()
    .pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/* One tree for each thread; path 0 is its root. */
function decode(bytes) {
  let at = 0;
  const number = () => {
    let n = 0, unit = 1, byte;
    do {
      byte = bytes[at++];
      n += (byte & 127) * unit;
      unit *= 128;
    } while (byte > 127);
    return n;
  };
  const n = data.threads.length + (data.base ? data.base.threads : 0);
  return Array.from({ length: n }, () => {
    const tree = arrays(number() + 1);
    let open = 0;
    for (let i = 1; i < tree.n; i++) {
      for (let up = number(); up > 0; up--)
        open = tree.parent[open];
      tree.parent[i] = open;
      tree.func[i] = number();
      tree.calls[i] = number();
      tree.self[i] = number();
      const least = number();
      tree.min[i] = least ? least - 1 : Infinity;
      tree.max[i] = least ? least - 1 + number() : 0;
      open = i;
    }
    return tree;
  });
}

function arrays(n) {
  return {
    n, parent: new Uint32Array(n), func: new Int32Array(n).fill(-1),
    calls: new Float64Array(n), self: new Float64Array(n),
    min: new Float64Array(n).fill(Infinity), max: new Float64Array(n),
  };
}

function findSame() {
  const known = new Map();
  same = Uint32Array.from(data.functions, (f, i) => {
    // No two runs share an address.
    const key = f.name.replace(/ at 0x[0-9a-f]+/g, "") + "\n" +
      (f.short || "");
    if (!known.has(key))
      known.set(key, i);
    return known.get(key);
  });
}

/* ------------------------------------------------------------------- view */

/* Paths of @chosen trees as one tree, in any order that has callers first;
 * those of @before beside them. */
function addUp(chosen, before, fold) {
  const all = [...chosen, ...before];
  if (all.length === 1 && !data.base && !fold)
    return all[0];
  const most = all.reduce((n, t) => n + t.n - 1, 1);
  const sum = arrays(most), known = new Map(), funcs = data.functions.length;
  sum.oldCalls = new Float64Array(most);
  sum.oldSelf = new Float64Array(most);
  sum.n = 1;
  for (const tree of all) {
    const to = new Uint32Array(tree.n), old = before.includes(tree);
    const calls = old ? sum.oldCalls : sum.calls;
    const self = old ? sum.oldSelf : sum.self;
    for (let i = 1; i < tree.n; i++) {
      const func = same ? same[tree.func[i]] : tree.func[i];
      let up = to[tree.parent[i]], at;
      if (fold)
        for (at = up; at && sum.func[at] !== func; at = sum.parent[at])
          ;
      if (!at) {
        const key = up * funcs + func;
        at = known.get(key);
        if (at === undefined) {
          at = sum.n++;
          known.set(key, at);
          sum.parent[at] = up;
          sum.func[at] = func;
        }
      }
      to[i] = at;
      calls[at] += tree.calls[i];
      self[at] += tree.self[i];
      if (old)
        continue;
      if (tree.min[i] < sum.min[at])
        sum.min[at] = tree.min[i];
      if (tree.max[i] > sum.max[at])
        sum.max[at] = tree.max[i];
    }
  }
  return sum;
}

/* @tree in preorder, the widest callee first, with widths and places. */
function layOut(tree, weight, side) {
  const n = tree.n, none = new Float64Array(data.base ? 0 : n);
  const oldSelf = tree.oldSelf || none, oldCalls = tree.oldCalls || none;
  const own = weight === "time" ? tree.self : tree.calls;
  const oldOwn = weight === "time" ? oldSelf : oldCalls;
  const sum = of => {           // with callees
    const total = new Float64Array(n);
    for (let i = n - 1; i > 0; i--) {
      total[i] += of[i];
      total[tree.parent[i]] += total[i];
    }
    return total;
  };
  const now = sum(own), before = data.base ? sum(oldOwn) : none;
  const width = data.base ? now.map((w, i) => side === "after" ? w :
    side === "before" ? before[i] : w + before[i]) : now;
  const total = weight === "time" ? now : sum(tree.self);
  const oldTotal = !data.base ? none : weight === "time" ? before :
    sum(oldSelf);
  const first = new Uint32Array(n + 1);
  for (let i = n - 1; i > 0; i--)
    first[tree.parent[i] + 1]++;
  for (let i = 0; i < n; i++)
    first[i + 1] += first[i];
  const callees = new Uint32Array(n), next = first.slice();
  for (let i = 1; i < n; i++)
    callees[next[tree.parent[i]]++] = i;
  for (let i = 0; i < n; i++)
    if (first[i + 1] - first[i] > 1)
      callees.subarray(first[i], first[i + 1])
        .sort((a, b) => width[b] - width[a] || a - b);

  const v = {
    n, func: new Int32Array(n), parent: new Uint32Array(n),
    end: new Uint32Array(n), depth: new Uint32Array(n),
    width: new Float64Array(n), x: new Float64Array(n),
    self: new Float64Array(n), total: new Float64Array(n),
    calls: new Float64Array(n), min: new Float64Array(n),
    max: new Float64Array(n), deepest: 0,
    oldSelf: new Float64Array(n),
    oldTotal: new Float64Array(n), oldCalls: new Float64Array(n),
    change: new Float64Array(n),        // of the weight: -1 gone, 1 new
  };
  const stack = [0], place = new Uint32Array(n), right = new Float64Array(n);
  for (let at = 0; stack.length; at++) {
    const i = stack.pop(), up = i ? place[tree.parent[i]] : 0;
    place[i] = at;
    v.func[at] = tree.func[i];
    v.parent[at] = up;
    v.depth[at] = at ? v.depth[up] + 1 : 0;
    v.deepest = Math.max(v.deepest, v.depth[at]);
    v.width[at] = width[i];
    v.x[at] = at ? right[up] : 0;
    right[up] += at ? width[i] : 0;
    right[at] = v.x[at];
    v.self[at] = i ? tree.self[i] : 0;
    v.total[at] = total[i];
    v.calls[at] = tree.calls[i];
    v.min[at] = tree.min[i];
    v.max[at] = tree.max[i];
    if (data.base) {
      v.oldSelf[at] = oldSelf[i];
      v.oldTotal[at] = oldTotal[i];
      v.oldCalls[at] = oldCalls[i];
      v.change[at] = now[i] + before[i] > 0
        ? (now[i] - before[i]) / (now[i] + before[i]) : 0;
    }
    for (let k = first[i + 1]; k-- > first[i];)
      stack.push(callees[k]);
  }
  for (let at = n; at-- > 0;) {
    v.end[at] = Math.max(v.end[at], at + 1);
    v.end[v.parent[at]] = Math.max(v.end[v.parent[at]], v.end[at]);
  }
  return v;
}

/* Figures by function and by pair, as pstats defines them. */
function aggregate(v) {
  const n = data.functions.length;
  const f = {
    calls: new Float64Array(n), primitive: new Float64Array(n),
    self: new Float64Array(n), cum: new Float64Array(n),
    min: new Float64Array(n).fill(Infinity), max: new Float64Array(n),
    oldCalls: new Float64Array(n), oldPrimitive: new Float64Array(n),
    oldSelf: new Float64Array(n), oldCum: new Float64Array(n),
  };
  const open = new Uint32Array(n), pairs = new Map();
  let at = 0;
  const leave = i => {
    open[v.func[i]]--;
    if (v.parent[i])
      pairs.get(v.func[v.parent[i]] * n + v.func[i]).open--;
  };
  for (let i = 1; i < v.n; i++) {
    for (; v.end[at] <= i; at = v.parent[at])
      leave(at);
    const func = v.func[i], outermost = !open[func]++;
    f.calls[func] += v.calls[i];
    f.self[func] += v.self[i];
    f.oldCalls[func] += v.oldCalls[i];
    f.oldSelf[func] += v.oldSelf[i];
    f.min[func] = Math.min(f.min[func], v.min[i]);
    f.max[func] = Math.max(f.max[func], v.max[i]);
    if (outermost) {
      f.primitive[func] += v.calls[i];
      f.cum[func] += v.total[i];
      f.oldPrimitive[func] += v.oldCalls[i];
      f.oldCum[func] += v.oldTotal[i];
    }
    if (v.parent[i]) {
      const caller = v.func[v.parent[i]], key = caller * n + func;
      let pair = pairs.get(key);
      if (!pair)
        pairs.set(key, pair = {
          caller, callee: func, calls: 0, cum: 0, oldCalls: 0, oldCum: 0,
          open: 0 });
      pair.calls += v.calls[i];
      pair.oldCalls += v.oldCalls[i];
      if (!pair.open++) {
        pair.cum += v.total[i];
        pair.oldCum += v.oldTotal[i];
      }
    }
    at = i;
  }
  f.pairs = [...pairs.values()];
  return f;
}

function chosenTrees() {
  const [kind, id] = state.threads.split(" ");
  return trees.filter((_, i) => i < data.threads.length && (kind === "all" ||
    String(data.threads[i][kind === "p" ? "process" : "id"]) === id));
}

function rebuild() {
  view = layOut(addUp(chosenTrees(), trees.slice(data.threads.length),
                      state.fold), state.weight, state.side);
  view.functions = aggregate(view);
  state.from = 0;
  state.to = 1;
  state.zoomed = 0;
  state.path = -1;
  tableRows = null;
  $("scroll").scrollTop = 0;
  search();
  showDetails();
}

/* ------------------------------------------------------------------ names */

const nameOf = func => data.functions[func].name;

function placeOf(func) {
  const f = data.functions[func];
  return f.file ? f.file + ":" + f.line : "";
}

function pathOf(i) {
  const path = [];
  for (; i; i = view.parent[i])
    path.unshift(i);
  return path;
}

/* Functions of one file have one colour; those that are built in are grey. */
const isDark = matchMedia("(prefers-color-scheme: dark)").matches;

/* More than before is red, less is blue. */
function colorOfChange(change) {
  const much = Math.min(1, Math.abs(change) * 2.5);
  return isDark
    ? `hsl(${change > 0 ? 0 : 215} ${much * 60}% ${26 + much * 16}%)`
    : `hsl(${change > 0 ? 0 : 215} ${much * 85}% ${90 - much * 22}%)`;
}

const colors = new Map();
function colorOf(func) {
  let color = colors.get(func);
  if (!color) {
    const f = data.functions[func];
    let hash = 0;
    for (const c of f.file || "")
      hash = (hash * 131 + c.codePointAt(0)) % 9973;
    color = f.file
      ? `hsl(${hash % 360} ${isDark ? "38% 36%" : "62% 78%"})`
      : `hsl(220 8% ${isDark ? 32 : 84}%)`;
    colors.set(func, color);
  }
  return color;
}

/* ------------------------------------------------------------------ graph */

const canvas = $("canvas"), brush = canvas.getContext("2d");
let wanted = false;

function draw() {
  if (!wanted)
    requestAnimationFrame(drawNow);
  wanted = true;
}

function size() {
  const box = $("scroll"), ratio = window.devicePixelRatio || 1;
  const w = box.clientWidth, h = box.clientHeight;
  if (canvas.width !== Math.round(w * ratio) ||
      canvas.height !== Math.round(h * ratio)) {
    canvas.width = Math.round(w * ratio);
    canvas.height = Math.round(h * ratio);
    canvas.style.height = h + "px";
  }
  brush.setTransform(ratio, 0, 0, ratio, 0, 0);
  return [w, h];
}

/* From paths to pixels; depth 1 is the first row, at the edge the callers are
 * at. */
function geometry() {
  const [w, h] = size(), root = view.width[0] || 1;
  const inner = Math.max(h, view.deepest * ROW + 4);
  $("height").style.height = inner + "px";
  const scroll = $("scroll").scrollTop, up = state.direction === "up";
  return {
    w, h, scale: w / (root * (state.to - state.from)), from: root * state.from,
    y: depth => (up ? inner - depth * ROW : (depth - 1) * ROW) - scroll,
    depth: y => Math.floor((up ? inner - (y + scroll) : y + scroll) / ROW) + 1,
  };
}

function drawNow() {
  wanted = false;
  const g = geometry(), style = getComputedStyle(document.body);
  const text = style.getPropertyValue("--text"),
    mark = style.getPropertyValue("--mark");
  brush.clearRect(0, 0, g.w, g.h);
  brush.font = "12px system-ui, sans-serif";
  brush.textBaseline = "middle";
  for (let i = 1; i < view.n;) {
    const w = view.width[i] * g.scale, x = (view.x[i] - g.from) * g.scale;
    const y = g.y(view.depth[i]);
    const gone = state.direction === "up" ? y < -ROW : y > g.h;
    if (w < LEAST || x + w < 0 || x > g.w || gone) {
      i = view.end[i];
      continue;
    }
    if (y > -ROW && y < g.h)
      drawPath(i, Math.max(x, 0), y, Math.min(x + w, g.w) - Math.max(x, 0),
               text, mark);
    i++;
  }
  document.body.dataset.drawn = ++drawn;        // for tests
}
let drawn = 0;

function drawPath(i, x, y, w, text, mark) {
  const func = view.func[i], found = matches && matches[func];
  brush.globalAlpha = matches && !found ? 0.45 : 1;
  brush.fillStyle = found ? mark : data.base ? colorOfChange(view.change[i])
    : colorOf(func);
  brush.fillRect(x, y, Math.max(w - (w > 3 ? 0.5 : 0), 0.5), ROW - 1);
  if (func === state.func) {
    brush.strokeStyle = text;
    brush.lineWidth = i === state.path ? 2 : 1;
    brush.strokeRect(x + 1, y + 1, Math.max(w - 2.5, 0.5), ROW - 3);
  }
  if (w > 24) {
    brush.fillStyle = found ? "#fff" : text;
    brush.fillText(fitting(nameOf(func), w - 8), x + 4, y + ROW / 2);
  }
  brush.globalAlpha = 1;
}

function fitting(text, width) {
  const most = Math.floor(width / 5);
  let cut = text.length > most ? text.slice(0, most) : text;
  while (cut && brush.measureText(cut === text ? cut : cut + "…").width > width)
    cut = cut.slice(0, Math.floor(cut.length * 0.9));
  return cut === text ? text : cut ? cut + "…" : "";
}

/* The path at a place of the canvas, or 0. */
function hit(event) {
  const box = canvas.getBoundingClientRect(), g = geometry();
  const depth = g.depth(event.clientY - box.top);
  const x = g.from + (event.clientX - box.left) / g.scale;
  let i = 0;
  while (view.depth[i] < depth) {
    let k = i + 1;
    while (k < view.end[i] && !(view.x[k] <= x &&
                                x < view.x[k] + view.width[k]))
      k = view.end[k];
    if (k >= view.end[i])
      return 0;
    i = k;
  }
  return depth > 0 ? i : 0;
}

function zoomTo(i) {
  const root = view.width[0] || 1;
  state.zoomed = i;
  state.from = i ? view.x[i] / root : 0;
  state.to = i ? (view.x[i] + view.width[i]) / root : 1;
  showPath();
  draw();
}

function showPath() {
  const line = document.createElement("span");
  for (const i of [0, ...pathOf(state.zoomed)]) {
    if (i)
      line.append(" › ");
    line.append(link(i ? nameOf(view.func[i]) : "all", () => zoomTo(i)));
  }
  $("path").replaceChildren(line);
}

/* Wheel and drag move freely; no path is zoomed into then. */
function look(from, to) {
  const width = Math.min(1, Math.max(to - from, 1e-9));
  state.from = Math.min(Math.max(from, 0), 1 - width);
  state.to = state.from + width;
  state.zoomed = 0;
  showPath();
  draw();
}

canvas.addEventListener("wheel", event => {
  if (!event.ctrlKey && !event.shiftKey && !event.altKey &&
      Math.abs(event.deltaX) < Math.abs(event.deltaY) &&
      $("height").clientHeight > $("scroll").clientHeight + 1)
    return;                     // scroll
  event.preventDefault();
  const width = state.to - state.from;
  if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
    const step = event.deltaX / canvas.clientWidth * width;
    look(state.from + step, state.to + step);
    return;
  }
  const part = event.offsetX / canvas.clientWidth;
  const middle = state.from + part * width;
  const next = width * Math.exp(event.deltaY / 300);
  look(middle - part * next, middle + (1 - part) * next);
}, { passive: false });

let grip = null;
canvas.addEventListener("pointerdown", event => {
  grip = { x: event.clientX, from: state.from, to: state.to, moved: false };
});
canvas.addEventListener("pointermove", event => {
  if (grip && event.buttons & 1) {
    const step = (grip.x - event.clientX) / canvas.clientWidth *
      (grip.to - grip.from);
    if (Math.abs(grip.x - event.clientX) > 4 && grip.to - grip.from < 1)
      grip.moved = true;
    if (grip.moved)
      look(grip.from + step, grip.to + step);
  }
  showTip(event);
});
canvas.addEventListener("pointerup", event => {
  const moved = grip && grip.moved, i = hit(event);
  grip = null;
  if (moved)
    return;
  if (i)
    select(view.func[i], i);
  zoomTo(i);
});
canvas.addEventListener("pointerleave", () => { $("tip").hidden = true; });

function showTip(event) {
  const tip = $("tip"), i = hit(event);
  tip.hidden = !i;
  if (!i)
    return;
  const func = view.func[i], all = view.width[0];
  const figures = (total, self, calls, share) => `${time(total)}${share}, ` +
    `self ${time(self)}, ${count(calls)} calls`;
  tip.replaceChildren(
    text("b", nameOf(func)), " ", text("span", placeOf(func), "dim"),
    document.createElement("br"),
    figures(view.total[i], view.self[i], view.calls[i],
            data.base ? "" : ` (${percent(view.width[i], all)})`));
  if (data.base)
    tip.append(document.createElement("br"), "was " + figures(
      view.oldTotal[i], view.oldSelf[i], view.oldCalls[i], ""));
  const left = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8);
  tip.style.left = Math.max(4, left) + "px";
  tip.style.top = Math.min(event.clientY + 16,
                           innerHeight - tip.offsetHeight - 8) + "px";
}

/* ---------------------------------------------------------------- details */

function text(tag, content, name) {
  const e = document.createElement(tag);
  e.textContent = content;
  if (name)
    e.className = name;
  return e;
}

function link(content, action) {
  const a = text("a", content);
  a.addEventListener("click", action);
  return a;
}

function select(func, path) {
  state.func = func;
  state.path = path === undefined ? -1 : path;
  showDetails();
  drawTable();
  draw();
}

function figures(rows, name) {
  const table = text("table", "", name || "facts");
  for (const [name, value] of rows) {
    const row = table.insertRow();
    row.insertCell().append(name);
    row.insertCell().append(value);
  }
  return table;
}

/* @f: calls, outermost (those whose time total is), self, total, min, max;
 * @old: those of the run before, with the same names. */
function numbers(f, old, all) {
  const was = (show, name) => data.base
    ? ` was ${show(old[name])} (${signed(show, f[name] - old[name])})` : "";
  const share = n => data.base ? "" : "  " + percent(n, all);
  const rows = [["calls", count(f.calls) + was(count, "calls")]];
  if (f.outermost !== f.calls)
    rows.push(["not recursive", count(f.outermost) + was(count, "outermost")]);
  rows.push(["total", time(f.total) + share(f.total) + was(time, "total")],
            ["self", time(f.self) + share(f.self) + was(time, "self")]);
  if (f.outermost)
    rows.push(["mean", time(f.total / f.outermost)]);
  if (f.max > 0 || f.min < Infinity)
    rows.push(["shortest, longest", `${time(f.min)}, ${time(f.max)}`]);
  return rows;
}

function others(title, pairs, end) {
  const parts = [text("h3", title)];
  pairs.sort((a, b) => b.cum - a.cum || b.calls - a.calls);
  parts.push(figures(pairs.slice(0, 50).map(p => [
    link(nameOf(p[end]), () => select(p[end])),
    `${count(p.calls)} × ${time(p.cum)}` + (!data.base ? "" :
      `, was ${count(p.oldCalls)} × ${time(p.oldCum)}`)]), "pairs"));
  if (!pairs.length)
    parts.push(text("span", "none", "dim"));
  if (pairs.length > 50)
    parts.push(text("span", `and ${count(pairs.length - 50)} more`, "dim"));
  return parts;
}

function showDetails() {
  const box = $("details"), func = state.func, i = state.path;
  if (func < 0) {
    box.replaceChildren(...about());
    return;
  }
  const f = data.functions[func], all = view.functions, total = view.total[0];
  const parts = [text("h2", f.name), text("span", placeOf(func), "dim")];
  if (f.source)
    parts.push(text("code", f.source));
  if (i > 0)
    parts.push(text("h3", "this path"), figures(numbers({
      calls: view.calls[i], outermost: view.calls[i], self: view.self[i],
      total: view.total[i], min: view.min[i], max: view.max[i],
    }, {
      calls: view.oldCalls[i], outermost: view.oldCalls[i],
      self: view.oldSelf[i], total: view.oldTotal[i],
    }, total)));
  parts.push(text("h3", "on all paths"), figures(numbers({
    calls: all.calls[func], outermost: all.primitive[func],
    self: all.self[func], total: all.cum[func],
    min: all.min[func], max: all.max[func],
  }, {
    calls: all.oldCalls[func], outermost: all.oldPrimitive[func],
    self: all.oldSelf[func], total: all.oldCum[func],
  }, total)));
  parts.push(...others("callers", all.pairs.filter(p => p.callee === func),
                       "caller"));
  parts.push(...others("callees", all.pairs.filter(p => p.caller === func),
                       "callee"));
  box.replaceChildren(...parts);
}

function about() {
  const sum = of => of.reduce((a, b) => a + b, 0), f = view.functions;
  const was = data.base
    ? [`, was ${time(view.oldTotal[0])}`, `, was ${count(sum(f.oldCalls))}`]
    : ["", ""];
  const rows = [["run", data.run], ["began", data.started],
                ["compared with", data.base && data.base.title],
                ["time", time(view.total[0]) + was[0]],
                ["calls", count(sum(f.calls)) + was[1]],
                ["call paths", count(view.n - 1)],
                ["clock", data.clock], ["python", data.python],
                ["host", data.host]].filter(r => r[1]);
  return [
    text("h2", "This run"), figures(rows.map(r => [r[0], String(r[1])])),
    text("h3", "How to read it"),
    text("p", "A bar is a call path: as wide as the time on it, with its " +
         "callees next to it, the heaviest first.  Its own time is what " +
         "they leave free.  Paths are added up: left to right is no time line."),
    data.base ? text("p", "Red is more than before, blue is less; grey is the " +
                     "same.  As wide as both runs together, a path that is " +
                     "gone is there as well.") : "",
    text("p", "Click: zoom and details.  Wheel with Shift: zoom.  Drag: move.  " +
         "Esc: all.  / : search."),
    data.folded ? text("p", "The run came to its max_nodes: paths beyond are " +
                       "below (folded).") : ""];
}

/* ------------------------------------------------------------------ table */

const columns = data.base ? [
  { id: "calls", title: "calls", of: (f, i) => f.calls[i],
    show: (f, i) => count(f.calls[i]) },
  { id: "moreCalls", title: "change",
    of: (f, i) => Math.abs(f.calls[i] - f.oldCalls[i]),
    show: (f, i) => signed(count, f.calls[i] - f.oldCalls[i]) },
  { id: "tottime", title: "self", of: (f, i) => f.self[i],
    show: (f, i) => time(f.self[i]) },
  { id: "more", title: "change",
    of: (f, i) => Math.abs(f.self[i] - f.oldSelf[i]),
    show: (f, i) => signed(time, f.self[i] - f.oldSelf[i]) },
  { id: "cumtime", title: "total", of: (f, i) => f.cum[i],
    show: (f, i) => time(f.cum[i]) },
  { id: "moreTotal", title: "change",
    of: (f, i) => Math.abs(f.cum[i] - f.oldCum[i]),
    show: (f, i) => signed(time, f.cum[i] - f.oldCum[i]) },
  { id: "name", title: "function", of: (f, i) => nameOf(i) + placeOf(i),
    show: null },
] : [
  { id: "ncalls", title: "calls", of: (f, i) => f.calls[i],
    show: (f, i) => f.primitive[i] === f.calls[i] ? count(f.calls[i]) :
      count(f.calls[i]) + "/" + count(f.primitive[i]) },
  { id: "tottime", title: "self", of: (f, i) => f.self[i],
    show: (f, i) => time(f.self[i]) },
  { id: "percent", title: "%", of: (f, i) => f.self[i],
    show: (f, i) => percent(f.self[i], view.total[0]) },
  { id: "percall", title: "self / call",
    of: (f, i) => f.calls[i] ? f.self[i] / f.calls[i] : 0,
    show: (f, i) => f.calls[i] ? time(f.self[i] / f.calls[i]) : "" },
  { id: "cumtime", title: "total", of: (f, i) => f.cum[i],
    show: (f, i) => time(f.cum[i]) },
  { id: "mean", title: "total / call",
    of: (f, i) => f.primitive[i] ? f.cum[i] / f.primitive[i] : 0,
    show: (f, i) => f.primitive[i] ? time(f.cum[i] / f.primitive[i]) : "" },
  { id: "name", title: "function", of: (f, i) => nameOf(i) + placeOf(i),
    show: null },
];
let tableRows = null;

function sortRows() {
  const f = view.functions, column = columns.find(c => c.id === state.sort);
  const sign = state.ascending ? 1 : -1;
  tableRows = [];
  for (let i = 0; i < data.functions.length; i++)
    if ((f.calls[i] || f.self[i] || f.cum[i] || f.oldCalls[i] ||
         f.oldSelf[i] || f.oldCum[i]) && (!matches || matches[i]))
      tableRows.push(i);
  const keys = tableRows.length ? new Map(tableRows.map(
    i => [i, column.of(f, i)])) : null;
  tableRows.sort((a, b) => {
    const x = keys.get(a), y = keys.get(b);
    return (x < y ? -1 : x > y ? 1 : 0) * sign || a - b;
  });
}

function drawHead() {
  $("head").replaceChildren(...columns.map(c => {
    const arrow = c.id !== state.sort ? "" : state.ascending ? " ▲" : " ▼";
    const b = text("button", c.title + arrow);
    b.dataset.id = c.id;
    b.addEventListener("click", () => {
      state.ascending = c.id === state.sort ? !state.ascending
        : c.id === "name";
      state.sort = c.id;
      tableRows = null;
      drawHead();
      drawTable();
    });
    return b;
  }));
}

/* Only the rows that are seen are there. */
function drawTable() {
  if (!tableRows)
    sortRows();
  const box = $("rows"), space = $("rows-height");
  space.style.height = tableRows.length * TABLE_ROW + "px";
  const first = Math.max(0, Math.floor(box.scrollTop / TABLE_ROW) - 5);
  const last = Math.min(tableRows.length,
                        first + Math.ceil(box.clientHeight / TABLE_ROW) + 10);
  const rows = [];
  for (let k = first; k < last; k++) {
    const func = tableRows[k], row = text("div", "", "row");
    row.style.top = k * TABLE_ROW + "px";
    row.dataset.func = func;
    row.classList.toggle("on", func === state.func);
    for (const c of columns)
      row.append(c.show ? text("span", c.show(view.functions, func)) :
                 nameCell(func));
    row.addEventListener("click", () => select(func));
    rows.push(row);
  }
  box.replaceChildren(space, ...rows);
}

function nameCell(func) {
  const cell = text("span", nameOf(func) + "  ");
  cell.append(text("span", placeOf(func), "dim"));
  return cell;
}

/* ----------------------------------------------------------------- search */

function search() {
  const box = $("search"), wanted = box.value;
  let pattern = null;
  box.classList.remove("wrong");
  try {
    if (wanted)
      pattern = new RegExp(wanted, "i");
  } catch (e) {
    box.classList.add("wrong");
    box.title = e.message;
  }
  matches = pattern && Uint8Array.from(data.functions, (f, i) =>
    pattern.test(f.name + " " + placeOf(i)) ? 1 : 0);
  $("found").value = matches ? summary() : "";
  tableRows = null;
  drawHead();
  drawTable();
  draw();
}

/* Of the outermost calls that match: what is below is in them. */
function summary() {
  let sum = 0, funcs = 0;
  for (let i = 1; i < view.n;)
    if (matches[view.func[i]]) {
      sum += view.width[i];
      i = view.end[i];
    } else {
      i++;
    }
  for (const m of matches)
    funcs += m;
  return `${count(funcs)} function${funcs === 1 ? "" : "s"}: ` +
    `${weighed(sum)} (${percent(sum, view.width[0])})`;
}

/* --------------------------------------------------------------- controls */

function choice(id, action) {
  const buttons = [...$(id).querySelectorAll("button")];
  const show = () => buttons.forEach(
    b => b.classList.toggle("on", b.dataset.value === state[id]));
  for (const b of buttons)
    b.addEventListener("click", () => {
      state[id] = b.dataset.value;
      show();
      action();
    });
  show();
}

function option(value, label) {
  const o = text("option", label);
  o.value = value;
  return o;
}

function fillThreads() {
  const box = $("threads");
  box.append(option("all", `all threads (${data.threads.length})`));
  for (const p of data.processes) {
    const own = data.threads.filter(t => t.process === p.id);
    if (!own.length)
      continue;
    const group = document.createElement("optgroup");
    group.label = `pid ${p.pid}: ${p.command || "python"}`;
    if (own.length > 1 && data.processes.length > 1)
      group.append(option("p " + p.id, `process ${p.pid}, all threads`));
    for (const t of own)
      group.append(option("t " + t.id, t.name));
    box.append(group);
  }
  box.addEventListener("change", () => {
    state.threads = box.value;
    rebuild();
  });
}

function connect() {
  fillThreads();
  $("threads").hidden = Boolean(data.base);
  $("side").hidden = !data.base;
  choice("side", rebuild);
  choice("weight", rebuild);
  choice("direction", () => {
    const box = $("scroll");
    geometry();
    box.scrollTop = state.direction === "up" ? box.scrollHeight : 0;
    draw();
  });
  $("fold").addEventListener("change", event => {
    state.fold = event.target.checked;
    rebuild();
  });
  $("search").addEventListener("input", search);
  $("scroll").addEventListener("scroll", draw);
  $("rows").addEventListener("scroll", drawTable);
  addEventListener("resize", () => { draw(); drawTable(); });
  addEventListener("keydown", event => {
    if (event.key === "/" && document.activeElement !== $("search")) {
      event.preventDefault();
      $("search").focus();
    } else if (event.key === "Escape") {
      $("search").value = "";
      $("search").blur();
      search();
      zoomTo(0);
    }
  });
}

async function start() {
  try {
    if (data.base)
      findSame();
    trees = decode(await inflate($("nodes").textContent));
    $("title").textContent = document.title = data.title +
      (data.base ? ", compared with " + data.base.title : "");
    connect();
    rebuild();
    showPath();
    document.body.dataset.ready = Math.round(performance.now());
  } catch (e) {
    document.body.replaceChildren(text("p", e.message || e, "error"));
    document.body.firstChild.id = "error";
    throw e;
  }
}

start();
