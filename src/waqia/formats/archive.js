'use strict';
// The page of an archive: what the filter leaves is counted, drawn and listed. Texts only ever become text nodes.
const data = JSON.parse(document.getElementById('data').textContent);
const $ = (id) => document.getElementById(id);
const PAGE = 50, X = 88, Y = 100;  // events shown at once; map units a degree, longitude drawn narrower as at 28 degrees north
const chosen = { query: '', type: '', actor: '', from: '', to: '', spot: '' };
let shown = PAGE, view = null;

const make = (name, attributes = {}, ...children) => {
  const svg = ['circle', 'text', 'title'].includes(name) && attributes.svg;
  const node = svg ? document.createElementNS('http://www.w3.org/2000/svg', name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) if (key !== 'svg') node.setAttribute(key, value);
  node.append(...children);
  return node;
};
const size = (node, name, value) => { node.style[name] = value; };
const spot = (event) => event.at ? event.at.join(' ') : '';
const plain = (text) => text.normalize('NFKC').replace(/[\u064b-\u0652\u0640]/g, '').replace(/[أإآٱ]/g, 'ا').replace(/ى/g, 'ي').replace(/ة/g, 'ه').toLowerCase();

for (const event of data.events) {
  const said = [event.place, event.placeAr, event.name, ...event.actors.map((actor) => actor.name), ...event.sources.flatMap((source) => source.passages.map((p) => p[1]))];
  event.find = plain(said.filter(Boolean).join(' '));
}

function matches(event, but = '') {
  const on = (name) => but !== name && chosen[name];
  return !(on('type') && event.type !== chosen.type)
    && !(on('actor') && !event.actors.some((actor) => actor.key === chosen.actor))
    && !(on('spot') && spot(event) !== chosen.spot)
    && !(but !== 'time' && chosen.from && !(event.end && event.end >= chosen.from))
    && !(but !== 'time' && chosen.to && !(event.start && event.start <= chosen.to))
    && !(on('query') && !plain(chosen.query).split(/\s+/).every((word) => event.find.includes(word)));
}

function count(events, keys) {
  const found = new Map();
  for (const event of events) for (const [key, name] of new Map(keys(event))) {
    const each = found.get(key) || { key, name, n: 0 };
    each.n += 1;
    found.set(key, each);
  }
  return [...found.values()].sort((a, b) => b.n - a.n || a.name.localeCompare(b.name, 'ar'));
}

function bars(id, rows, field) {
  const top = Math.max(1, ...rows.map((row) => row.n));
  $(id).replaceChildren(...rows.slice(0, 40).map((row) => {
    const bar = make('b');
    size(bar, 'width', `${100 * row.n / top}%`);
    const label = make('span', { title: row.name });
    label.textContent = row.name;
    const button = make('button', { type: 'button', 'aria-pressed': chosen[field] === row.key }, label, make('div', { class: 'bar' }, bar), make('small', {}, String(row.n)));
    button.onclick = () => choose(field, chosen[field] === row.key ? '' : row.key);
    return button;
  }));
}

const UNITS = [[1, (d) => d.slice(0, 10)], [7, (d) => new Date(Math.floor((Date.parse(d) / 864e5 + 3) / 7) * 7 * 864e5 - 3 * 864e5).toISOString().slice(0, 10)], [30, (d) => d.slice(0, 7)], [365, (d) => d.slice(0, 4)]];
function timeline(events) {
  const dated = events.filter((event) => event.start).map((event) => event.start).sort();
  const early = dated.splice(0, Math.floor(dated.length / 100));  // a war told of long after must not squeeze the rest into one bar
  const notes = [early.length && `أقدم من ${dated[0]}: ${early.length}`, events.length > dated.length + early.length && `بلا تاريخ معروف: ${events.length - dated.length - early.length}`];
  $('undated').textContent = notes.filter(Boolean).join('، ');
  if (!dated.length) { $('time').replaceChildren(); $('axis').replaceChildren(); return; }
  const first = Date.parse(dated[0]), last = Date.parse(dated[dated.length - 1]);
  const [, bin] = UNITS.find(([days]) => (last - first) / 864e5 / days <= 70) || UNITS[3];
  const bins = new Map();
  for (let day = first; day <= last; day += 864e5) { const key = bin(new Date(day).toISOString()); const each = bins.get(key) || { n: 0, from: new Date(day), to: null }; each.to = new Date(day); bins.set(key, each); }
  for (const day of dated) bins.get(bin(day)).n += 1;
  const top = Math.max(...[...bins.values()].map((each) => each.n));
  $('time').replaceChildren(...[...bins].map(([key, each]) => {
    const [from, to] = [each.from, each.to].map((day) => day.toISOString().slice(0, 10));
    const bar = make('i');
    size(bar, 'height', `${each.n ? Math.max(3, 100 * each.n / top) : 0}%`);
    const on = chosen.from === from && chosen.to === to;
    const button = make('button', { type: 'button', title: `${key}: ${each.n}`, 'aria-label': `${key}: ${each.n}`, 'aria-pressed': on }, bar);
    button.onclick = () => { chosen.from = on ? '' : from; chosen.to = on ? '' : to; $('from').value = chosen.from; $('to').value = chosen.to; draw(); };
    return button;
  }));
  $('axis').replaceChildren(make('span', {}, bin(dated[0])), make('span', {}, bin(dated[dated.length - 1])));
}

function map(events) {
  const groups = new Map();
  for (const event of events) if (event.at) groups.set(spot(event), [...(groups.get(spot(event)) || []), event]);
  const placed = [...groups.values()].sort((a, b) => b.length - a.length);
  const missing = events.length - placed.flat().length;
  $('unplaced').textContent = missing ? `بلا مكان يعرفه المعجم: ${missing}` : '';
  $('dots').replaceChildren(...placed.map((group) => {
    const [latitude, longitude] = group[0].at, key = spot(group[0]), name = `${group[0].placeAr || group[0].place}: ${group.length}`;
    const dot = make('circle', { svg: true, cx: longitude * X, cy: -latitude * Y, 'data-n': group.length, tabindex: 0, role: 'button', 'aria-label': name, class: key === chosen.spot ? 'chosen' : '' }, make('title', { svg: true }, name));
    dot.onclick = () => { if (!moved) choose('spot', chosen.spot === key ? '' : key); };
    dot.onkeydown = (press) => { if (press.key === 'Enter' || press.key === ' ') { press.preventDefault(); choose('spot', chosen.spot === key ? '' : key); } };
    return dot;
  }));
  scaled();
}

function fit() {
  const points = data.events.filter((event) => event.at).map((event) => [event.at[1] * X, -event.at[0] * Y]);
  const [xs, ys] = [0, 1].map((n) => points.map((point) => point[n]));
  const box = points.length ? [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)] : [30 * X, -38 * Y, 50 * X, -28 * Y];
  const [width, height] = [Math.max(250, (box[2] - box[0]) * 1.25), Math.max(250, (box[3] - box[1]) * 1.25)];
  view = { x: (box[0] + box[2]) / 2, y: (box[1] + box[3]) / 2, unit: 1 };
  const frame = $('map').getBoundingClientRect();
  view.unit = Math.max(width / (frame.width || 600), height / (frame.height || 400));
  scaled();
}

function scaled() {
  const frame = $('map').getBoundingClientRect(), { x, y, unit } = view;
  const [width, height] = [(frame.width || 600) * unit, (frame.height || 400) * unit];
  $('map').setAttribute('viewBox', `${x - width / 2} ${y - height / 2} ${width} ${height}`);
  for (const dot of $('dots').children) dot.setAttribute('r', unit * Math.min(22, 3.5 + 1.6 * Math.sqrt(dot.dataset.n)));
  for (const name of $('names').children) name.setAttribute('font-size', 11 * unit);
  $('names').toggleAttribute('hidden', unit > 17);
}
const zoom = (by) => { view.unit = Math.min(30, Math.max(.2, view.unit * by)); scaled(); };

let held = null, moved = false;
$('map').onpointerdown = (press) => { held = [press.clientX, press.clientY]; moved = false; };
window.addEventListener('pointermove', (press) => {
  if (!held) return;
  const step = [press.clientX - held[0], press.clientY - held[1]];
  if (!moved && Math.hypot(...step) < 4) return;
  moved = true; view.x -= step[0] * view.unit; view.y -= step[1] * view.unit; held = [press.clientX, press.clientY]; scaled();
});
window.addEventListener('pointerup', () => { held = null; });
$('map').addEventListener('wheel', (turn) => { turn.preventDefault(); zoom(turn.deltaY > 0 ? 1.2 : 1 / 1.2); }, { passive: false });
$('nearer').onclick = () => zoom(1 / 1.5);
$('farther').onclick = () => zoom(1.5);
$('fit').onclick = fit;
window.addEventListener('resize', scaled);

function marked(passage, marks) {
  const [start, text] = passage, points = [...text], end = start + points.length;  // offsets count code points
  const over = marks.filter((mark) => mark[0] < end && mark[1] > start);
  const cuts = [...new Set([start, end, ...over.flatMap((mark) => [mark[0], mark[1]])])].filter((at) => at >= start && at <= end).sort((a, b) => a - b);
  return cuts.slice(1).map((to, n) => {
    const from = cuts[n], piece = points.slice(from - start, to - start).join('');
    const names = over.filter((mark) => mark[0] <= from && mark[1] >= to).sort((a, b) => (b[2] === 'trigger') - (a[2] === 'trigger') || (a[1] - a[0]) - (b[1] - b[0]));
    return names.length ? make('mark', { class: names[0][2], title: names.map((mark) => mark[3]).join('، ') }, piece) : piece;
  });
}

function sourceNode(event, source) {
  const head = [source.source, source.date, source.id].filter(Boolean).join(' · ');
  const node = make('div', { class: 'source' }, make('h3', {}, make('bdi', {}, head), source.name && source.name !== event.name ? ` — ${source.name}` : '', source.name ? '' : ' — نص عن الحدث لم تُقرأ فيه واقعة'));
  const text = make('p');
  source.passages.forEach((passage, n) => text.append(...(n ? [' … '] : []), ...marked(passage, source.marks)));
  node.append(text);
  if (source.why) node.append(make('p', { class: 'why' }, `سبب الضم (${source.score}): ${source.why}`));
  return node;
}

function range(counts) { return counts.min === counts.max ? String(counts.min) : `${counts.min}–${counts.max}`; }

function eventNode(event) {
  const when = event.start ? (event.start === event.end ? event.start : `${event.start} – ${event.end}`) : 'بلا تاريخ';
  const figures = [event.placeAr || event.place || 'بلا مكان', event.killed && `القتلى ${range(event.killed)}`, event.injured && `الجرحى ${range(event.injured)}`, event.sides].filter(Boolean);
  const summary = make('summary', {}, make('b', {}, event.name), make('bdi', { class: 'figure', dir: 'ltr' }, when),
    ...(event.start && !event.told ? [make('span', { class: 'figure' }, '(يوم النشر)')] : []),
    ...figures.map((figure) => make('span', { class: 'figure' }, make('bdi', {}, figure))), make('span', { class: 'many' }, event.sources.length === 1 ? 'نص واحد' : `النصوص: ${event.sources.length}`));
  const node = make('details', { class: 'event', id: `event-${event.number}` }, summary);
  node.addEventListener('toggle', () => { if (node.open && node.children.length === 1) node.append(...event.sources.map((source) => sourceNode(event, source))); });
  return node;
}

function list(events) {
  $('events').replaceChildren(...events.slice(0, shown).map(eventNode));
  $('more').hidden = events.length <= shown;
}

function draw() {
  const left = (but) => data.events.filter((event) => matches(event, but)), events = left();
  const texts = new Set(events.flatMap((event) => event.sources.map((source) => source.id)));
  $('lead').textContent = `${events.length} من ${data.events.length} حدثاً، من ${texts.size} نصاً`;
  bars('types', count(left('type'), (event) => [[event.type, event.name]]), 'type');
  bars('actors', count(left('actor'), (event) => event.actors.map((actor) => [actor.key, actor.name])), 'actor');
  timeline(left('time'));
  map(left('spot'));
  list(events);
}

function choose(field, value) {
  chosen[field] = value;
  if ($(field)) $(field).value = value;
  shown = PAGE;
  draw();
}

for (const [id, rows] of [['type', count(data.events, (event) => [[event.type, event.name]])], ['actor', count(data.events, (event) => event.actors.map((actor) => [actor.key, actor.name])).slice(0, 300)]]) {
  for (const row of rows) $(id).append(make('option', { value: row.key }, `${row.name} (${row.n})`));
}
for (const [name, title] of data.legend) $('legend').append(make('mark', { class: name }, title));
for (const [name, latitude, longitude] of data.countries) $('names').append(make('text', { svg: true, class: 'name', x: longitude * X, y: -latitude * Y }, name));
let waiting = 0;
for (const id of ['query', 'type', 'actor', 'from', 'to']) $(id).addEventListener('input', () => { clearTimeout(waiting); waiting = setTimeout(() => choose(id, $(id).value), id === 'query' ? 150 : 0); });
$('filter').onsubmit = (sent) => sent.preventDefault();
$('filter').onreset = () => { for (const name of Object.keys(chosen)) chosen[name] = ''; shown = PAGE; setTimeout(draw); };
$('more').onclick = () => { shown += PAGE; list(data.events.filter((event) => matches(event))); };
fit();
draw();
