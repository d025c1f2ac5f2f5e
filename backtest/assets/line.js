"use strict";
// What rules with a period have judged. tools are the report's own.

// statisticCharts draws a statistic over time with its threshold as it was then, and marks
// breaches. values are the times, the statistic and the threshold and, where a point stands
// for several datapoints, their least and greatest. A breach without a value is marked at
// the bottom. says are the tooltip's lines of a point; above draws upon all else.
const statisticCharts = (tools) => (box, values, { range, breaches, above, says }) => {
  const { number, style, plot, axis, ticks, cursor, hover, zoomTogether, spans, leftOf } = tools;
  const [x] = values, few = x.length < 60, hidden = () => ({ stroke: "transparent", points: { show: false } });
  const u = plot(box, 200, {
    cursor, scales: { x: { range: (u, a, b) => [a, b] }, y: { range: () => range } },
    axes: [axis({ values: ticks }), axis({ size: leftOf(), values: (u, all) => all.map((v) => number(v)) })],
    series: [{}, { stroke: () => style("--mean"), width: 1.5, points: { show: few, size: 4, fill: () => style("--mean") } },
      { stroke: () => style("--limit"), width: 1.5, dash: [6, 4], points: { show: x.length < 3, size: 4, fill: () => style("--limit") } },
      ...(values.length > 3 ? [hidden(), hidden()] : [])],
    bands: values.length > 3 ? [{ series: [4, 3], fill: () => style("--band") }] : [],
    hooks: {
      drawClear: [spans], setScale: [zoomTogether],
      draw: [(u) => {
        const c = u.ctx;
        const dot = (at, value, size, fill) => {
          if (value === null) return;
          c.fillStyle = fill;
          c.beginPath();
          c.arc(u.valToPos(at, "x", true), u.valToPos(value, "y", true), size * devicePixelRatio, 0, 7);
          c.fill();
        };
        c.save();
        c.beginPath(); c.rect(u.bbox.left, u.bbox.top, u.bbox.width, u.bbox.height); c.clip();
        breaches.forEach((b) => dot(x[b.point], b.value === null ? range[0] : b.value, few ? 3.5 : 2.5, style("--trigger")));
        if (above) above(u, dot);
        c.restore();
      }],
      setCursor: [hover((u) => (x[u.cursor.idx] === undefined ? [] : says(u.cursor.idx)))],
    },
  }, values);
  u.overTime = true;
  return u;
};

// lineCharts draws what a rule has judged, a point for each period or for several.
const lineCharts = (tools) => {
  const { make, line, bold, number, clock } = tools;
  const statisticChart = statisticCharts(tools);
  return (into, rule) => {
    const box = make("div", { class: "chart" }, make("h3", {}, rule.rule, make("span", { class: "limit" }, rule.words)));
    into.append(box);
    const breaching = new Map(rule.breaches.map((b) => [b.point, b.value]));
    const values = [rule.at, rule.mean, rule.threshold, ...(rule.min ? [rule.min, rule.max] : [])];
    const all = values.slice(1).flat().concat([...breaching.values()]).filter((v) => v !== null);
    const low = all.reduce((a, b) => Math.min(a, b), Infinity), high = all.reduce((a, b) => Math.max(a, b), -Infinity);
    const pad = (high - low || Math.abs(high) || 1) * .06;
    statisticChart(box, values, {
      range: all.length ? [low - pad, high + pad] : [0, 1], breaches: rule.breaches,
      says: (i) => [
        line(bold(rule.rule), rule.mean[i] === null ? " unknown" : " " + number(rule.mean[i]), breaching.has(i) ? ", breaching" : ""),
        ...(rule.min && rule.min[i] !== rule.max[i] ? [line(number(rule.min[i]) + " to " + number(rule.max[i]))] : []),
        line("threshold " + number(rule.threshold[i])), line("until " + clock(rule.at[i]) + " UTC"),
      ],
    });
  };
};
