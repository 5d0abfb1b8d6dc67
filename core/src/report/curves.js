// SPDX-License-Identifier: MIT
// The two line charts: how training went, and how the gain moves.
function usable(values) { return values.filter(v => v !== null && Number.isFinite(v)); }

function training_chart(box) {
  const points = report.curve;
  const epochs = points.map(p => p.epoch), train = points.map(p => p.train), valid = points.map(p => p.valid);
  const positive = usable([...train, ...valid]).filter(v => v > 0);
  const ends = usable(epochs);
  if (!positive.length || !ends.length) {
    box.append(element('p', { class: 'hint' }, 'No figures to draw.'));
    return;
  }
  let best = -1;
  valid.forEach((v, i) => { if (v !== null && v > 0 && (best < 0 || v < valid[best])) best = i; });
  const rates = points.map(p => p.rate);
  const highest_rate = Math.max(...usable(rates), 1e-12);
  chart(box, {
    label: `Training loss and validation ESR over ${figure(Math.max(...ends))} epochs` +
           (best >= 0 ? `; best validation ESR ${figure(valid[best])} at epoch ${figure(epochs[best])}` : ''),
    height: 300,
    x: { name: 'epoch', low: Math.min(0, ...ends), high: Math.max(...ends) || 1, text: v => figure(v) },
    y: { name: 'loss', low: 10 ** Math.floor(Math.log10(Math.min(...positive))),
         high: 10 ** Math.ceil(Math.log10(Math.max(...positive)) + 1e-9), log: true,
         text: v => v >= 1e-4 && v < 1e4 ? figure(v) : v.toExponential(0) },
    series: [
      { name: 'learning rate', style: 'rate', x: epochs, y: rates, text: v => figure(v),
        axis: { low: 0, high: highest_rate * 1.02 } },
      { name: 'training loss', style: 'train', x: epochs, y: train, text: v => figure(v) },
      { name: 'validation ESR', style: 'valid', x: epochs, y: valid, text: v => figure(v) },
    ],
    marks: best < 0 ? [] : [{ x: epochs[best], y: valid[best], text: `best: ESR ${figure(valid[best], 2)}` }],
  });
}

/// The range that all but the wildest 1 % of values need, with some room.
function calm_range(values) {
  const sorted = usable(values).sort((a, b) => a - b);
  if (!sorted.length) return [-1, 1];
  const low = sorted[Math.floor(0.005 * (sorted.length - 1))], high = sorted[Math.ceil(0.995 * (sorted.length - 1))];
  const room = Math.max(1, 0.08 * (high - low));
  return [low - room, high + room];
}

function envelope_chart(box, part) {
  const { window_s, target, model, static_db } = part.envelope;
  const times = target.map((_, i) => (i + 0.5) * window_s);
  const end = part.samples / rate;
  const db = v => v === null ? '–' : v.toFixed(2) + ' dB';
  const time = { name: 'seconds', low: 0, high: end, text: (v, exact) => exact ? v.toFixed(2) : figure(v) };
  const static_line = static_db === null ? [] :
    [{ name: 'volume knob', style: 'knob', x: [0, end], y: [static_db, static_db], text: db }];
  const [low, high] = calm_range([...target, ...model, ...(static_db === null ? [] : [static_db])]);
  chart(box, {
    label: 'Gain in dB over time, of the device and of the model',
    height: 260, x: time, y: { name: 'gain, dB', low, high, text: v => figure(v) },
    series: [...static_line, { name: 'device', style: 'target', x: times, y: target, text: db },
             { name: 'model', style: 'model', x: times, y: model, text: db }],
  });
  const error = model.map((m, i) => m === null || target[i] === null ? null : m - target[i]);
  const most = clamp(Math.max(...calm_range(error).map(Math.abs)), 1, 120);
  chart(box, {
    label: 'Error of the model\'s level in dB over time',
    height: 130, x: time, y: { name: 'error, dB', low: -most, high: most, text: v => figure(v) },
    series: [{ name: 'model less device', style: 'error', x: times, y: error, text: db }],
  });
}
