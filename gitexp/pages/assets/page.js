/* What moves on a page: tables are sorted and filtered, curves drawn, zoomed and compared. All text is set as text. */
(() => {
  "use strict";
  const all = (query, from = document) => [...from.querySelectorAll(query)];
  const one = (query, from = document) => from.querySelector(query);
  const make = (name, marks, text) => {
    const node = document.createElement(name);
    if (marks) node.className = marks;
    if (text !== undefined) node.textContent = text;
    return node;
  };
  const press = (button, on) => button.setAttribute("aria-pressed", String(on));
  all(".tools, .legend").forEach((node) => { node.hidden = false; });

  /* ---- tables ---- */
  const keyOf = (row, at) => {
    const found = row.cells[at] && row.cells[at].dataset.sort;
    if (found === undefined) return null;
    return found !== "" && !Number.isNaN(Number(found)) ? Number(found) : found;
  };
  const compare = (a, b, way) => {
    if (a === null || b === null) return (a === null) - (b === null); // what is missing comes last, both ways
    if (typeof a !== typeof b) return (typeof a === "string") - (typeof b === "string");
    return way * (typeof a === "number" ? a - b : a.localeCompare(b, undefined, { numeric: true }));
  };
  const sort = (table, at) => {
    const head = table.tHead.rows[0].cells;
    const first = head[at].classList.contains("number") ? "descending" : "ascending";
    const other = first === "ascending" ? "descending" : "ascending";
    const order = head[at].getAttribute("aria-sort") === first ? other : first;
    for (const cell of head) cell.removeAttribute("aria-sort");
    head[at].setAttribute("aria-sort", order);
    const way = order === "ascending" ? 1 : -1;
    const rows = [...table.tBodies[0].rows].map((row, place) => [keyOf(row, at), place, row]);
    rows.sort((a, b) => compare(a[0], b[0], way) || a[1] - b[1]);
    table.tBodies[0].append(...rows.map((item) => item[2]));
  };
  all("table.sortable").forEach((table) => {
    [...table.tHead.rows[0].cells].forEach((cell, at) => one("button", cell).addEventListener("click", () => sort(table, at)));
  });

  /* A table that is cut off at the right shows it. */
  all(".wide").forEach((box) => {
    const look = () => box.classList.toggle("more", box.scrollLeft + box.clientWidth < box.scrollWidth - 2);
    box.addEventListener("scroll", look, { passive: true });
    new ResizeObserver(look).observe(box);
  });

  const filter = one("#filter");
  if (filter) {
    const table = one("table.sortable"), rows = [...table.tBodies[0].rows];
    const titles = [...table.tHead.rows[0].cells].map((cell) => one("button", cell).textContent.toLowerCase());
    const texts = rows.map((row) => row.textContent.toLowerCase());
    const tests = { "<": (a, b) => a < b, ">": (a, b) => a > b, "<=": (a, b) => a <= b, ">=": (a, b) => a >= b, "=": (a, b) => a === b };
    const test = (word) => {
      const asked = /^(.+?)(<=|>=|<|>|=)(.+)$/.exec(word), at = asked ? titles.indexOf(asked[1]) : -1;
      if (at < 0) return (row, place) => texts[place].includes(word);
      const wanted = Number.isNaN(Number(asked[3])) ? asked[3] : Number(asked[3]);
      return (row) => {
        const found = typeof wanted === "number" ? keyOf(row, at) : row.cells[at].textContent.toLowerCase();
        return found !== null && typeof found === typeof wanted && tests[asked[2]](found, wanted);
      };
    };
    const apply = () => {
      const asked = filter.value.toLowerCase().split(/\s+/).filter(Boolean).map(test);
      let count = 0;
      rows.forEach((row, place) => {
        row.hidden = !asked.every((holds) => holds(row, place));
        count += !row.hidden;
      });
      one("#matched").textContent = asked.length ? `${count} of ${rows.length}` : "";
    };
    filter.addEventListener("input", apply);
    apply(); // a reload keeps what was typed
  }
  all(".pictures img").forEach((image) => image.addEventListener("click", () => image.closest("figure").classList.toggle("large")));

  /* ---- curves ---- */
  const figures = all("figure[data-chart]");
  if (!figures.length) return;
  const data = JSON.parse(one("#data").textContent);
  const state = { x: "x", log: { x: false, y: false }, zoom: null, hidden: new Set(), smooth: 0, clip: false };
  const charts = new Map(); // figure -> {plot, runs, box, resize}
  const DASHES = [[], [6, 5], [1.5, 4]];
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const dash = (run) => DASHES[Math.floor(run / data.hues) % DASHES.length];

  const number = (value) => {
    if (value === null || value === undefined) return "–";
    const size = Math.abs(value);
    if (size !== 0 && (size >= 1e6 || size < 1e-3)) return value.toExponential(3);
    return Number.isInteger(value) ? String(value) : value.toPrecision(5);
  };
  const tick = (value) => {
    const size = Math.abs(value);
    if (size !== 0 && (size >= 1e5 || size < 1e-3)) return value.toExponential(2).replace(/\.?0+e/, "e").replace("e+", "e");
    return String(Number(value.toPrecision(6)));
  };
  const clock = (seconds) => {
    if (seconds < 60) return `${Number(seconds.toFixed(1))}s`;
    const two = (part) => String(Math.floor(part)).padStart(2, "0");
    const hours = Math.floor(seconds / 3600);
    return hours ? `${hours}:${two((seconds / 60) % 60)}:${two(seconds % 60)}` : `${Math.floor(seconds / 60)}:${two(seconds % 60)}`;
  };
  const across = (value) => (state.x === "t" ? clock(value) : number(value));

  /* One run's curve as [xs, ys], xs rising; a log axis has no place for what is not above zero. */
  const points = (series) => {
    const from = series[state.x], order = from.map((_, i) => i);
    if (state.x === "t") order.sort((a, b) => from[a] - from[b]);
    const xs = [], ys = [];
    for (const i of order) {
      const x = from[i], y = state.log.y && series.y[i] <= 0 ? null : series.y[i];
      if (state.log.x && x <= 0) continue;
      if (xs.length && xs[xs.length - 1] === x) ys[ys.length - 1] = y;
      else { xs.push(x); ys.push(y); }
    }
    return [xs, smooth(ys)];
  };
  /* An exponential moving average, unbiased at the start (as Adam corrects its own); a gap stays one. */
  const smooth = (ys) => {
    if (!state.smooth) return ys;
    let sum = 0, weight = 0;
    return ys.map((y) => {
      if (y === null) return null;
      sum = state.smooth * sum + (1 - state.smooth) * y;
      weight = state.smooth * weight + 1 - state.smooth;
      return sum / weight;
    });
  };

  const nearest = (plot, at, index, value) => {
    const xs = plot.data[0], ys = plot.data[at];
    if (ys[index] != null) return index;
    let low = index, high = index;
    while (low >= 0 && ys[low] == null) low--;
    while (high < ys.length && ys[high] == null) high++;
    if (low < 0 || high >= ys.length) return index; // before its first point or after its last, a run has no value
    return value - xs[low] <= xs[high] - value ? low : high;
  };

  const tip = (chart, runs) => {
    const box = make("div", "tip");
    box.hidden = true;
    const show = (plot) => {
      const { left, top, idxs } = plot.cursor;
      if (left < 0 || top < 0 || !plot.over.matches(":hover")) { box.hidden = true; return; }
      const rows = runs.map((run, i) => ({ run, y: plot.data[i + 1][idxs[i + 1]] })).filter((row, i) => plot.series[i + 1].show && row.y != null);
      if (!rows.length) { box.hidden = true; return; }
      const under = plot.posToVal(top, "y");
      const near = rows.reduce((best, row) => (Math.abs(row.y - under) < Math.abs(best.y - under) ? row : best));
      rows.sort((a, b) => (chart.best === "min" ? a.y - b.y : b.y - a.y));
      const listed = rows.slice(0, 10);
      if (!listed.includes(near)) listed.push(near);
      box.replaceChildren(make("p", "", `${state.x === "t" ? "after" : "step"} ${across(plot.data[0][plot.cursor.idx])}${state.smooth ? ", smoothed" : ""}`));
      const table = box.appendChild(make("table"));
      for (const row of listed) {
        const line = table.insertRow();
        if (row === near && rows.length > 1) line.className = "near";
        const cell = line.insertCell();
        cell.append(key(row.run), make("span", "", data.runs.length > 1 ? `${data.runs[row.run].label} ${data.runs[row.run].name}` : chart.name));
        line.insertCell().textContent = number(row.y);
      }
      if (rows.length > listed.length) box.append(make("p", "", `and ${rows.length - listed.length} more`));
      box.hidden = false;
      const room = plot.over.clientWidth;
      const wide = box.offsetWidth, x = left + 16 + wide > room ? left - wide - 16 : left + 16;
      box.style.left = `${plot.over.offsetLeft + Math.max(x, -plot.over.offsetLeft)}px`;
      box.style.top = `${Math.max(plot.over.offsetTop + top - box.offsetHeight / 2, 0)}px`;
    };
    return { box, show };
  };
  const key = (run) => {
    const drawn = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    drawn.setAttribute("viewBox", "0 0 18 8");
    drawn.setAttribute("class", `key k${run % data.hues} d${Math.floor(run / data.hues) % DASHES.length}`);
    drawn.appendChild(document.createElementNS("http://www.w3.org/2000/svg", "path")).setAttribute("d", "M1 4H17");
    return drawn;
  };

  const zoom = (range) => {
    state.zoom = range;
    one("#reset").hidden = range === null;
    charts.forEach(({ plot }) => {
      const xs = plot.data[0];
      plot.setScale("x", range ? { min: range[0], max: range[1] } : { min: xs[0], max: xs[xs.length - 1] });
    });
  };
  const wide = (values) => {
    const ruler = wide.ruler || (wide.ruler = document.createElement("canvas").getContext("2d"));
    ruler.font = `12px ${colour("--sans")}`;
    return Math.max(...values.map((value) => ruler.measureText(value).width), 18);
  };

  const options = (chart, runs, box, hover) => {
    const axis = { stroke: colour("--soft"), font: `12px ${colour("--sans")}`, grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line"), width: 1, size: 5 }, gap: 4 };
    const log = (plot, values) => values.map((value) => (value === null ? "" : tick(value)));
    return {
      width: box.clientWidth,
      height: box.clientHeight,
      legend: { show: false },
      focus: { alpha: 0.18 },
      scales: {
        x: { time: false, distr: state.log.x ? 3 : 1 },
        y: { distr: state.log.y ? 3 : 1, range: state.log.y ? undefined : (plot, low, high) => spread(...(state.clip ? usual(plot, low, high) : [low, high])) },
      },
      series: [
        {},
        ...runs.map((run) => ({
          label: data.runs[run].label, stroke: colour(`--k${run % data.hues}`), width: runs.length > 8 ? 1.25 : 1.75, dash: dash(run),
          show: !state.hidden.has(run), spanGaps: false,
          points: { show: (plot, at) => plot.data[at].filter((value) => value != null).length <= 30, size: 5, fill: colour("--paper") },
        })),
      ],
      axes: [
        { ...axis, size: 30, space: 70, values: state.x === "t" ? (plot, values) => values.map((value) => (value === null ? "" : clock(value))) : log },
        { ...axis, values: log, space: 36, size: (plot, values) => (values ? Math.ceil(wide(values)) + 12 : 40) },
      ],
      cursor: {
        y: false, sync: { key: "curves", scales: ["x", null], filters: { pub: (type) => type === "mousemove" || type === "mouseleave" } },
        drag: { x: true, y: false, setScale: false }, dataIdx: nearest, points: { size: 6, width: 0, fill: (plot, at) => colour(`--k${runs[at - 1] % data.hues}`) },
        bind: { dblclick: () => () => { zoom(null); return null; } },
      },
      hooks: {
        setCursor: [hover.show],
        setSelect: [(plot) => {
          const { left, width } = plot.select;
          if (width < 3) return;
          plot.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
          zoom([plot.posToVal(left, "x"), plot.posToVal(left + width, "x")]);
        }],
      },
    };
  };
  /* From the 1st to the 99th percentile of what is in view: one spike does not flatten all else. */
  const usual = (plot, low, high) => {
    const [xs, ...sides] = plot.data, [first, last] = plot.series[0].idxs || [0, xs.length - 1], seen = [];
    sides.forEach((ys, at) => {
      if (plot.series[at + 1].show) for (let i = first; i <= last; i++) if (ys[i] != null) seen.push(ys[i]);
    });
    if (seen.length < 20) return [low, high];
    seen.sort((a, b) => a - b);
    return [seen[Math.floor(seen.length * 0.01)], seen[Math.ceil(seen.length * 0.99) - 1]];
  };
  /* A little room above and below; a constant lies in the middle. */
  const spread = (low, high) => {
    if (low === null || high === null) return [0, 1];
    const room = high > low ? (high - low) * 0.06 : Math.abs(high) * 0.1 || 1;
    return [low - room, high + room];
  };

  const draw = (figure) => {
    erase(figure);
    const chart = data.charts[figure.dataset.chart], box = one(".plot", figure);
    const runs = chart.series.map((series) => series.run);
    const joined = uPlot.join(chart.series.map(points));
    if (!joined.slice(1).some((ys) => ys.some((y) => y != null))) {
      box.replaceChildren(make("p", "empty", state.log.x || state.log.y ? "nothing above zero to draw on a log axis" : "no finite value to draw"));
      return;
    }
    box.replaceChildren();
    const hover = tip(chart, runs);
    const plot = new uPlot(options(chart, runs, box, hover), joined, box);
    box.append(hover.box);
    plot.over.addEventListener("mouseleave", () => { hover.box.hidden = true; });
    const resize = new ResizeObserver(() => {
      if (box.clientWidth && (box.clientWidth !== plot.width || box.clientHeight !== plot.height)) plot.setSize({ width: box.clientWidth, height: box.clientHeight });
    });
    resize.observe(box);
    charts.set(figure, { plot, runs, resize });
    if (state.zoom) plot.setScale("x", { min: state.zoom[0], max: state.zoom[1] });
  };
  const erase = (figure) => {
    const known = charts.get(figure);
    if (!known) return;
    known.resize.disconnect();
    known.plot.destroy();
    charts.delete(figure);
  };
  const again = () => [...charts.keys()].forEach(draw);
  const reveal = new IntersectionObserver((seen) => {
    for (const entry of seen) {
      if (!entry.isIntersecting) continue;
      reveal.unobserve(entry.target);
      draw(entry.target);
    }
  }, { rootMargin: "800px" });
  figures.forEach((figure) => reveal.observe(figure));

  /* ---- what the buttons do ---- */
  const chips = all(".legend [data-run]"), every = one(".legend .every");
  const show = () => {
    chips.forEach((chip) => press(chip, !state.hidden.has(Number(chip.dataset.run))));
    if (every) every.hidden = state.hidden.size === 0;
    charts.forEach(({ plot, runs }) => plot.batch(() => runs.forEach((run, i) => {
      const wanted = !state.hidden.has(run);
      if (plot.series[i + 1].show !== wanted) plot.setSeries(i + 1, { show: wanted });
    })));
  };
  const focus = (run) => charts.forEach(({ plot, runs }) => {
    const at = run === null || state.hidden.has(run) ? null : runs.indexOf(run) + 1;
    plot.setSeries(at || null, { focus: Boolean(at) });
  });
  chips.forEach((chip) => {
    const run = Number(chip.dataset.run);
    chip.addEventListener("click", () => {
      if (state.hidden.has(run)) state.hidden.delete(run); else state.hidden.add(run);
      show();
      focus(run);
    });
    chip.addEventListener("dblclick", () => {
      state.hidden = new Set(data.runs.map((_, i) => i).filter((i) => i !== run));
      show();
    });
    chip.addEventListener("mouseenter", () => focus(run));
    chip.addEventListener("mouseleave", () => focus(null));
  });
  if (every) every.addEventListener("click", () => { state.hidden.clear(); show(); });
  all("[data-x]").forEach((button) => button.addEventListener("click", () => {
    state.x = button.dataset.x;
    all("[data-x]").forEach((other) => press(other, other === button));
    zoom(null);
    again();
  }));
  all("[data-log]").forEach((button) => button.addEventListener("click", () => {
    const axis = button.dataset.log;
    state.log[axis] = !state.log[axis];
    press(button, state.log[axis]);
    zoom(null);
    figures.filter((figure) => charts.has(figure) || one(".empty", figure)).forEach(draw);
  }));
  one("#clip").addEventListener("click", (event) => {
    state.clip = !state.clip;
    press(event.currentTarget, state.clip);
    again();
  });
  one("#reset").addEventListener("click", () => zoom(null));
  one("#smooth").addEventListener("input", (event) => {
    state.smooth = Number(event.target.value);
    again();
  });
  const find = one("#find");
  if (find) find.addEventListener("input", () => {
    const wanted = find.value.toLowerCase();
    figures.forEach((figure) => { figure.hidden = !data.charts[figure.dataset.chart].name.toLowerCase().includes(wanted); });
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
  /* Paper is light, and has the charts that were never scrolled to as well. */
  addEventListener("beforeprint", () => {
    document.documentElement.classList.add("print");
    all(".sheet").forEach((node) => { node.open = true; });
    figures.forEach((figure) => { reveal.unobserve(figure); draw(figure); });
  });
  addEventListener("afterprint", () => { document.documentElement.classList.remove("print"); again(); });
})();
