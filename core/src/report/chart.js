// SPDX-License-Identifier: MIT
// A line chart in SVG: axes, legend, and the values under the pointer.
//   chart(box, { label, height, x: axis, y: axis, series: [{ name, style, x: [], y: [], text(value) }], marks })
//   axis: { name, low, high, log, text(value) }; a series may have an `axis` of its own, which is not shown
function chart(box, spec) {
  const legend = element('div', { class: 'legend', 'aria-hidden': 'true' });
  for (const s of spec.series)
    legend.append(element('span', { class: 'key ' + s.style }, element('i'), s.name));
  const plot = element('div', { class: 'plot' });
  const readout = element('span', { class: 'readout' });
  legend.append(readout);
  box.append(legend, plot);
  draw_with(plot, () => draw_chart(plot, readout, spec));
}

function scale_of(axis, from, to) {
  const f = axis.log ? Math.log10 : (v => v);
  const low = f(axis.low), high = f(axis.high);
  const scale = value => from + (f(value) - low) / (high - low || 1) * (to - from);
  scale.inverse = position => {
    const v = low + (position - from) / (to - from) * (high - low);
    return axis.log ? 10 ** v : v;
  };
  return scale;
}

function ticks_of(axis, count) {
  if (!axis.log) return ticks(axis.low, axis.high, count);
  const result = [];
  for (let power = Math.ceil(Math.log10(axis.low) - 1e-9); power <= Math.log10(axis.high) + 1e-9; ++power)
    result.push(10 ** power);
  return result;
}

/// Lines break where a value is missing, and on a log axis where it is not above 0.
function path_of(series, y_axis, x_scale, y_scale) {
  let path = '', pen_down = false;
  for (let i = 0; i < series.x.length; ++i) {
    const value = series.y[i];
    const drawable = value !== null && Number.isFinite(value) && series.x[i] !== null && !(y_axis.log && value <= 0);
    if (drawable) {
      const y = y_scale(clamp(value, y_axis.low, y_axis.high));
      path += (pen_down ? 'L' : 'M') + x_scale(series.x[i]).toFixed(1) + ' ' + y.toFixed(1);
      if (!pen_down) path += 'h0'; // a lone point is a dot
    }
    pen_down = drawable;
  }
  return path;
}

function draw_chart(plot, readout, spec) {
  const width = Math.max(plot.clientWidth, 240), height = spec.height;
  const left = 58, right = width - 8, top = 8, bottom = height - 36;
  const x = scale_of(spec.x, left, right), y = scale_of(spec.y, bottom, top);
  const svg = element('svg', { viewBox: `0 0 ${width} ${height}`, width, height, role: 'img',
                               'aria-label': spec.label });
  const label = (x, y, anchor, text) => element('text', { class: 'tick', x, y, 'text-anchor': anchor }, text);
  for (const value of ticks_of(spec.y, 5)) {
    svg.append(element('line', { class: 'grid', x1: left, x2: right, y1: y(value), y2: y(value) }),
               label(left - 6, y(value) + 4, 'end', spec.y.text(value)));
  }
  for (const value of ticks_of(spec.x, width / 90)) {
    svg.append(element('line', { class: 'grid', x1: x(value), x2: x(value), y1: top, y2: bottom }),
               label(x(value), bottom + 16, 'middle', spec.x.text(value)));
  }
  svg.append(label((left + right) / 2, height - 4, 'middle', spec.x.name),
             element('text', { class: 'tick', x: 0, y: 0, 'text-anchor': 'middle',
                               transform: `translate(12 ${(top + bottom) / 2}) rotate(-90)` }, spec.y.name));
  for (const s of spec.series) {
    const axis = s.axis || spec.y;
    svg.append(element('path', { class: 'line ' + s.style, d: path_of(s, axis, x, scale_of(axis, bottom, top)) }));
  }
  for (const mark of spec.marks || []) {
    const before = x(mark.x) > (left + right) / 2, above = y(mark.y) > bottom - 30;
    svg.append(element('circle', { class: 'mark', cx: x(mark.x), cy: y(mark.y), r: 5 }),
               element('text', { class: 'mark', x: x(mark.x) + (before ? -10 : 10), y: y(mark.y) + (above ? -12 : 18),
                                 'text-anchor': before ? 'end' : 'start' }, mark.text));
  }
  follow_pointer(svg, readout, spec, x, { left, right, top, bottom });
  plot.replaceChildren(svg);
}

function follow_pointer(svg, readout, spec, x, frame) {
  const hair = element('line', { class: 'hair', y1: frame.top, y2: frame.bottom, visibility: 'hidden' });
  svg.append(hair);
  svg.addEventListener('pointermove', event => {
    const bounds = svg.getBoundingClientRect();
    const at = x.inverse(clamp(event.clientX - bounds.left, frame.left, frame.right));
    const points = spec.series.find(s => s.x.length > 2) || spec.series[0];
    if (!points || !points.x.length) return;
    let nearest = 0;
    for (let i = 1; i < points.x.length; ++i)
      if (Math.abs(points.x[i] - at) < Math.abs(points.x[nearest] - at)) nearest = i;
    const position = x(points.x[nearest]);
    hair.setAttribute('x1', position);
    hair.setAttribute('x2', position);
    hair.setAttribute('visibility', 'visible');
    const values = spec.series.map(s => s.name + ' ' + s.text(s.y[Math.min(nearest, s.y.length - 1)]));
    readout.textContent = spec.x.name + ' ' + spec.x.text(points.x[nearest], true) + ': ' + values.join(', ');
  });
  svg.addEventListener('pointerleave', () => {
    hair.setAttribute('visibility', 'hidden');
    readout.textContent = '';
  });
}
