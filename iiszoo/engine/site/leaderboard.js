"use strict";
// Sorts and filters the lines of the table, and draws what follows from those that are shown. The choices are in the
// address after #, so that a view can be linked.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const $ = (id) => document.getElementById(id);
  const rows = [...document.querySelectorAll("#lines tbody tr")];
  const body = document.querySelector("#lines tbody");
  const metrics = new Map(data.metrics.map((metric) => [metric.name, metric]));
  const tiers = ["replayed", "submitted", "published"];
  const families = [...new Set(data.lines.map((line) => family(line)))].sort();
  const MAIN = ["noc90", "noc85", "nof90", "iou@1", "iou@5"];
  const first = {
    dataset: data.dataset, robot: data.robot, metric: data.metrics[0].name, protocol: "", search: "",
    tier: tiers.join(","), sort: "", x: "ms_click",
  };
  const state = { ...first };

  function family(line) {
    return line.model.split("/")[0];
  }

  function value(line, key) {
    if (metrics.has(key)) return line.metrics[key] ?? null;
    return key === "tier" ? tiers.indexOf(line.tier) : line[key];
  }

  function shown(key, number) {
    const text = number >= 1000 ? number.toFixed(0) : String(Number(number.toPrecision(3)));
    if (key.startsWith("iou") || key.startsWith("biou") || key === "auc") return (100 * number).toFixed(1);
    if (key.startsWith("noc")) return number.toFixed(2);
    if (key === "parameters") return number >= 1e9 ? `${+(number / 1e9).toPrecision(3)} G` : number >= 1e6 ? `${+(number / 1e6).toPrecision(3)} M` : number >= 1e3 ? `${+(number / 1e3).toPrecision(3)} k` : text;
    return text;
  }

  // lower is better for all but shares of the image
  function better(key) {
    return metrics.get(key)?.better === "higher" ? "descending" : "ascending";
  }

  function fits(line, free) {
    const is = (field) => field === free || !state[field] || line[field] === state[field];
    return is("dataset") && is("robot") && (is("protocol") || line.protocol === "") &&
      state.tier.split(",").includes(line.tier) && line.model.toLowerCase().includes(state.search.toLowerCase());
  }

  function ordered(lines) {
    const [key, direction] = state.sort ? state.sort.split(" ") : [state.metric, better(state.metric)];
    const sign = direction === "descending" ? -1 : 1;
    const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
    return lines.sort((i, j) => {
      const [a, b] = [value(data.lines[i], key), value(data.lines[j], key)];
      if (a === null || b === null) return (a === null) - (b === null);
      return sign * compare(a, b) || compare(data.lines[i].model, data.lines[j].model) || i - j;
    });
  }

  function show() {
    const lines = ordered(data.lines.flatMap((line, i) => (fits(line) ? [i] : [])));
    const byLine = new Map(rows.map((row) => [Number(row.dataset.line), row]));
    for (const row of rows) row.hidden = true;
    for (const i of lines) {
      const row = byLine.get(i);
      row.hidden = false;
      body.append(row);
      const ends = data.lines[i].intervals[state.metric];
      row.querySelector(".interval").textContent = ends ? `${shown(state.metric, ends[0])}–${shown(state.metric, ends[1])}` : "";
    }
    const those = lines.map((i) => data.lines[i]);
    columns(those);
    notes(those);
    chart(those);
    robots();
    $("empty").hidden = lines.length > 0;
    document.querySelector("#lines").hidden = lines.length === 0;
  }

  function columns(lines) {
    const [key, direction] = state.sort ? state.sort.split(" ") : [state.metric, better(state.metric)];
    const known = (name) => lines.some((line) => value(line, name) !== null);
    for (const cell of document.querySelectorAll("#lines [data-key]")) {
      const name = cell.dataset.key;
      if (metrics.has(name)) {
        cell.hidden = name !== state.metric && !(MAIN.includes(name) && known(name));
        cell.classList.toggle("chosen", name === state.metric);
        cell.classList.toggle("other", name !== state.metric);
      }
      if (name === "dataset" || name === "robot") cell.hidden = state[name] !== "";
      if (cell.tagName === "TH") {
        if (name === key) cell.setAttribute("aria-sort", direction);
        else cell.removeAttribute("aria-sort");
      }
    }
    const intervals = lines.some((line) => line.intervals[state.metric]);
    for (const cell of document.querySelectorAll("#lines .interval")) cell.hidden = !intervals;
  }

  function notes(lines) {
    const metric = metrics.get(state.metric);
    const runs = lines.filter((line) => line.run);
    const sizes = [...new Set(runs.map((line) => line.n))];
    const samples = state.dataset && sizes.length === 1 ? `, ${sizes[0]} samples` : "";
    const rules = [...new Set(runs.map((line) => line.protocol))].join(" or ");
    const counted = `${lines.length} ${lines.length === 1 ? "line" : "lines"}`;
    $("meaning").textContent = `${counted}: ${metric.title}, ${metric.better === "higher" ? "higher" : "lower"} is better, on ${state.dataset || "any dataset"}${samples}${rules ? `; ${rules}` : ""}.`;
    const machines = [...new Set(runs.map((line) => `${line.device}${line.threads ? `, ${line.threads} ${line.threads === 1 ? "thread" : "threads"}` : ""}`))];
    $("machines").textContent = machines.length ? `times: medians, of the quickest run of a model on a dataset, on ${machines.sort().join(" or ")}; per image: its encoding, divided by its samples` : "";
    $("starred").hidden = !lines.some((line) => line.starred);
  }

  const SVG = "http://www.w3.org/2000/svg";

  function draw(parent, tag, attributes, text) {
    const made = document.createElementNS(SVG, tag);
    for (const [name, each] of Object.entries(attributes)) made.setAttribute(name, each);
    if (text !== undefined) made.textContent = text;
    parent.append(made);
    return made;
  }

  function chart(lines) {
    const points = lines.filter((line) => value(line, state.metric) !== null && value(line, state.x) > 0);
    $("cost").hidden = lines.length === 0;
    for (const button of document.querySelectorAll("[data-x]")) button.setAttribute("aria-pressed", button.dataset.x === state.x);
    const lacking = lines.length - points.length;
    const what = { ms_click: "time per click", ms_image: "time per image", parameters: "number of parameters" }[state.x];
    $("lacking").textContent = lacking ? `Not drawn, for lack of a ${what}: ${lacking}.` : "";
    const place = $("chart");
    place.replaceChildren();
    if (points.length === 0) return;
    const width = Math.max(280, place.clientWidth);
    const height = width < 600 ? 320 : 380;
    const [left, right, top, bottom] = [46, width - 16, 26, height - 40];
    const xs = points.map((line) => Math.log10(value(line, state.x)));
    const ys = points.map((line) => value(line, state.metric));
    const spread = (low, high, least) => (high - low < least ? [low - least / 2, high + least / 2] : [low, high]);
    const [x0, x1] = spread(Math.min(...xs) - 0.1, Math.max(...xs) + 0.1, 0.6);
    let [y0, y1] = spread(Math.min(...ys), Math.max(...ys), 1e-3 + Math.max(...ys) * 0.05);
    const step = nice((y1 - y0) / 5);
    y0 = Math.floor(y0 / step) * step;
    y1 = Math.ceil(y1 / step) * step;
    const x = (line) => left + ((right - left) * (Math.log10(value(line, state.x)) - x0)) / (x1 - x0);
    const y = (number) => bottom - ((bottom - top) * (number - y0)) / (y1 - y0);
    const metric = metrics.get(state.metric);
    const svg = draw(place, "svg", { viewBox: `0 0 ${width} ${height}`, height, role: "img", "aria-label": `${metric.title} by ${what}` });
    for (let level = y0; level < y1 + step / 2; level += step) {
      draw(svg, "path", { class: "grid", d: `M${left} ${y(level)}H${right}` });
      draw(svg, "text", { x: left - 8, y: y(level) + 4, "text-anchor": "end" }, axis(state.metric, level, step));
    }
    let last = -Infinity;
    for (let power = Math.floor(x0); power <= Math.ceil(x1); power++) {
      for (const digit of x1 - x0 < 1.2 ? [1, 1.5, 2, 3, 4, 5, 7] : [1, 2, 5]) {
        const at = left + ((right - left) * (power + Math.log10(digit) - x0)) / (x1 - x0);
        if (at < left || at > right || at - last < 46) continue;
        last = at;
        draw(svg, "path", { class: "grid", d: `M${at} ${top}V${bottom}` });
        draw(svg, "text", { x: at, y: bottom + 18, "text-anchor": "middle" }, shown(state.x, digit * 10 ** power));
      }
    }
    draw(svg, "text", { class: "axis", x: (left + right) / 2, y: height - 4, "text-anchor": "middle" }, what + (state.x === "parameters" ? "" : ", ms"));
    draw(svg, "text", { class: "axis", x: left, y: 12 }, `${metric.title}${metric.better === "higher" ? ", higher is better" : ", lower is better"}`);
    front(svg, points, x, y, metric.better === "higher" ? -1 : 1);
    marks(svg, points, x, y, [left, right, top, bottom]);
  }

  function nice(step) {
    const power = 10 ** Math.floor(Math.log10(step));
    return power * [1, 2, 5, 10].find((factor) => factor * power >= step * 0.999);
  }

  function axis(key, level, step) {
    const percent = shown(key, 0.5) === "50.0";
    const digits = Math.max(0, -Math.floor(Math.log10(percent ? 100 * step : step) + 1e-9));
    return (percent ? 100 * level : level).toFixed(digits);
  }

  // what nothing else beats in both
  function front(svg, points, x, y, sign) {
    const sorted = [...points].sort((a, b) => value(a, state.x) - value(b, state.x) || sign * (value(a, state.metric) - value(b, state.metric)));
    let best = Infinity;
    let path = "";
    for (const line of sorted) {
      const own = sign * value(line, state.metric);
      if (own >= best) continue;
      path += path ? `H${x(line)}V${y(value(line, state.metric))}` : `M${x(line)} ${y(value(line, state.metric))}`;
      best = own;
    }
    draw(svg, "path", { class: "front", d: path });
  }

  function marks(svg, points, x, y, [left, right, top, bottom]) {
    const taken = points.map((line) => [x(line) - 7, y(value(line, state.metric)) - 7, x(line) + 7, y(value(line, state.metric)) + 7]);
    const free = ([a, b, c, d]) => a > left && c < right && b > top - 8 && d < bottom + 2 && !taken.some(([e, f, g, h]) => a < g && c > e && b < h && d > f);
    const canvas = document.createElement("canvas").getContext("2d");
    canvas.font = `12px ${getComputedStyle(document.body).fontFamily}`;
    const measured = (line) => (line.tier === "published" ? 1 : 0);
    for (const line of [...points].sort((a, b) => measured(a) - measured(b))) {
      const [cx, cy] = [x(line), y(value(line, state.metric))];
      const link = draw(svg, "a", { href: `models/${line.page}.html` });
      const colour = `var(--c${families.indexOf(family(line)) % 8})`;
      const shape = line.tier === "published" ? "M0-5L5 0L0 5L-5 0Z" : "M-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0-9 0Z";
      const fill = line.tier === "replayed" ? colour : "var(--ground)";
      draw(link, "path", { class: "mark", d: shape, transform: `translate(${cx} ${cy})`, stroke: colour, fill });
      const told = `${line.model} on ${line.dataset}, robot ${line.robot}: ${shown(state.metric, value(line, state.metric))}, ${shown(state.x, value(line, state.x))}${state.x === "parameters" ? " parameters" : " ms"}, ${line.tier}`;
      draw(link, "title", {}, told);
      const name = state.dataset && state.robot ? line.model : `${line.model}, ${state.dataset ? line.robot : line.dataset}`;
      const wide = canvas.measureText(name).width;
      const tries = [[cx + 9, cy + 4, "start"], [cx - 9, cy + 4, "end"], [cx, cy - 10, "middle"], [cx, cy + 19, "middle"]];
      for (const [tx, ty, anchor] of tries) {
        const start = anchor === "start" ? tx : anchor === "end" ? tx - wide : tx - wide / 2;
        const box = [start, ty - 11, start + wide, ty + 3];
        if (!free(box)) continue;
        taken.push(box);
        draw(link, "text", { class: "label", x: tx, y: ty, "text-anchor": anchor }, name);
        break;
      }
    }
  }

  // models by robots, of the runs alone
  function robots() {
    const lines = data.lines.filter((line) => line.run && fits(line, "robot") && value(line, state.metric) !== null);
    const named = [...new Set(lines.map((line) => line.robot))];
    const section = $("robots");
    section.hidden = !state.dataset || named.length < 2;
    if (section.hidden) return;
    const options = [...$("robot").options].map((option) => option.value);
    named.sort((a, b) => options.indexOf(a) - options.indexOf(b));
    const metric = metrics.get(state.metric);
    $("robots-meaning").textContent = `${metric.title} on ${state.dataset}.`;
    const cells = new Map();
    for (const line of lines) {
      if (!cells.has(line.model)) cells.set(line.model, new Map());
      cells.get(line.model).set(line.robot, line);
    }
    const sign = metric.better === "higher" ? -1 : 1;
    const of = (model, robot) => { const line = cells.get(model).get(robot); return line ? value(line, state.metric) : null; };
    const models = [...cells.keys()].sort((a, b) => sign * ((of(a, named[0]) ?? sign * Infinity) - (of(b, named[0]) ?? sign * Infinity)) || (a < b ? -1 : 1));
    const make = (tag, text, kind) => { const cell = document.createElement(tag); cell.textContent = text; cell.className = kind; if (tag === "th") cell.scope = "col"; return cell; };
    const head = document.createElement("tr");
    head.append(make("th", "model", "name"), ...named.map((robot) => make("th", robot, "number")), make("th", "worst less best", "number"));
    section.querySelector("thead").replaceChildren(head);
    // as in the table above, which the writer of the page has rounded
    const text = (line) => {
      const row = rows.find((one) => data.lines[one.dataset.line] === line);
      return `${row.querySelector(`[data-key="${state.metric}"]`).textContent} ${row.querySelector(".sign").textContent}`;
    };
    const made = models.map((model) => {
      const row = document.createElement("tr");
      const name = make("td", "", "name");
      const link = document.createElement("a");
      link.href = `models/${[...cells.get(model).values()][0].page}.html`;
      const slash = model.indexOf("/") + 1;
      if (slash) link.append(model.slice(0, slash), document.createElement("wbr"));
      link.append(model.slice(slash));
      name.append(link);
      const numbers = named.map((robot) => of(model, robot));
      const known = numbers.filter((number) => number !== null);
      const range = known.length > 1 ? shown(state.metric, Math.max(...known) - Math.min(...known)) : "–";
      row.append(name, ...named.map((robot) => make("td", cells.get(model).has(robot) ? text(cells.get(model).get(robot)) : "–", "number")), make("td", range, "number"));
      return row;
    });
    section.querySelector("tbody").replaceChildren(...made);
  }

  function fill() {
    for (const id of ["dataset", "robot", "metric", "protocol", "search"]) {
      $(id).value = state[id];
      if ($(id).value !== state[id]) { state[id] = first[id]; $(id).value = first[id]; }
    }
    for (const box of document.querySelectorAll("[name=tier]")) box.checked = state.tier.split(",").includes(box.value);
  }

  function read() {
    const given = new URLSearchParams(location.hash.slice(1));
    for (const key of Object.keys(first)) state[key] = given.get(key) ?? first[key];
    if (!/^(ms_click|ms_image|parameters)$/.test(state.x)) state.x = first.x;
    fill();
  }

  function changed() {
    const told = Object.entries(state).filter(([key, each]) => each !== first[key]);
    history.replaceState(null, "", `#${new URLSearchParams(told)}`);
    show();
  }

  for (const id of ["dataset", "robot", "metric", "protocol", "search"]) {
    $(id).addEventListener("input", (event) => {
      state[id] = event.target.value;
      if (id === "metric") state.sort = "";
      changed();
    });
  }
  for (const box of document.querySelectorAll("[name=tier]")) {
    box.addEventListener("change", () => {
      state.tier = [...document.querySelectorAll("[name=tier]:checked")].map((one) => one.value).join(",");
      changed();
    });
  }
  for (const button of document.querySelectorAll("[data-x]")) {
    button.addEventListener("click", () => { state.x = button.dataset.x; changed(); });
  }
  for (const head of document.querySelectorAll("#lines th[data-key]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const key = head.dataset.key;
      const now = head.getAttribute("aria-sort");
      state.sort = `${key} ${now ? (now === "ascending" ? "descending" : "ascending") : better(key)}`;
      changed();
    });
  }
  $("reset").addEventListener("click", () => { Object.assign(state, first); fill(); changed(); });
  addEventListener("hashchange", () => { read(); show(); });
  let width = innerWidth;
  addEventListener("resize", () => { if (innerWidth !== width) { width = innerWidth; show(); } });
  $("controls").hidden = false;
  read();
  show();
})();
