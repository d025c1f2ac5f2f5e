"use strict";
// What drift rules have found: the statistic over time with its bound, and of a chosen
// period the reference and the period as two histograms. tools are the report's own.
const driftCharts = (tools) => {
  const { make, line, bold, number, count, clock, style } = tools;
  const statisticChart = statisticCharts(tools);
  const svg = (tag, attributes, ...children) => {
    const node = document.createElementNS(document.getElementById("empty").namespaceURI, tag);
    Object.entries(attributes).forEach(([key, value]) => node.setAttribute(key, value));
    node.append(...children);
    return node;
  };
  const shares = (counts) => {
    const total = counts.reduce((a, b) => a + b, 0);
    return counts.map((n) => (total ? n / total : 0));
  };
  const percent = (x) => number(100 * x) + " %";
  const total = (counts) => count(counts.reduce((a, b) => a + b, 0));

  // histogram draws two distributions over the same bins, side by side in each.
  const histogram = (shape, feature) => {
    const left = 44, top = 8, height = 150, below = 104, bins = shape.bins.length;
    const step = Math.max(18, Math.min(70, 1050 / bins)), width = left + step * bins + 60;
    const reference = shares(shape.counts), period = shares(feature.counts);
    const most = Math.max(...reference, ...period, 1e-9);
    const y = (share) => top + height * (1 - share / most);
    const bars = [];
    [0, .5, 1].forEach((part) => bars.push(
      svg("line", { x1: left, x2: left + step * bins, y1: y(part * most), y2: y(part * most), class: "rule" }),
      svg("text", { x: left - 6, y: y(part * most) + 4, "text-anchor": "end" }, percent(Number((part * most).toPrecision(2))))));
    shape.bins.forEach((words, i) => {
      const x = left + step * i, says = svg("title", {}, words + ": " + percent(reference[i]) + " of the reference, " + percent(period[i]) + " of the period");
      const middle = x + step / 2;
      bars.push(svg("g", {}, says,
        svg("rect", { x, y: top, width: step, height, fill: "transparent" }),
        svg("rect", { x: x + step * .1, y: y(reference[i]), width: step * .4, height: top + height - y(reference[i]), class: "reference" }),
        svg("rect", { x: x + step * .5, y: y(period[i]), width: step * .4, height: top + height - y(period[i]), class: "period" }),
        svg("text", { x: middle, y: top + height + 12, transform: "rotate(50 " + middle + " " + (top + height + 12) + ")" },
          words.length > 18 ? words.slice(0, 17) + "…" : words)));
    });
    return svg("svg", { class: "histogram", width, height: top + height + below, viewBox: "0 0 " + width + " " + (top + height + below), role: "img" }, ...bars);
  };

  // drawLook shows a chosen period. show is called with the place of another one.
  const drawLook = (into, rule, at, show) => {
    const look = rule.looks[at];
    const step = (by, text) => make("button", { class: "more", onclick: () => show(at + by) }, text);
    const head = make("p", {}, bold(clock(look.start) + " to " + clock(look.end) + " UTC"), " · version " + (look.version || "(none)") + " ",
      look.breach ? "breaches " : look.unknown ? "could not be judged " : "", at > 0 ? step(-1, "← before") : "", " ", at + 1 < rule.looks.length ? step(1, "after →") : "");
    into.replaceChildren(head);
    if (!look.features.length) into.append(make("p", { class: "dim" }, "Nothing was compared in this period."));
    look.features.forEach((f) => {
      const shape = rule.shapes[f.shape];
      into.append(make("h4", {}, f.name, make("span", {}, rule.statistic + " " + number(f.value) + ", bound " + number(f.threshold) + (f.value > f.threshold ? ", beyond it" : "") +
        "; " + total(f.counts) + " readings against " + total(shape.counts))),
      make("div", { class: "scroll" }, histogram(shape, f)));
    });
  };

  // The furthest beyond its bound is chosen first, else the last that was measured.
  const first = (looks) => {
    const beyond = (l) => (l.value === null || l.threshold === null ? -Infinity : l.value - l.threshold);
    const breaching = looks.filter((l) => l.breach);
    const from = breaching.length ? breaching : looks.filter((l) => l.features.length).slice(-1);
    return Math.max(0, looks.indexOf(from.reduce((a, b) => (beyond(b) > beyond(a) ? b : a), from[0])));
  };

  return (into, rule) => {
    const looks = rule.looks;
    const box = make("div", { class: "chart" }, make("h3", {}, rule.rule, make("span", {}, rule.statistic + " against " + rule.reference + "; click a period to see it" +
      (rule.omitted ? "; " + count(rule.omitted) + " periods are left out here" : ""))));
    const below = make("div", { class: "look" });
    into.append(box);
    const x = looks.map((l) => l.end), values = looks.map((l) => l.value), bounds = looks.map((l) => l.threshold);
    const high = values.concat(bounds).reduce((a, b) => Math.max(a, b), 0) || 1;
    const breaches = looks.flatMap((l, i) => (l.breach ? [{ point: i, value: l.value }] : []));
    let at = first(looks);
    const u = statisticChart(box, [x, values, bounds], {
      range: [0, high * 1.08], breaches,
      above: (u, dot) => dot(x[at], values[at], 6, style("--drift")),
      says: (i) => [line(bold(rule.rule), " " + rule.statistic + " " + number(values[i])), line("bound " + number(bounds[i])),
        line(looks[i].features.map((f) => f.name).join(", ")), line(clock(looks[i].start) + " UTC")],
    });
    const show = (i) => { at = i; drawLook(below, rule, at, show); u.redraw(false); };
    u.over.addEventListener("click", (e) => show(u.posToIdx(e.clientX - u.over.getBoundingClientRect().left)));
    box.append(make("div", { class: "legend" }, make("span", {}, make("i", { style: "background:var(--suppressed)" }), "reference"), make("span", {}, make("i", { style: "background:var(--mean)" }), "period")), below);
    drawLook(below, rule, at, show);
  };
};
