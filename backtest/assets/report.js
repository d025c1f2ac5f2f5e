"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const byId = (id) => document.getElementById(id);
  const chosen = { model: 0, result: 0 };
  let plots = []; // of the page as it is
  let observers = [];

  // The words of the page.
  const words = (name) => name.replaceAll("_", " ");
  const count = (n) => n.toLocaleString("en-US");
  const number = (x) => (x === null || x === undefined ? "–" : String(Number(x.toPrecision(5))));
  const clock = (seconds) => new Date(seconds * 1000).toISOString().slice(0, 19).replace("T", " ");
  const seconds = (stamp) => Date.parse(stamp) / 1000;
  const name = (r) => r.policy + (r.document ? " #" + r.document : "");
  const span = (s) => {
    if (!s) return "0";
    const [unit, length] = unitOf(s);
    return String(Number((s / length).toPrecision(4))) + " " + unit;
  };
  const unitOf = (s) => (s >= 2 * 86400 ? ["d", 86400] : s >= 3600 ? ["h", 3600] : s >= 60 ? ["min", 60] : ["s", 1]);
  const style = (variable) => getComputedStyle(document.documentElement).getPropertyValue(variable).trim();
  const colours = {
    triggered: "--trigger", awaiting_approval: "--trigger", held: "--trigger", suppressed: "--suppressed", warned: "--suppressed",
    succeeded: "--good", accepted: "--good", verified: "--good", approved: "--good",
    failed: "--bad", timed_out: "--bad", regressed: "--bad", circuit_opened: "--bad", cancelled: "--bad", approval_rejected: "--bad",
  };
  const colour = (kind) => style(colours[kind] || "--other");

  const make = (tag, attributes, ...children) => {
    const node = document.createElement(tag);
    Object.entries(attributes || {}).forEach(([key, value]) => {
      if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
      else if (value !== false && value !== undefined) node.setAttribute(key, value === true ? "" : value);
    });
    node.append(...children);
    return node;
  };
  const table = (head, rows) => make("table", {},
    make("thead", {}, make("tr", {}, ...head.map(([text, c]) => make("th", { class: c }, text)))),
    make("tbody", {}, ...rows));

  const model = () => data.models[chosen.model];
  const results = () => data.results.filter((r) => r.model_name === model().name);
  const result = () => results()[chosen.result];

  // The head and the summary.
  const drawHead = () => {
    const r = results().find((r) => r.first);
    byId("head").textContent = model().name + ": " + count(model().events) + " events" +
      (r ? ", " + clock(seconds(r.first)) + " to " + clock(seconds(r.last)) + " UTC" : "");
    document.title = "Backtest of " + model().name;
    if (data.models.length > 1) {
      byId("models").replaceChildren(make("label", {}, "Model ", make("select", {
        onchange: (e) => { chosen.model = e.target.selectedIndex; chosen.result = 0; chosen.zoom = null; draw(); },
      }, ...data.models.map((m, i) => make("option", { selected: i === chosen.model }, m.name)))));
    }
  };

  const drawSummary = () => {
    const all = results();
    const detects = all.some((r) => r.detection);
    const suppressions = [...new Set(all.flatMap((r) => Object.keys(r.suppressed)))];
    const warns = all.some((r) => r.warnings);
    const head = [["policy"], ["breaches", "n"], ...(warns ? [["warnings", "n"]] : []), ["retrainings", "n"], ["succeeded", "n"], ["failed", "n"]]
      .concat(suppressions.map((s) => ["suppressed: " + words(s), "n"]), [["time in breach", "n"], ["rejected", "n"]],
        detects ? [["mean delay", "n"], ["detected", "n"], ["missed", "n"], ["false alarms", "n"]] : []);
    const rows = all.map((r, i) => {
      const d = r.detection;
      const pick = () => { chosen.result = i; draw(); };
      const cells = [count(r.breaches), ...(warns ? [count(r.warnings)] : []), count(r.retrainings.requested), count(r.retrainings.succeeded + r.retrainings.accepted), count(r.retrainings.failed)]
        .concat(suppressions.map((s) => count(r.suppressed[s] || 0)), [span(r.seconds_in_breach), count(r.rejected)],
          detects ? [d.detected ? span(meanDelay(d)) : "–", count(d.detected), count(d.missed), count(d.false_alarms)] : []);
      return make("tr", { class: "pick" + (i === chosen.result ? " chosen" : ""), onclick: pick },
        make("td", {}, make("button", { "aria-pressed": String(i === chosen.result) }, name(r))),
        ...cells.map((text) => make("td", { class: "n" }, text)));
    });
    byId("summary").replaceChildren(table(head, rows));
    if (all.length > 1) byId("summary").append(make("p", { class: "dim", style: "margin-top:8px" }, "Choose a policy to see its thresholds and decisions below."));
  };
  const meanDelay = (d) => {
    const found = d.points.filter((p) => p.detected_at);
    return found.reduce((sum, p) => sum + seconds(p.detected_at) - seconds(p.at), 0) / found.length;
  };

  // What is drawn on every chart over time: cooldowns below, marks above.
  const spans = (u) => {
    const r = result(), c = u.ctx;
    c.save();
    c.fillStyle = style("--cooldown");
    r.cooldowns.forEach(([from, until]) => {
      const left = Math.max(u.bbox.left, u.valToPos(from, "x", true));
      const right = Math.min(u.bbox.left + u.bbox.width, u.valToPos(until, "x", true));
      if (right > left) c.fillRect(left, u.bbox.top, Math.max(1, right - left), u.bbox.height);
    });
    c.strokeStyle = style("--drift");
    c.lineWidth = 2 * devicePixelRatio;
    c.setLineDash([2 * devicePixelRatio, 3 * devicePixelRatio]);
    ((r.detection || {}).points || []).forEach((p) => {
      const x = u.valToPos(seconds(p.at), "x", true);
      if (x >= u.bbox.left && x <= u.bbox.left + u.bbox.width) {
        c.beginPath(); c.moveTo(x, u.bbox.top); c.lineTo(x, u.bbox.top + u.bbox.height); c.stroke();
      }
    });
    c.restore();
  };
  const mark = (c, kind, x, y) => {
    const size = devicePixelRatio * (kind === "suppressed" || kind === "warned" ? 2.5 : 4.5);
    c.fillStyle = colour(kind);
    c.strokeStyle = style("--card");
    c.lineWidth = devicePixelRatio;
    c.beginPath();
    if (colours[kind] === "--trigger") { c.moveTo(x - size, y - size); c.lineTo(x + size, y - size); c.lineTo(x, y + size); c.closePath(); }
    else if (colours[kind] === "--bad") c.rect(x - size * .8, y - size * .8, size * 1.6, size * 1.6);
    else c.arc(x, y, size, 0, 7);
    c.fill();
    if (size > 3 * devicePixelRatio) c.stroke();
  };
  // marks are in order of weight, so that a trigger lies above what it suppresses.
  const weight = (d) => (d.kind === "suppressed" || d.kind === "warned" ? 0 : colours[d.kind] === "--trigger" ? 2 : 1);
  const drawMarks = (decisions, y, lanes) => (u) => {
    const c = u.ctx;
    u.marks = [];
    c.save();
    c.beginPath(); c.rect(u.bbox.left, u.bbox.top, u.bbox.width, u.bbox.height); c.clip();
    decisions.forEach((d) => {
      const px = u.valToPos(d.x, "x", true), py = u.valToPos(y(d), "y", true);
      if (lanes && d.since !== undefined) {
        c.fillStyle = colour(d.kind);
        const from = u.valToPos(d.since, "x", true);
        c.fillRect(from, py - 1.5 * devicePixelRatio, px - from, 3 * devicePixelRatio);
      }
      if (px < u.bbox.left || px > u.bbox.left + u.bbox.width) return;
      mark(c, d.kind, px, py);
      u.marks.push([px / devicePixelRatio - u.bbox.left / devicePixelRatio, py / devicePixelRatio - u.bbox.top / devicePixelRatio, d]);
    });
    c.restore();
  };
  const drawLimits = (limits) => (u) => {
    const c = u.ctx;
    c.save();
    c.strokeStyle = style("--limit");
    c.lineWidth = 1.5 * devicePixelRatio;
    c.setLineDash([6 * devicePixelRatio, 4 * devicePixelRatio]);
    limits.forEach((limit) => {
      const y = u.valToPos(limit.value, "y", true);
      c.beginPath(); c.moveTo(u.bbox.left, y); c.lineTo(u.bbox.left + u.bbox.width, y); c.stroke();
    });
    c.restore();
  };

  // The tooltip.
  const tip = byId("tip");
  const hideTip = () => { tip.hidden = true; };
  const showTip = (u, lines) => {
    if (!lines.length) return hideTip();
    tip.replaceChildren(...lines);
    tip.hidden = false;
    const over = u.over.getBoundingClientRect();
    const x = over.left + u.cursor.left, y = over.top + u.cursor.top;
    tip.style.left = Math.max(8, Math.min(innerWidth - tip.offsetWidth - 8, x + (x > innerWidth / 2 ? -tip.offsetWidth - 14 : 14))) + "px";
    tip.style.top = Math.max(8, Math.min(innerHeight - tip.offsetHeight - 8, y + 14)) + "px";
  };
  const line = (...parts) => make("div", {}, ...parts);
  const bold = (text) => make("b", {}, text);
  const describe = (d) => [
    line(make("span", { class: "kind", style: "background:" + colour(d.kind) }), bold(words(d.kind)), d.count > 1 ? " " + count(d.count) + " times" : "", d.rule ? " · " + d.rule : ""),
    line(clock(d.x) + " UTC"),
    ...(d.reason ? [line(d.reason)] : []),
    ...(d.suppressed_by ? [line("suppressed by " + words(d.suppressed_by))] : []),
    ...(d.model_version ? [line("version " + d.model_version)] : []),
  ];
  const hover = (below) => (u) => {
    if (u.cursor.left < 0 || !u.over.matches(":hover")) return;
    let nearest = null, distance = 12;
    (u.marks || []).forEach(([x, y, d]) => {
      const away = Math.hypot(x - u.cursor.left, y - u.cursor.top);
      if (away <= distance) { nearest = d; distance = away; }
    });
    showTip(u, (nearest ? describe(nearest) : []).concat(below ? below(u, nearest) : []));
  };

  // The charts over time.
  const axis = (more) => Object.assign({
    stroke: () => style("--dim"), grid: { stroke: () => style("--grid"), width: 1 }, ticks: { stroke: () => style("--grid"), width: 1 },
    font: "12px system-ui, sans-serif",
  }, more);
  // What a tick says, by the distance between two; in the array are uPlot's own columns.
  const dated = (format, year, day) => [format, "\n" + year, null, day && "\n" + day, null, null, null, 1];
  const ticks = [
    [365 * 86400, "{YYYY}", null, null, null, null, null, null, 1],
    [28 * 86400, ...dated("{MMM}", "{YYYY}")], [86400, ...dated("{D} {MMM}", "{YYYY}")],
    [60, ...dated("{HH}:{mm}", "{D} {MMM} {YYYY}", "{D} {MMM}")], [1e-3, ...dated("{HH}:{mm}:{ss}", "{D} {MMM} {YYYY}", "{D} {MMM}")],
  ];
  const utc = (ts) => uPlot.tzDate(new Date(ts * 1000), "Etc/UTC");
  const plot = (into, height, options, values) => {
    const u = new uPlot(Object.assign({ width: Math.max(240, into.clientWidth), height, tzDate: utc, legend: { show: false } }, options), values, into);
    u.over.addEventListener("mouseleave", hideTip);
    const observer = new ResizeObserver(() => { if (into.clientWidth > 0 && into.clientWidth !== u.width) u.setSize({ width: into.clientWidth, height }); });
    observer.observe(into);
    observers.push(observer);
    plots.push(u);
    return u;
  };
  const zoomTogether = (u, key) => {
    if (key !== "x" || zoomTogether.busy || !u.overTime) return; // a new chart's own range is no zoom
    zoomTogether.busy = true;
    chosen.zoom = [u.scales.x.min, u.scales.x.max]; // which another policy keeps
    plots.filter((p) => p.overTime && p !== u).forEach((p) => p.setScale("x", { min: u.scales.x.min, max: u.scales.x.max }));
    zoomTogether.busy = false;
  };
  const cursor = { sync: { key: "time", setSeries: false }, drag: { x: true, y: false }, points: { show: false }, y: false };
  // The readings of rules without a period are drawn; of the others, their datapoints.
  const drawn = () => model().series.filter((s) => limitsOf(s.metric).length);
  // leftOf is how wide the axis on the left must be, the same for all charts over time.
  const leftOf = () => result().decisions.reduce((most, d) => Math.max(most, d.kind.length * 7 + 14), 64);
  const whole = () => {
    const r = result();
    const ends = drawn().concat(r.lines || []).filter((s) => s.at.length).flatMap((s) => [s.at[0], s.at[s.at.length - 1]])
      .concat((r.drifts || []).flatMap((d) => d.looks.map((l) => l.end)), r.decisions.map((d) => d.x), r.first ? [seconds(r.first), seconds(r.last)] : []);
    const first = ends.reduce((a, b) => Math.min(a, b), Infinity), last = ends.reduce((a, b) => Math.max(a, b), -Infinity);
    return first < last ? [first, last] : [first - 1, last + 1];
  };

  const drawLanes = (into) => {
    const kinds = [...new Set(result().decisions.map((d) => d.kind))].sort((a, b) => weight({ kind: b }) - weight({ kind: a }));
    if (!kinds.length) return;
    const lane = (kind) => kinds.length - 1 - kinds.indexOf(kind);
    const box = make("div", { class: "chart" }, make("h3", {}, "decisions"));
    into.append(box);
    const [first, last] = whole();
    const u = plot(box, 46 + kinds.length * 24, {
      cursor, scales: { x: { range: (u, a, b) => [a, b] }, y: { range: () => [-.6, kinds.length - .4] } },
      axes: [axis({ values: ticks }), axis({ size: leftOf(), splits: () => kinds.map((k, i) => i), values: () => kinds.map((k, i) => words(kinds[kinds.length - 1 - i])), gap: 6 })],
      series: [{}, { stroke: "transparent", points: { show: false } }],
      hooks: { drawClear: [spans], draw: [drawMarks(result().decisions, (d) => lane(d.kind), true)], setCursor: [hover()], setScale: [zoomTogether] },
    }, [[first, last], [null, null]]);
    u.overTime = true;
  };

  const limitsOf = (metric) => result().rules.filter((r) => r.metric === metric && !r.period).flatMap((r) =>
    [["below", "<"], ["above", ">"]].filter(([side]) => r[side] !== undefined).map(([side, sign]) => ({ value: r[side], text: r.name + ": " + sign + " " + number(r[side]) })));

  const drawMetric = (into, s) => {
    const limits = limitsOf(s.metric);
    const rules = new Set(result().rules.filter((r) => r.metric === s.metric && !r.period).map((r) => r.name));
    const decisions = result().decisions.filter((d) => rules.has(d.rule) && d.value !== undefined).sort((a, b) => weight(a) - weight(b));
    const box = make("div", { class: "chart" }, make("h3", {}, s.metric, ...limits.map((l) => make("span", { class: "limit" }, l.text))));
    into.append(box);
    const extremes = s.min.concat(s.max, limits.map((l) => l.value), decisions.map((d) => d.value));
    const low = extremes.reduce((a, b) => Math.min(a, b)), high = extremes.reduce((a, b) => Math.max(a, b));
    const pad = (high - low || Math.abs(high) || 1) * .06;
    const u = plot(box, 220, {
      cursor, scales: { x: { range: (u, a, b) => [a, b] }, y: { range: () => [low - pad, high + pad] } },
      axes: [axis({ values: ticks }), axis({ size: leftOf(), values: (u, all) => all.map((v) => number(v)) })],
      series: [{}, { stroke: "transparent", points: { show: false } }, { stroke: "transparent", points: { show: false } },
        { stroke: () => style("--mean"), width: 1.5, points: { show: s.at.length < 60, size: 4, fill: () => style("--mean") } }],
      bands: [{ series: [2, 1], fill: () => style("--band") }],
      hooks: {
        drawClear: [spans], draw: [drawLimits(limits), drawMarks(decisions, (d) => d.value)], setScale: [zoomTogether],
        setCursor: [hover((u, nearest) => {
          const i = u.cursor.idx;
          if (i === null || i === undefined || s.mean[i] === undefined) return [];
          return (nearest ? [make("hr")] : []).concat(line(bold(s.metric), " " + number(s.mean[i])),
            s.min[i] === s.max[i] ? [] : line(number(s.min[i]) + " to " + number(s.max[i])), nearest ? [] : line(clock(s.at[i]) + " UTC"));
        })],
      },
    }, [s.at, s.min, s.max, s.mean]);
    u.overTime = true;
  };

  const drawCharts = () => {
    const into = byId("charts");
    const key = (variable, text) => make("span", {}, make("i", { style: "background:var(" + variable + ")" }), text);
    into.replaceChildren(
      make("h2", {}, name(result()), make("small", {}, "drag to zoom, double-click to see all; times are UTC")),
      make("div", { class: "legend" }, key("--mean", "value, or the mean of several"), key("--band", "min to max"), key("--limit", "threshold"), key("--cooldown", "cooldown"),
        key("--trigger", "breaching period, triggered"), key("--suppressed", "suppressed"), key("--good", "succeeded"), key("--bad", "failed"),
        ...(result().detection ? [key("--drift", "known drift")] : [])));
    drawLanes(into);
    const tools = { make, line, bold, number, count, clock, style, plot, axis, ticks, cursor, hover, zoomTogether, spans, leftOf };
    const drawLine = lineCharts(tools), drawDrift = driftCharts(tools);
    (result().lines || []).forEach((l) => drawLine(into, l));
    (result().drifts || []).filter((d) => d.looks.length).forEach((d) => drawDrift(into, d));
    const zoom = chosen.zoom || whole();
    drawn().forEach((s) => drawMetric(into, s));
    // A double click shows all again: of every chart, from the first to the last.
    const show = ([min, max]) => plots.filter((p) => p.overTime).forEach((p) => p.setScale("x", { min, max }));
    into.ondblclick = () => show(whole());
    show(zoom);
  };

  // The curves of a sweep.
  const drawSweep = () => {
    const into = byId("sweep");
    const all = (data.sweep || []).filter((s) => s.model_name === model().name);
    into.hidden = !all.length;
    into.replaceChildren();
    if (!all.length) return;
    const policies = [...new Set(all.map(name))];
    const values = [...new Set(all.map((s) => s.value))];
    // Values at even steps lie on an axis; others side by side, each with its name.
    const numeric = all.every((s) => s.number !== null);
    const numbers = values.map((v) => all.find((s) => s.value === v).number);
    const order = values.map((v, i) => i);
    if (numeric) order.sort((a, b) => numbers[a] - numbers[b]);
    const steps = order.slice(1).map((k, i) => numbers[k] - numbers[order[i]]);
    const even = numeric && steps.length > 1 && steps.every((s) => Math.abs(s - steps[0]) < 1e-6 * steps[0]);
    const [axisUnit, axisLength] = all[0].form === "duration" ? unitOf(numbers[order[order.length - 1]]) : [all[0].form === "share" ? "%" : "", 1];
    const x = order.map((k, i) => (even ? numbers[k] / axisLength : i));
    const at = (v) => (even ? number(v) + (axisUnit ? " " + axisUnit : "") : values[order[v]] || "");
    const measures = [["retrainings", (s) => s.retrainings.requested, count], ["breaches", (s) => s.breaches, count], ["time in breach", (s) => s.seconds_in_breach, span]];
    if (all.some((s) => s.detection)) {
      measures.push(["mean detection delay", (s) => s.delay, span], ["missed points", (s) => s.detection.missed, count], ["false alarms", (s) => s.detection.false_alarms, count]);
    }
    into.append(make("h2", {}, "Sweep", make("small", {}, data.parameter)));
    if (policies.length > 1) {
      into.append(make("div", { class: "legend" }, ...policies.map((p, i) => make("span", {}, make("i", { style: "background:var(--p" + i % 6 + ")" }), p))));
    }
    const grid = make("div", { class: "small" });
    into.append(grid);
    const find = (p, v) => all.find((s) => name(s) === p && s.value === v);
    measures.forEach(([title, measure, show]) => {
      const box = make("div", { class: "chart", style: "min-width:0" }, make("h3", {}, title));
      grid.append(box);
      const exact = policies.map((p) => order.map((i) => { const s = find(p, values[i]); return s ? measure(s) : null; }));
      const longest = exact.flat().reduce((a, b) => Math.max(a, b || 0), 0);
      const [unit, length] = show === span ? unitOf(longest) : ["", 1];
      const lines = exact.map((all) => all.map((v) => (v === null ? null : v / length)));
      const most = longest / length || 1;
      plot(box, 190, {
        cursor: { sync: { key: "sweep", setSeries: false }, drag: { x: false, y: false }, y: false },
        scales: { x: { time: false, range: (u, a, b) => { const w = (b - a || 1) * .03; return [a - w, b + w]; } }, y: { range: () => [0, most * 1.08] } },
        axes: [axis({ values: (u, all) => all.map(at), splits: even ? undefined : () => x }), axis({ size: 72, values: (u, all) => all.map((v) => (show === count ? (v % 1 ? "" : count(v)) : number(v) + " " + unit)) })],
        series: [{}, ...policies.map((p, i) => ({ stroke: () => style("--p" + i % 6), width: 2, points: { show: true, size: 6, fill: () => style("--card") } }))],
        hooks: {
          setCursor: [hover((u) => {
            const i = u.cursor.idx;
            if (i === null || i === undefined) return [];
            return [line(bold(data.parameter + " = " + values[order[i]])), ...policies.map((p, k) => line((policies.length > 1 ? p + ": " : title + ": ") + (exact[k][i] === null ? "–" : show(exact[k][i]))))];
          })],
        },
      }, [x, ...lines]);
    });
    const head = [["policy"], [data.parameter, "n"], ...measures.map(([title]) => [title, "n"])];
    into.append(make("details", {}, make("summary", {}, "as a table"), make("div", { class: "scroll" }, table(head, all.map((s) => make("tr", {},
      make("td", {}, name(s)), make("td", { class: "n" }, s.value),
      ...measures.map(([, measure, show]) => make("td", { class: "n" }, measure(s) === null ? "–" : show(measure(s))))))))));
  };

  // The table of decisions, the last first.
  const drawDecisions = (shown) => {
    const into = byId("decisions"), r = result();
    const rows = [...r.decisions].reverse().slice(0, shown).map((d) => make("tr", {},
      make("td", {}, clock(d.x)), make("td", {}, make("span", { class: "kind", style: "background:" + colour(d.kind) }), words(d.kind)),
      make("td", {}, d.rule || ""), make("td", { class: "wide" }, (d.reason || "") + (d.suppressed_by ? " (" + words(d.suppressed_by) + ")" : "")),
      make("td", { class: "n" }, d.count ? count(d.count) : ""), make("td", {}, d.model_version || "")));
    into.replaceChildren(make("h2", {}, "Decisions", make("small", {}, name(r) + ", the last first" +
      (r.omitted ? "; " + count(r.omitted) + " more are left out here, -o json has all" : ""))));
    if (!rows.length) return into.append(make("p", { class: "dim" }, "None: nothing breached."));
    into.append(make("div", { class: "scroll" }, table([["at, UTC"], ["decision"], ["rule"], ["reason"], ["count", "n"], ["version"]], rows)));
    if (shown < r.decisions.length) {
      into.append(make("button", { class: "more", onclick: () => drawDecisions(shown * 10) }, "show more of " + count(r.decisions.length)));
    }
  };

  const draw = () => {
    observers.forEach((o) => o.disconnect());
    plots.forEach((p) => p.destroy());
    plots = []; observers = [];
    hideTip();
    drawHead();
    drawSummary();
    byId("charts").replaceChildren();
    byId("decisions").replaceChildren();
    if (result() && model().events) { drawCharts(); drawDecisions(25); }
    else byId("charts").append(make("p", { class: "dim" }, result() ? "There are no events of this model." : "No policy is for this model."));
    drawSweep();
  };

  data.results.forEach((r) => r.decisions.forEach((d, i) => {
    d.x = seconds(d.at);
    const before = r.decisions[i - 1];
    // The second entry of a streak stands for all but its first.
    if (before && d.count && d.kind === before.kind && (d.suppressed_by || d.rule) === (before.suppressed_by || before.rule)) d.since = before.x;
  }));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  if (data.models.length) draw();
})();
