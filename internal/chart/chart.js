// Shows the values of every chart under the pointer: hover, touch, or the arrow keys. Time charts share one cursor.
"use strict";
function charts(root = document) {
  const all = [...root.querySelectorAll("figure.chart")].filter(f => f.querySelector(".plot") && !f.dataset.live).map(figure => {
    figure.dataset.live = "1";
    const d = JSON.parse(figure.querySelector("script").textContent);
    const plot = figure.querySelector(".plot");
    const add = (name, to) => Object.assign(to.appendChild(document.createElement("div")), { className: name, hidden: true });
    for (const s of d.series) s.x = s.x || s.y.map((_, i) => (s.from || 0) + i * s.step);
    d.x = d.x.map(Number); d.y = d.y.map(Number);
    return { figure, plot, d, cursor: add("cursor", plot), tip: add("tip", plot), at: null };
  });
  const mapped = (d, x) => d.kind === "percentile" ? -Math.log10(1 - x / 100) : x;
  const share = (d, x) => (mapped(d, x) - d.x[0]) / (d.x[1] - d.x[0]);
  const unshare = (d, f) => { const m = d.x[0] + f * (d.x[1] - d.x[0]); return d.kind === "percentile" ? 100 * (1 - 10 ** -m) : m; };
  const level = (d, y) => ((d.log ? Math.log10(y) : y) - d.y[0]) / (d.y[1] - d.y[0]);
  const nearest = (d, s, x) => { // index of the value nearest to x on the axis
    let low = 0, high = s.x.length - 1;
    while (low < high) { const mid = (low + high) >> 1; if (s.x[mid] < x) low = mid + 1; else high = mid; }
    return low > 0 && mapped(d, x) - mapped(d, s.x[low - 1]) < mapped(d, s.x[low]) - mapped(d, x) ? low - 1 : low;
  };
  const number = (v, unit) => {
    let prefix = "";
    for (const p of ["k", "M", "G", "T", "P"]) { if (Math.abs(v) < 999.95) break; v /= 1000; prefix = p; }
    const text = String(Number(v.toPrecision(4))), glued = prefix && ["B", "B/s", "bit/s"].includes(unit);
    return text + (prefix ? " " + prefix : "") + (glued ? "" : unit ? " " : "") + unit;
  };
  const two = n => String(Math.floor(n)).padStart(2, "0");
  const place = (d, x) => {
    if (d.kind === "time") return new Date(x * 1000).toISOString().slice(0, 19).replace("T", " ") + " UTC";
    if (d.kind === "elapsed") return `${Math.floor(x / 3600)}:${two(x / 60 % 60)}:${two(x % 60)} after the load began`;
    return d.kind === "percentile" ? "p" + Number(x.toPrecision(8)) : d.kind === "quantity" ? number(x, d.xunit) : d.names[Math.round(x)];
  };
  function show(c, x, tip) {
    const d = c.d, values = d.series.map(s => ({ s, i: nearest(d, s, x) }));
    // The cursor stands on the value nearest to the pointer; a series with nothing near that is left out.
    values.sort((a, b) => Math.abs(mapped(d, a.s.x[a.i]) - mapped(d, x)) - Math.abs(mapped(d, b.s.x[b.i]) - mapped(d, x)));
    c.at = values[0].s.x[values[0].i];
    const near = v => Math.abs(share(d, v.s.x[v.i]) - share(d, c.at)) < Math.max(0.02, 1.5 * (v.s.step || 0) / (d.x[1] - d.x[0]));
    const there = d.series.map(s => ({ s, i: nearest(d, s, c.at) })).filter(v => v.s.y[v.i] != null && near(v));
    const f = share(d, c.at);
    c.cursor.style.left = 100 * f + "%";
    c.cursor.replaceChildren(...there.map(v => {
      const dot = document.createElement("i");
      dot.className = "c" + v.s.color;
      dot.style.top = 100 * (1 - level(d, v.s.y[v.i])) + "%";
      return dot;
    }));
    const head = document.createElement("b");
    head.textContent = place(d, c.at);
    c.tip.replaceChildren(head, ...there.map(v => {
      const row = document.createElement("div"), text = document.createElement("span"), more = document.createElement("em");
      text.className = "c" + v.s.color;
      text.textContent = `${v.s.name || ""} ${number(v.s.y[v.i], d.unit)} `;
      if (v.s.low && v.s.low[v.i] !== v.s.high[v.i]) more.textContent = `${number(v.s.low[v.i], "")} to ${number(v.s.high[v.i], "")}`;
      row.append(text, more);
      return row;
    }));
    c.cursor.hidden = false;
    c.tip.hidden = !tip;
    const room = c.plot.clientWidth, wide = c.tip.offsetWidth;
    c.tip.style.left = Math.min(Math.max(f * room + (f < 0.5 ? 12 : -12 - wide), -50), Math.max(room - wide + 8, -50)) + "px";
  }
  const each = (c, x) => {
    for (const o of all) if (o === c || o.d.kind === c.d.kind && /time|elapsed/.test(c.d.kind)) show(o, x, o === c);
  };
  const hide = () => { for (const c of all) c.cursor.hidden = c.tip.hidden = true; };
  for (const c of all) {
    c.plot.addEventListener("pointermove", e => {
      const box = c.plot.getBoundingClientRect();
      each(c, unshare(c.d, Math.min(Math.max((e.clientX - box.left) / box.width, 0), 1)));
    });
    c.plot.addEventListener("pointerleave", hide);
    c.plot.addEventListener("blur", hide);
    c.plot.addEventListener("keydown", e => {
      if (e.key === "Escape") return hide();
      const step = { ArrowLeft: -1, ArrowRight: 1 }[e.key];
      if (!step) return;
      e.preventDefault();
      const s = c.d.kind !== "quantity" ? c.d.series[0] : { x: [...new Set(c.d.series.flatMap(s => s.x))].sort((a, b) => a - b) };
      each(c, s.x[c.at === null ? 0 : Math.min(Math.max(nearest(c.d, s, c.at) + step, 0), s.x.length - 1)]);
    });
  }
}
charts();
