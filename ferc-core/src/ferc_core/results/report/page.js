const dark = window.matchMedia("screen and (prefers-color-scheme: dark)");
const DARK = {
  background: "#17181c",
  axis: { ...CONFIG.axis, labelColor: "#ececf0", titleColor: "#ececf0", gridColor: "#3a3d46" },
  legend: { ...CONFIG.legend, labelColor: "#ececf0", titleColor: "#ececf0" },
  text: { color: "#ececf0" },
  title: { ...CONFIG.title, color: "#ececf0", subtitleColor: "#b3b6be" },
  header: { ...CONFIG.header, labelColor: "#ececf0", titleColor: "#ececf0" },
};

function draw(place) {
  const spec = SPECS[place.dataset.spec];
  if (!spec) {
    place.textContent = "There is nothing to draw of this choice.";
    place.dataset.drawn = place.dataset.spec;
    return Promise.resolve();
  }
  const config = dark.matches ? { ...CONFIG, ...DARK } : CONFIG;
  return window.vegaEmbed(place, spec, { actions: false, renderer: "svg", config })
    .then(() => { place.dataset.drawn = place.dataset.spec; });
}

// A chart is drawn when it is about to be seen, so that the page opens at once; the others follow,
// so that all are there when the page is printed.
const seen = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (entry.isIntersecting) { seen.unobserve(entry.target); draw(entry.target); }
  }
}, { rootMargin: "600px" });
const places = [...document.querySelectorAll(".chart")];
places.forEach((place) => seen.observe(place));
dark.addEventListener("change", () => places.filter((place) => place.dataset.drawn).forEach(draw));
const waiting = [...places];
function drawNext() {
  const place = waiting.shift();
  if (!place) return;
  seen.unobserve(place);
  (place.dataset.drawn ? Promise.resolve() : draw(place)).then(() => setTimeout(drawNext, 50));
}
window.addEventListener("load", () => setTimeout(drawNext, 1000));

for (const chooser of document.querySelectorAll("select[data-chart]")) {
  chooser.addEventListener("change", () => {
    const section = chooser.closest("section"), place = section.querySelector(".chart");
    const keys = place.dataset.spec.slice(chooser.dataset.chart.length + 1).split("-");
    for (const each of section.querySelectorAll("select")) keys[each.dataset.place] = each.value;
    place.dataset.spec = [chooser.dataset.chart, ...keys].join("-");
    draw(place);
    if (section.querySelector("details").open) numbers(section);
  });
}

document.querySelector("#failed")?.addEventListener("change", (event) => {
  document.querySelectorAll(".failed").forEach((each, i) => { each.hidden = i !== +event.target.value; });
});

// The table behind a chart: the largest set of rows that it draws.
function numbers(section) {
  const spec = SPECS[section.querySelector(".chart").dataset.spec];
  const rows = Object.values(spec?.datasets ?? {}).reduce((a, b) => (b.length > a.length ? b : a), []);
  const table = document.createElement("table");
  const cell = (row, tag, text) => {
    const found = document.createElement(tag);
    found.textContent = typeof text === "number" ? +text.toPrecision(4) : text;
    if (typeof text === "number") found.className = "number";
    row.append(found);
  };
  const names = Object.keys(rows[0] ?? {}), head = table.createTHead().insertRow();
  names.forEach((name) => cell(head, "th", name));
  const body = table.createTBody();
  for (const each of rows) {
    const row = body.insertRow();
    names.forEach((name) => cell(row, "td", each[name]));
  }
  section.querySelector(".numbers").replaceChildren(table);
}
for (const details of document.querySelectorAll("details")) {
  details.addEventListener("toggle", () => { if (details.open) numbers(details.closest("section")); });
}

const value = (row, column) => row.cells[column].textContent;
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells], body = table.tBodies[0];
  for (const row of body.rows) {
    for (const cell of row.cells) if (/^-?[\d.]/.test(cell.textContent)) cell.className = "number";
  }
  heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
    const up = head.getAttribute("aria-sort") !== "ascending";
    heads.forEach((each) => each.setAttribute("aria-sort", "none"));
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const rows = [...body.rows].sort((a, b) => {
      const [x, y] = [value(a, column), value(b, column)], [m, n] = [parseFloat(x), parseFloat(y)];
      return (isNaN(m) || isNaN(n) ? x.localeCompare(y) : m - n) * (up ? 1 : -1);
    });
    body.append(...rows);
  }));
}
