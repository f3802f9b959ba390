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
const ROW = 20;                 // pixels of a call
const TABLE_ROW = 24;
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
      (f.short || f.file || "");
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
  f.most = f.self.reduce((a, b) => Math.max(a, b), 1);
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
  showLegend();
  showFacts();
}

/* What the run was, in a line. */
function showFacts() {
  const calls = view.functions.calls.reduce((a, b) => a + b, 0);
  $("facts").textContent = [
    time(view.total[0]), count(calls) + " calls",
    count(view.n - 1) + " paths", data.started,
    data.python && "Python " + data.python.split(" ")[0],
  ].filter(Boolean).join("  ·  ");
}

/* ------------------------------------------------------------------ names */

const nameOf = func => data.functions[func].name;

function placeOf(func) {
  const f = data.functions[func];
  return f.file ? f.file + ":" + f.line : "";
}

function shortPlaceOf(func) {
  const f = data.functions[func];
  return f.file ? (f.short || f.file) + ":" + f.line : "";
}

function pathOf(i) {
  const path = [];
  for (; i; i = view.parent[i])
    path.unshift(i);
  return path;
}

/* As a bar is labelled: what tells most comes first, the rest if there is
 * room. */
const labels = new Map();
function labelOf(func) {
  let label = labels.get(func);
  if (label)
    return label;
  const f = data.functions[func], place = shortPlaceOf(func);
  const builtin = /^\{built-in method (.+)\}$/.exec(f.name);
  const method = /^\{method '(.+)' of '(.+)' objects\}$/.exec(f.name);
  if (f.name === "<module>" && f.file)
    label = [lastOf(f.file), "<module>"];
  else if (builtin || method)
    label = [builtin ? builtin[1] : `${method[2]}.${method[1]}`, ""];
  else
    label = [f.name, place];
  labels.set(func, label);
  return label;
}

/* "encoder.py", but "json/__init__.py" */
function lastOf(file) {
  return /([^/]+\/__(?:init|main)__\.py|[^/]*)$/.exec(file)[0] || file;
}

/* Where a function comes from is its bar's colour; files differ a little. */
const origins = [
  { name: "program", hue: 22, spread: 26, rich: 1 },
  { name: "packages", hue: 150, spread: 34, rich: 0.62 },
  { name: "standard library", hue: 213, spread: 30, rich: 0.72 },
  { name: "built-in", hue: 250, spread: 0, rich: 0.14 },
];

function originOf(func) {
  const file = data.functions[func].file;
  return !file ? 3 : /\/(site|dist)-packages\//.test(file) ? 1 :
    /^<frozen |\/lib\/python[\d.]+t?\//.test(file) ? 2 : 0;
}

const shade = (hue, rich, light) => isDark
  ? `hsl(${hue} ${rich * 46}% ${30 + light * 7}%)`
  : `hsl(${hue} ${rich * 88}% ${75 + light * 7}%)`;

const colors = new Map();
function colorOf(func) {
  let color = colors.get(func);
  if (!color) {
    const origin = origins[originOf(func)];
    let hash = 7;
    for (const c of data.functions[func].file || "")
      hash = (hash * 131 + c.codePointAt(0)) % 9973;
    color = shade(origin.hue + (hash % 101 / 101 - 0.5) * origin.spread,
                  origin.rich, hash % 89 / 89);
    colors.set(func, color);
  }
  return color;
}

/* More than before is red, less is blue. */
function colorOfChange(change) {
  const much = Math.min(1, Math.abs(change) * 2.5);
  return isDark
    ? `hsl(${change > 0 ? 0 : 215} ${much * 60}% ${27 + much * 16}%)`
    : `hsl(${change > 0 ? 0 : 215} ${much * 85}% ${89 - much * 19}%)`;
}

/* What the colours mean, and how much of the time each has. */
function showLegend() {
  const box = $("legend"), f = view.functions;
  box.replaceChildren();
  if (data.base) {
    const scale = text("i", "", "scale");
    scale.style.background = `linear-gradient(90deg, ${
      [-0.5, -0.2, 0, 0.2, 0.5].map(colorOfChange).join()})`;
    const item = text("span", "less than before ");
    item.append(scale, "more");
    box.append(item);
    return;
  }
  const own = f.self.reduce((sums, ns, i) => {
    sums[originOf(i)] += ns;
    return sums;
  }, [0, 0, 0, 0]);
  origins.forEach((origin, k) => {
    if (!own[k])
      return;
    const item = text("span", ""), box1 = text("i", "");
    box1.style.background = shade(origin.hue, origin.rich, 0.5);
    item.append(box1, `${origin.name} ${percent(own[k], view.total[0])}`);
    item.title = `self time of the ${origin.name}: ${time(own[k])}`;
    box.append(item);
  });
}

/* ------------------------------------------------------------------ theme */

const dark = matchMedia("(prefers-color-scheme: dark)");
let isDark = dark.matches;

function setTheme(wanted) {
  isDark = wanted;
  document.documentElement.dataset.theme = isDark ? "dark" : "light";
  colors.clear();
  if (view) {
    showLegend();
    draw();
  }
}
setTheme(isDark);

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
  brush.font = "12px " + style.getPropertyValue("--font");
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
  const above = i < state.zoomed && view.end[i] > state.zoomed;
  brush.globalAlpha = matches && !found ? 0.35 : above ? 0.55 : 1;
  brush.fillStyle = found ? mark : data.base ? colorOfChange(view.change[i])
    : colorOf(func);
  brush.fillRect(x, y, Math.max(w - (w > 3 ? 1 : 0), 0.5), ROW - 1);
  if (func === state.func) {
    brush.strokeStyle = text;
    brush.lineWidth = i === state.path ? 2 : 1;
    brush.strokeRect(x + 1, y + 1, Math.max(w - 3, 0.5), ROW - 3);
  }
  if (w > 26) {
    const [name, more] = labelOf(func), shown = fitting(name, w - 10);
    brush.fillStyle = found ? isDark ? "#000" : "#fff" : text;
    brush.fillText(shown, x + 5, y + ROW / 2);
    const left = w - 26 - (more && shown === name ? widthOf(name) : w);
    if (left > 40) {
      brush.globalAlpha *= 0.6;
      brush.fillText(fitting(more, left), x + w - 16 - left + 5, y + ROW / 2);
    }
  }
  brush.globalAlpha = 1;
}

const widths = new Map();
function widthOf(text) {
  let width = widths.get(text);
  if (width === undefined)
    widths.set(text, width = brush.measureText(text).width);
  return width;
}

function fitting(text, width) {
  if (widthOf(text) <= width)
    return text;
  let cut = text.slice(0, Math.floor(width / 5));
  while (cut && brush.measureText(cut + "…").width > width)
    cut = cut.slice(0, -1);
  return cut.length > 1 ? cut + "…" : "";
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
    line.append(link(i ? labelOf(view.func[i])[0] : "all", () => zoomTo(i)));
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
    text("b", nameOf(func)), " ", text("span", shortPlaceOf(func), "dim"),
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
  for (const [name, value, part] of rows) {
    const row = table.insertRow();
    if (part !== undefined)
      row.style.setProperty("--part", 100 * part + "%");
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
  const share = n => data.base ? "" : "  · " + percent(n, all);
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

function nowAndThen(p) {
  const both = document.createElement("span");
  both.append(`${count(p.calls)} × ${time(p.cum)}`,
              document.createElement("br"),
              text("span", `was ${count(p.oldCalls)} × ${time(p.oldCum)}`,
                   "dim"));
  return both;
}

/* @whole: the time that a bar as wide as the panel is. */
function others(title, pairs, end, whole) {
  const parts = [text("h3", title)];
  pairs.sort((a, b) => b.cum - a.cum || b.calls - a.calls);
  parts.push(figures(pairs.slice(0, 50).map(p => [
    link(nameOf(p[end]), () => select(p[end])),
    !data.base ? `${count(p.calls)} × ${time(p.cum)}` : nowAndThen(p),
    whole > 0 ? Math.min(1, p.cum / whole) : 0]), "pairs"));
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
                       "caller", all.cum[func]));
  parts.push(...others("callees", all.pairs.filter(p => p.caller === func),
                       "callee", all.cum[func]));
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
    ...files(),
    text("h3", "How to read it"),
    text("p", "A bar is a call path: as wide as the time on it, with its " +
         "callees next to it, the heaviest first.  Its own time is what " +
         "they leave free.  Paths are added up: left to right is no time line."),
    data.base ? text("p", "Red is more than before, blue is less; grey is the " +
                     "same.  As wide as both runs together, a path that is " +
                     "gone is there as well.") : "",
    text("p", "Click a bar to zoom in on it and see its figures, press Esc to " +
         "see all again, / to search, ? for more."),
    data.folded ? text("p", "The run came to its max_nodes: paths beyond are " +
                       "below (folded).") : ""];
}

/* Self time by file, the most first. */
function files() {
  const sums = new Map(), f = view.functions;
  f.self.forEach((ns, i) => {
    const { file, short } = data.functions[i];
    const key = file ? short || file : "built-in functions";
    sums.set(key, (sums.get(key) || 0) + ns);
  });
  const most = [...sums].sort((a, b) => b[1] - a[1]).slice(0, 8)
    .filter(([, ns]) => ns > 0);
  return [text("h3", "self time by file"), figures(most.map(([name, ns]) => [
    link(name, () => find(name === "built-in functions" ? "^\\{" :
      name.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&") + ":")),
    percent(ns, view.total[0]), ns / most[0][1]]), "pairs")];
}

function find(expression) {
  $("search").value = expression;
  search();
}

/* ------------------------------------------------------------------ table */

const signOf = n => n > 0 ? "more" : n < 0 ? "less" : "dim";

const columns = data.base ? [
  { id: "calls", title: "calls", of: (f, i) => f.calls[i],
    show: (f, i) => count(f.calls[i]) },
  { id: "moreCalls", title: "change",
    sign: (f, i) => f.calls[i] - f.oldCalls[i],
    of: (f, i) => Math.abs(f.calls[i] - f.oldCalls[i]),
    show: (f, i) => signed(count, f.calls[i] - f.oldCalls[i]) },
  { id: "tottime", title: "self", of: (f, i) => f.self[i],
    show: (f, i) => time(f.self[i]) },
  { id: "more", title: "change",
    sign: (f, i) => f.self[i] - f.oldSelf[i],
    of: (f, i) => Math.abs(f.self[i] - f.oldSelf[i]),
    show: (f, i) => signed(time, f.self[i] - f.oldSelf[i]) },
  { id: "cumtime", title: "total", of: (f, i) => f.cum[i],
    show: (f, i) => time(f.cum[i]) },
  { id: "moreTotal", title: "change",
    sign: (f, i) => f.cum[i] - f.oldCum[i],
    of: (f, i) => Math.abs(f.cum[i] - f.oldCum[i]),
    show: (f, i) => signed(time, f.cum[i] - f.oldCum[i]) },
  { id: "name", title: "function", of: (f, i) => nameOf(i) + " " + shortPlaceOf(i),
    show: null },
] : [
  { id: "ncalls", title: "calls", of: (f, i) => f.calls[i],
    show: (f, i) => f.primitive[i] === f.calls[i] ? count(f.calls[i]) :
      count(f.calls[i]) + "/" + count(f.primitive[i]) },
  { id: "tottime", title: "self", of: (f, i) => f.self[i],
    show: (f, i) => time(f.self[i]) },
  { id: "percent", title: "%", of: (f, i) => f.self[i],
    part: (f, i) => f.self[i] / view.functions.most,
    show: (f, i) => percent(f.self[i], view.total[0]) },
  { id: "percall", title: "self / call",
    of: (f, i) => f.calls[i] ? f.self[i] / f.calls[i] : 0,
    show: (f, i) => f.calls[i] ? time(f.self[i] / f.calls[i]) : "" },
  { id: "cumtime", title: "total", of: (f, i) => f.cum[i],
    show: (f, i) => time(f.cum[i]) },
  { id: "mean", title: "total / call",
    of: (f, i) => f.primitive[i] ? f.cum[i] / f.primitive[i] : 0,
    show: (f, i) => f.primitive[i] ? time(f.cum[i] / f.primitive[i]) : "" },
  { id: "name", title: "function", of: (f, i) => nameOf(i) + " " + shortPlaceOf(i),
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
    b.classList.toggle("on", c.id === state.sort);
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
      row.append(c.show ? figureCell(c, func) : nameCell(func));
    row.addEventListener("click", () => select(func));
    rows.push(row);
  }
  box.replaceChildren(space, ...rows);
}

function figureCell(column, func) {
  const f = view.functions, cell = text("span", column.show(f, func));
  if (column.part) {
    cell.className = "part";
    cell.style.setProperty("--part", 100 * column.part(f, func) + "%");
  }
  if (column.sign)
    cell.className = signOf(column.sign(f, func));
  return cell;
}

function nameCell(func) {
  const cell = text("span", "");
  cell.append(text("b", nameOf(func)), " ",
              text("span", shortPlaceOf(func), "dim"));
  cell.title = nameOf(func) + "\n" + placeOf(func);
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
  addEventListener("keydown", pressed);
  $("theme").addEventListener("click", () => setTheme(!isDark));
  dark.addEventListener("change", () => setTheme(dark.matches));
  $("ask").addEventListener("click", () => $("keys").showModal());
  $("divider").addEventListener("pointerdown", event => {
    $("divider").setPointerCapture(event.pointerId);
  });
  $("divider").addEventListener("pointermove", event => {
    if (!(event.buttons & 1))
      return;
    const box = document.querySelector("main").getBoundingClientRect();
    document.documentElement.style.setProperty(
      "--split", event.clientY - box.top + "px");
    draw();
    drawTable();
  });
}

/* --------------------------------------------------------------- keyboard */

/* The path before or after @i that has the same caller, or @i. */
function neighbour(i, step) {
  const up = view.parent[i];
  if (step > 0)
    return view.end[i] < view.end[up] ? view.end[i] : i;
  let last = i;
  for (let k = up + 1; k < i; k = view.end[k])
    last = k;
  return last;
}

/* The next path that was found. */
function nextFound(i, step) {
  for (let k = 0, n = view.n; matches && k < n; k++) {
    i = (i + step + n) % n;
    if (i && matches[view.func[i]])
      return i;
  }
  return 0;
}

/* Select a path and have it in sight, wide enough to be seen. */
function goTo(i) {
  if (!i)
    return;
  const root = view.width[0] || 1, wide = view.width[i] / root;
  const x = view.x[i] / root, seen = state.to - state.from;
  if (wide < seen / 200 || x < state.from || x + wide > state.to) {
    let up = i;
    while (view.parent[up] && view.width[up] / root < wide * 4)
      up = view.parent[up];
    zoomTo(up === i ? view.parent[i] : up);
  }
  select(view.func[i], i);
  const box = $("scroll"), y = geometry().y(view.depth[i]);
  if (y < 0)
    box.scrollTop += y - ROW;
  else if (y + ROW > box.clientHeight)
    box.scrollTop += y + 2 * ROW - box.clientHeight;
}

function goInTable(step) {
  const at = tableRows.indexOf(state.func), box = $("rows");
  const next = Math.min(Math.max(at + step, 0), tableRows.length - 1);
  if (next < 0)
    return;
  const top = next * TABLE_ROW;
  box.scrollTop = Math.min(top, Math.max(
    box.scrollTop, top + TABLE_ROW - box.clientHeight));
  select(tableRows[next]);
}

function zoomBy(factor) {
  const i = state.path, root = view.width[0] || 1;
  const middle = i > 0 ? (view.x[i] + view.width[i] / 2) / root
    : (state.from + state.to) / 2;
  const half = (state.to - state.from) * factor / 2;
  look(middle - half, middle + half);
}

const keys = {
  "/": () => $("search").focus(),
  "?": () => $("keys").showModal(),
  t: () => setTheme(!isDark),
  n: () => goTo(nextFound(Math.max(state.path, 0), 1)),
  N: () => goTo(nextFound(Math.max(state.path, 0), -1)),
  Enter: () => state.path > 0 && zoomTo(state.path),
  Backspace: () => zoomTo(view.parent[state.zoomed]),
  "+": () => zoomBy(0.5),
  "-": () => zoomBy(2),
  ArrowLeft: () => goTo(neighbour(Math.max(state.path, 1), -1)),
  ArrowRight: () => goTo(neighbour(Math.max(state.path, 1), 1)),
  ArrowUp: () => goUpOrDown(-1),
  ArrowDown: () => goUpOrDown(1),
};

function goUpOrDown(step) {
  if (document.activeElement === $("rows")) {
    goInTable(step);
    return;
  }
  const i = state.path, deeper = (step > 0) === (state.direction === "down");
  if (i <= 0)
    goTo(view.n > 1 ? 1 : 0);
  else if (!deeper)
    goTo(view.parent[i]);
  else if (view.end[i] > i + 1)
    goTo(i + 1);
}

/* All paths again; if all are there, the run's figures. */
function showAll() {
  const box = $("search");
  if (!box.value && state.from === 0 && state.to === 1) {
    state.func = state.path = -1;
    showDetails();
  }
  box.value = "";
  box.blur();
  search();
  zoomTo(0);
}

function pressed(event) {
  const typing = /^(INPUT|SELECT|BUTTON)$/.test(event.target.tagName);
  if (event.ctrlKey || event.metaKey || event.altKey || $("keys").open)
    return;
  if (event.key === "Escape") {
    showAll();
  } else if (event.key === "Enter" && event.target === $("search")) {
    event.target.blur();
    goTo(nextFound(0, 1));
  } else if (!typing && Object.hasOwn(keys, event.key)) {
    event.preventDefault();
    keys[event.key]();
  }
}

/* "python3 app.py", without the folders */
const briefCommand = line => line.replace(
  /^(run \d+: )/, "").split(" ").map(
  word => /^\/.*[^/]$/.test(word) ? word.slice(word.lastIndexOf("/") + 1) : word)
  .join(" ");

async function start() {
  try {
    if (data.base)
      findSame();
    trees = decode(await inflate($("nodes").textContent));
    $("title").title = document.title = data.title +
      (data.base ? ", compared with " + data.base.title : "");
    $("title").textContent = briefCommand(data.title) + (data.base
      ? ` — run ${data.run}, compared with ${data.base.title}` : "");
    document.body.classList.toggle("compares", Boolean(data.base));
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
