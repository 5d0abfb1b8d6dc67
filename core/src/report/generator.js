// SPDX-License-Identifier: MIT
// The generator's page: how training went, and a spectrogram for every sample.
function bits_chart(box) {
  const epochs = report.curve.map(p => p.epoch), train = report.curve.map(p => p.train), valid = report.curve.map(p => p.valid);
  const all = [...train, ...valid].filter(v => v !== null && Number.isFinite(v));
  let best = -1;
  valid.forEach((v, i) => { if (v !== null && (best < 0 || v < valid[best])) best = i; });
  const text = v => v === null ? '–' : v.toFixed(3);
  chart(box, {
    label: 'Bits per sample over training' + (best < 0 ? '' : `; best on validation ${text(valid[best])}`),
    height: 300,
    x: { name: 'epoch', low: 0, high: Math.max(...epochs) || 1, text: v => figure(v) },
    y: { name: 'bits per sample', low: Math.floor(Math.min(...all)), high: Math.min(8.5, Math.ceil(Math.max(...all))), text: v => figure(v) },
    series: [{ name: 'training', style: 'train', x: epochs, y: train, text },
             { name: 'validation', style: 'valid', x: epochs, y: valid, text }],
    marks: best < 0 ? [] : [{ x: epochs[best], y: valid[best], text: `best: ${text(valid[best])}` }],
  });
}

function sample_spectrogram(box, sample) {
  const levels = bytes_of(sample.spectrogram.levels), { columns, rows, range_db } = sample.spectrogram;
  const level_db = byte => (byte / 255 - 1) * range_db;
  const panel = { name: sample.name, image: cells_image(columns, rows, i => between(level_stops, levels[i] / 255)),
                  bar: share => between(level_stops, share), low: '−' + range_db + ' dB', high: '0 dB',
                  text: i => level_db(levels[i]).toFixed(0) + ' dB' };
  const canvas = element('canvas', { role: 'img', 'aria-label': 'Spectrogram, ' + sample.name });
  const readout = element('span', { class: 'readout' });
  const figure_box = element('figure', {}, element('figcaption', {}, readout), canvas);
  box.append(figure_box);
  draw_with(figure_box, () => draw_spectrogram(canvas, figure_box.clientWidth, sample, panel));
  canvas.addEventListener('pointermove', event => read_cell(event, canvas, sample, panel, readout));
  canvas.addEventListener('pointerleave', () => { readout.textContent = ''; });
}

if (report.curve.length) bits_chart(document.querySelector('[data-chart=bits]'));
document.querySelectorAll('[data-sample]').forEach(box => sample_spectrogram(box, report.samples[Number(box.dataset.sample)]));
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => { for (const redraw of redraws) redraw(); });
