/**
 * What runs in the page: values of curves at a place, the map of clips, and sections that a server sends anew. It is text, as
 * the package is compiled without the types of a browser; test/browser runs all of it. Names of files reach the page by
 * textContent alone.
 */
const CHARTS = `
const figure = (value, share) => {
  if (!Number.isFinite(value)) return String(value);
  if (share) return Number((100 * value).toFixed(1)) + ' %';
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) return value.toExponential(1).replace('e+', 'e');
  if (Number.isInteger(value)) return String(value);
  return String(Number(value.toPrecision(size >= 1000 ? 6 : 4)));
};
const tell = (chart, place) => {
  const data = JSON.parse(chart.dataset.chart);
  const scrub = chart.querySelector('.scrub');
  const values = data.lines.map(({ name, x, y }) => {
    let best = 0;
    for (let i = 1; i < x.length; i++) if (Math.abs(x[i] - place) < Math.abs(x[best] - place)) best = i;
    return (data.lines.length > 1 ? name + ' ' : '') + figure(y[best], data.share);
  });
  const text = data.x + ' ' + figure(Math.round(place)) + ': ' + values.join(', ');
  chart.querySelector('output').textContent = text;
  scrub.setAttribute('aria-valuetext', text);
  const span = scrub.max - scrub.min || 1;
  const cross = chart.querySelector('.cross');
  cross.hidden = false;
  cross.style.left = 100 * (data.left + ((data.right - data.left) * (place - scrub.min)) / span) + '%';
};
document.addEventListener('input', ({ target }) => {
  if (target.matches('.scrub')) tell(target.closest('.chart'), Number(target.value));
});
document.addEventListener('pointermove', (event) => {
  const plot = event.target.closest?.('.plot');
  const chart = plot && plot.closest('.chart');
  const scrub = chart && chart.querySelector('.scrub');
  if (!scrub) return;
  const { left, right } = JSON.parse(chart.dataset.chart);
  const box = plot.getBoundingClientRect();
  const share = ((event.clientX - box.left) / box.width - left) / (right - left);
  scrub.value = Number(scrub.min) + Math.min(1, Math.max(0, share)) * (scrub.max - scrub.min);
  tell(chart, Number(scrub.value));
});
`;

const MAP = `
const field = document.getElementById('map-field');
if (field) {
  const { clips, labels, runs } = JSON.parse(document.getElementById('map-data').textContent);
  const canvas = field.querySelector('canvas');
  const pins = document.getElementById('map-pins');
  const panel = document.getElementById('map-panel');
  const pictures = document.getElementById('map-pictures');
  const MARGIN = 30;
  let [run, chosen, lit] = [0, -1, -1];
  let points = [];
  let timer = 0;
  const less = matchMedia('(prefers-reduced-motion: reduce)');
  const target = () => {
    const [width, height] = [field.clientWidth, field.clientHeight];
    const { xy } = runs[run];
    return clips.map((_, i) => [
      MARGIN + (xy[2 * i] / 1000) * (width - 2 * MARGIN),
      height - MARGIN - (xy[2 * i + 1] / 1000) * (height - 2 * MARGIN),
    ]);
  };
  const outline = (context, shape, x, y, r) => {
    context.beginPath();
    if (shape === 0) context.arc(x, y, r, 0, 7);
    else if (shape === 1) context.rect(x - r, y - r, 2 * r, 2 * r);
    else {
      const corners = shape === 2 ? [[0, -1.3], [1.2, 0.9], [-1.2, 0.9]] : [[0, -1.4], [1.4, 0], [0, 1.4], [-1.4, 0]];
      corners.forEach(([dx, dy], i) => context[i ? 'lineTo' : 'moveTo'](x + dx * r, y + dy * r));
      context.closePath();
    }
  };
  const draw = () => {
    const scale = devicePixelRatio || 1;
    const [width, height] = [field.clientWidth, field.clientHeight];
    canvas.width = width * scale;
    canvas.height = height * scale;
    const context = canvas.getContext('2d');
    context.scale(scale, scale);
    const style = getComputedStyle(document.documentElement);
    const colors = Array.from({ length: 8 }, (_, i) => style.getPropertyValue('--c' + i));
    const mark = (i, r) => {
      const label = clips[i].l;
      const [x, y] = points[i];
      context.globalAlpha = i === chosen || lit < 0 || lit === label ? 0.9 : 0.12;
      context.fillStyle = label < 0 ? style.getPropertyValue('--quiet') : colors[label % 8];
      outline(context, label < 0 ? 0 : Math.floor(label / 8) % 4, x, y, r);
      context.fill();
    };
    clips.forEach((_, i) => mark(i, 4));
    if (chosen < 0) return;
    context.strokeStyle = style.getPropertyValue('--quiet');
    for (const near of runs[run].near[chosen]) {
      context.globalAlpha = 0.7;
      context.beginPath();
      context.moveTo(...points[chosen]);
      context.lineTo(...points[near]);
      context.stroke();
      mark(near, 5);
    }
    mark(chosen, 7);
    context.globalAlpha = 1;
    context.lineWidth = 2;
    context.strokeStyle = style.getPropertyValue('--ink');
    context.stroke();
  };
  const pin = () => {
    pins.replaceChildren();
    if (!pictures.checked) return;
    const size = field.clientWidth < 500 ? 38 : 52;
    const taken = [];
    clips.forEach(({ l, p }, i) => {
      if (!p || (lit >= 0 && lit !== l) || taken.length >= 60) return;
      const [x, y] = points[i];
      if (taken.some(([a, b]) => Math.abs(a - x) < size + 8 && Math.abs(b - y) < size + 8)) return;
      taken.push([x, y]);
      const box = document.createElement('div');
      box.className = 'pin' + (l < 0 ? '' : ' c' + (l % 8));
      box.style.cssText = 'left:' + x + 'px;top:' + y + 'px;width:' + size + 'px;height:' + size + 'px';
      box.append(Object.assign(document.createElement('div'), { className: 'clip t' + i }));
      pins.append(box);
    });
  };
  const settle = () => {
    points = target();
    draw();
    pin();
  };
  const go = () => {
    const [from, to] = [points, target()];
    cancelAnimationFrame(timer);
    if (less.matches || document.getElementById('still').checked) return settle();
    pins.replaceChildren();
    const start = performance.now();
    const frame = (now) => {
      const share = Math.min(1, (now - start) / 450);
      const eased = share * share * (3 - 2 * share);
      points = to.map(([x, y], i) => [from[i][0] + (x - from[i][0]) * eased, from[i][1] + (y - from[i][1]) * eased]);
      draw();
      if (share < 1) timer = requestAnimationFrame(frame);
      else settle();
    };
    timer = requestAnimationFrame(frame);
  };
  const part = (parent, tag, className, text) => {
    const made = document.createElement(tag);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    parent.append(made);
    return made;
  };
  const picture = (parent, i) => {
    const box = part(parent, 'div', 'box');
    if (clips[i].p) part(box, 'div', 'clip t' + i);
    else part(box, 'p', 'quiet', 'no picture');
  };
  const labelOf = (i) => (clips[i].l < 0 ? 'no label' : labels[clips[i].l]);
  const choose = (i) => {
    chosen = i;
    draw();
    panel.replaceChildren();
    if (i < 0) return;
    picture(panel, i);
    part(part(panel, 'p', 'name'), 'bdi', '', clips[i].n);
    part(part(panel, 'p', 'within'), 'bdi', '', labelOf(i) + ', ' + clips[i].t);
    part(panel, 'p', 'near-title', 'Nearest for ' + runs[run].name);
    const list = part(panel, 'ol', 'near');
    for (const near of runs[run].near[i]) {
      const item = part(list, 'li');
      picture(item, near);
      const known = clips[i].l >= 0 && clips[near].l >= 0;
      const right = clips[near].l === clips[i].l;
      part(item, 'span', known ? (right ? 'right' : 'wrong') : '', (known ? (right ? '\\u2713 ' : '\\u2717 ') : '') + labelOf(near));
    }
  };
  const at = (event) => {
    const box = field.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    let [best, distance] = [-1, 24 * 24];
    points.forEach(([px, py], i) => {
      const d = (px - x) ** 2 + (py - y) ** 2;
      if (d < distance && (lit < 0 || clips[i].l === lit)) [best, distance] = [i, d];
    });
    return best;
  };
  const towards = (dx, dy) => {
    if (chosen < 0) return 0;
    let [best, least] = [chosen, Infinity];
    points.forEach(([x, y], i) => {
      const [along, across] = [(x - points[chosen][0]) * dx + (y - points[chosen][1]) * dy, Math.abs((x - points[chosen][0]) * dy - (y - points[chosen][1]) * dx)];
      if (i === chosen || along <= 0 || across > along || along + 2 * across >= least) return;
      [best, least] = [i, along + 2 * across];
    });
    return best;
  };
  const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  field.addEventListener('pointermove', (event) => {
    const found = at(event);
    if (found >= 0 && found !== chosen) choose(found);
  });
  field.addEventListener('keydown', (event) => {
    const way = KEYS[event.key];
    if (way) choose(towards(...way));
    else if (event.key === 'Home') choose(0);
    else if (event.key === 'End') choose(clips.length - 1);
    else return;
    event.preventDefault();
  });
  for (const radio of document.querySelectorAll('[name=map-run]'))
    radio.addEventListener('change', () => {
      run = Number(radio.value);
      go();
      choose(chosen);
    });
  for (const button of document.querySelectorAll('.label-key'))
    button.addEventListener('click', () => {
      const label = Number(button.dataset.label);
      lit = lit === label ? -1 : label;
      for (const other of document.querySelectorAll('.label-key'))
        other.setAttribute('aria-pressed', String(Number(other.dataset.label) === lit));
      draw();
      pin();
    });
  pictures.addEventListener('change', pin);
  new ResizeObserver(settle).observe(field);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);
}
`;

const LIVE = `
const live = document.getElementById('live');
if (live) {
  const source = new EventSource('events?since=' + live.dataset.version);
  source.addEventListener('section', ({ data }) => {
    const { id, html } = JSON.parse(data);
    const old = document.getElementById(id);
    if (!old) return;
    const focus = old.contains(document.activeElement) ? document.activeElement.id : '';
    const open = [...old.querySelectorAll('details')].map((one) => one.open);
    old.outerHTML = html;
    document.getElementById(id).querySelectorAll('details').forEach((one, i) => {
      if (open[i] !== undefined) one.open = open[i];
    });
    if (focus) document.getElementById(focus)?.focus();
  });
  source.addEventListener('end', () => {
    source.close();
    live.textContent = 'All runs have ended; this is how they did.';
  });
  source.addEventListener('open', () => (live.textContent = 'Following the runs.'));
  source.addEventListener('error', () => (live.textContent = 'The command that follows the runs has ended, or is out of reach; trying again.'));
}
`;

/** One text: its digest stands in the page, and nothing else is run. */
export const PAGE_SCRIPT = `(() => {\n'use strict';${CHARTS}${MAP}${LIVE}})();`;
